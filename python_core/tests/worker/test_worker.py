"""The worker over a real subprocess: what it promises to Slicer, the browser and the cohort runner."""

import json
import re
import signal
import time

import psutil
import pytest
from ece_core.export.result import read_result
from ece_core.io import write_image
from ece_core.pipeline import STAGES

# Slow are the tests with a worker of their own: two processes start, and each imports the core.


def analyze_request(ct, out, id="run 1", **options):
    return {"id": id, "request": "analyze", "ct": str(ct), "out": str(out), "options": options}


@pytest.mark.slow
def test_a_run_from_request_to_result(a_worker, a_ct_file, tmp_path):
    worker = a_worker()
    assert worker.wait_for("ready")["device"] == "cpu"
    worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
    event = worker.wait_for("progress", "result")
    stages = []
    while event["event"] == "progress":
        assert event["id"] == "run 1" and 0 <= event["fraction"] <= 1 and event["elapsed_s"] >= 0
        stages.append(event["stage"])
        event = worker.wait_for("progress", "result", "error")
    assert event == {"event": "result", "id": "run 1", "folder": str(tmp_path / "out")}
    assert list(dict.fromkeys(stages)) == [stage.name for stage in STAGES]
    assert len(read_result(tmp_path / "out").lymph_nodes) == 2


def test_the_second_run_is_in_the_same_warm_process(the_worker, a_ct_file, tmp_path):
    the_worker.send(id="w", request="warmup")
    the_worker.wait_for("ready", id="w")
    first = the_worker.warm_process().pid
    for name in ("a", "b"):
        the_worker.send(**analyze_request(a_ct_file, tmp_path / name, id=name))
        the_worker.wait_for("result", id=name)
    assert the_worker.warm_process().pid == first


def test_runs_wait_for_their_turn(the_worker, a_ct_file, tmp_path):
    for name in ("a", "b", "c"):
        the_worker.send(**analyze_request(a_ct_file, tmp_path / name, id=name))
    assert [the_worker.wait_for("result")["id"] for _ in range(3)] == ["a", "b", "c"]


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["slow", "deaf"])
def test_cancel_is_answered_within_a_second_and_leaves_no_files(behaviour, a_worker, a_ct_file, tmp_path):
    worker = a_worker(behaviour)
    worker.wait_for("ready")
    before = sorted(tmp_path.iterdir())
    worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
    worker.wait_for("progress", stage="segment")
    asked = time.monotonic()
    worker.send(id="run 1", request="cancel")
    event = worker.wait_for("error", "result")
    assert time.monotonic() - asked < 1
    assert (event["id"], event["kind"]) == ("run 1", "cancelled")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_run_that_listens_is_cancelled_without_losing_the_warm_process(a_worker, a_ct_file, tmp_path):
    worker = a_worker("slow")
    worker.wait_for("ready")
    warm = worker.warm_process().pid
    worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
    worker.wait_for("progress", stage="segment")
    worker.send(id="run 1", request="cancel")
    worker.wait_for("error", id="run 1")
    assert worker.warm_process().pid == warm


@pytest.mark.slow
def test_after_a_kill_a_new_process_warms_up_and_works(a_worker, a_ct_file, tmp_path):
    worker = a_worker("deaf")
    worker.wait_for("ready")
    warm = worker.warm_process().pid
    worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
    worker.wait_for("progress", stage="segment")
    worker.send(id="run 1", request="cancel")
    worker.wait_for("error", id="run 1")
    worker.wait_for("ready")
    assert worker.warm_process().pid != warm and not psutil.pid_exists(warm)
    worker.send(**analyze_request(tmp_path / "absent.nii.gz", tmp_path / "out", id=2))
    assert worker.wait_for("error", id=2)["kind"] == "input"


@pytest.mark.slow
def test_a_waiting_run_is_cancelled_and_the_one_under_way_goes_on(a_worker, a_ct_file, tmp_path):
    worker = a_worker("slow")
    worker.send(**analyze_request(a_ct_file, tmp_path / "a", id="a"))
    worker.send(**analyze_request(a_ct_file, tmp_path / "b", id="b"))
    worker.wait_for("progress", id="a", stage="segment")
    worker.send(id="b", request="cancel")
    assert worker.wait_for("error")["id"] == "b"
    assert worker.wait_for("progress", "error")["id"] == "a"


@pytest.mark.slow
def test_a_killed_process_is_an_error_in_words_and_the_next_run_works(a_worker, a_ct_file, tmp_path):
    worker = a_worker("killed")
    worker.wait_for("ready")
    before = sorted(tmp_path.iterdir())
    worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
    event = worker.wait_for("error")
    assert event["id"] == "run 1" and "ended unexpectedly" in event["problem"] and "memory" in event["problem"]
    assert sorted(tmp_path.iterdir()) == before
    worker.send(id="w", request="warmup")
    assert worker.wait_for("ready", id="w")["device"] == "cpu"


@pytest.mark.parametrize(
    ("line", "id", "words"),
    [
        pytest.param('{"id": 1, "request"', None, "not JSON", id="half a line"),
        pytest.param("[1, 2]", None, "not a JSON object", id="a list"),
        pytest.param("\x00\xff", None, "not JSON", id="noise"),
        pytest.param("[" * 100_000, None, "not JSON", id="deeply nested"),
        pytest.param('{"request": "analyze"}', None, "no id", id="no id"),
        pytest.param('{"id": 7, "request": "brew"}', 7, "no request with this name", id="unknown request"),
        pytest.param('{"id": 7, "request": "analyze", "ct": "x"}', 7, "lacks the field out", id="no out"),
        pytest.param('{"id": 7, "request": "analyze", "ct": 5, "out": "x"}', 7, "ct.*not text", id="ct a number"),
        pytest.param(
            '{"id": 7, "request": "analyze", "ct": "x", "out": "y", "options": [1]}', 7, "options", id="options a list"
        ),
        pytest.param('{"id": 7, "request": "cancel"}', 7, "no run with this id", id="nothing to cancel"),
        pytest.param('{"id": 7, "request": "classify", "ct": "x", "mask": "y"}', 7, "out or label", id="classify what"),
    ],
)
def test_lines_that_are_no_request_get_an_error_and_the_worker_goes_on(line, id, words, the_worker):
    the_worker.send_line(line)
    event = the_worker.wait_for("error")
    assert event["id"] == id and event["kind"] == "input" and event["fix"]
    assert re.search(words, event["problem"])
    the_worker.send(id="w", request="warmup")
    the_worker.wait_for("ready", id="w")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"explain": ["lime"]}, "no explanation method", id="unknown method"),
        pytest.param({"explain": "gradcam"}, "not a list", id="explain is text"),
        pytest.param({"speed": "fast"}, "does not exist", id="unknown option"),
        pytest.param({"device": 1}, "device is not text", id="device a number"),
        pytest.param({"full_search": "yes"}, "full_search is neither true nor false", id="a switch is text"),
    ],
)
def test_options_that_are_wrong(options, words, the_worker, a_ct_file, tmp_path):
    the_worker.send(**analyze_request(a_ct_file, tmp_path / "out", **options))
    event = the_worker.wait_for("error")
    assert event["kind"] == "input" and words in event["problem"]


@pytest.mark.slow
def test_two_runs_cannot_share_an_id(a_worker, a_ct_file, tmp_path):
    worker = a_worker("slow")
    worker.send(**analyze_request(a_ct_file, tmp_path / "a"))
    worker.send(**analyze_request(a_ct_file, tmp_path / "b"))
    assert "id" in worker.wait_for("error")["problem"]


@pytest.mark.slow
def test_printing_libraries_do_not_reach_the_protocol(a_worker, a_ct_file, tmp_path):
    worker = a_worker("chatty")
    worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
    worker.wait_for("result")
    worker.end()
    assert all(json.loads(line)["event"] for line in worker.lines)
    assert "42 % {not json" in worker.stderr()  # it did print


@pytest.mark.slow
def test_an_unexpected_failure_says_its_kind_and_nothing_of_the_patient(a_worker, a_ct_file, tmp_path):
    worker = a_worker("broken")
    worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
    event = worker.wait_for("error")
    assert event["kind"] == "failed" and "ValueError" in event["problem"]
    worker.end()
    said = "".join(worker.lines) + worker.stderr()
    assert "DOE" not in said and "ValueError" in worker.stderr()


def test_classify_one_edited_lymph_node(the_worker, a_ct_file, tmp_path):
    from fake_networks import a_neck_ct

    ct = a_neck_ct()
    write_image(ct.with_array((ct.array == 400).astype("uint8") * 2), tmp_path / "mask.nrrd")
    the_worker.send(id=1, request="classify", ct=str(a_ct_file), mask=str(tmp_path / "mask.nrrd"), label=2)
    event = the_worker.wait_for("result", "error")
    assert event["folder"] is None and event["lymph_node"]["id"] == "LN2"
    assert event["lymph_node"]["ece_probability"] == pytest.approx(0.4) and event["warnings"] == []


def test_explain_adds_a_heatmap(the_worker, a_ct_file, tmp_path):
    the_worker.send(**analyze_request(a_ct_file, tmp_path / "out", explain=[]))
    the_worker.wait_for("result")
    the_worker.send(id=2, request="explain", ct=str(a_ct_file), result=str(tmp_path / "out"), method="gradcam")
    event = the_worker.wait_for("result", "error")
    assert event["id"] == 2 and event["file"] == str(tmp_path / "out" / "heatmaps" / "gradcam.nrrd")
    assert [entry["method"] for entry in read_result(tmp_path / "out").heatmaps] == ["gradcam"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviour", "ending"),
    [("quick", "stdin closes"), ("deaf", "stdin closes"), ("deaf", "quit"), ("deaf", "SIGTERM"), ("deaf", "SIGINT")],
)
def test_the_worker_ends_with_its_children_and_leaves_nothing(ending, behaviour, a_worker, a_ct_file, tmp_path):
    worker = a_worker(behaviour)
    worker.wait_for("ready")
    before = sorted(tmp_path.iterdir())
    if behaviour == "deaf":
        worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
        worker.wait_for("progress", stage="segment")
    child = worker.warm_process()
    if ending == "stdin closes":
        worker.process.stdin.close()
    elif ending == "quit":
        worker.send(id="q", request="quit")
    else:
        worker.process.send_signal(getattr(signal, ending))
    assert worker.process.wait(10) == 0
    assert not child.is_running()
    assert sorted(tmp_path.iterdir()) == before
    if behaviour == "deaf":
        assert worker.wait_for("error", id="run 1")["kind"] == "cancelled"


@pytest.mark.slow
def test_the_warm_process_does_not_outlive_a_killed_supervisor(a_worker, a_ct_file, tmp_path):
    worker = a_worker("deaf")
    worker.wait_for("ready")
    worker.send(**analyze_request(a_ct_file, tmp_path / "out"))
    worker.wait_for("progress", stage="segment")
    child = worker.warm_process()
    worker.process.kill()
    child.wait(10)
    assert not child.is_running()
