"""The command line: exit codes, words, tables, JSON lines."""

import errno
import json
import re

import pytest
from ece_core import RESEARCH_USE_ONLY
from ece_core.cli.main import main
from ece_core.export.result import read_result
from ece_core.io import write_image
from ece_core.pipeline.stages import STAGES
from fake_networks import a_neck_ct, install


def test_analyze_prints_table_report_and_next_steps(ece, a_ct_file, tmp_path):
    said = ece("analyze", a_ct_file, tmp_path / "out")
    assert said.code == 0
    rows = [line for line in said.out.splitlines() if re.match(r"LN\d", line)]
    assert [re.search(r"\d\.\d\d", row).group() for row in rows] == ["0.40", "0.20"]  # most suspicious first
    assert "Patient: ECE probability 0.40 (max of 2 lymph nodes); noisy-or 0.52, ene-count 0." in said.out
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in said.out
    assert "Next steps:" in said.out and RESEARCH_USE_ONLY in said.out


def test_without_a_terminal_progress_is_one_plain_line_a_stage(ece, a_ct_file, tmp_path):
    said = ece("analyze", a_ct_file, tmp_path / "out")
    lines = [line for line in said.err.splitlines() if "%" in line]
    assert len(lines) == len(STAGES) and lines[0] == "Read the CT (0 %)" and "\r" not in said.err


def test_on_a_terminal_progress_is_a_bar(monkeypatch, ece, a_ct_file, tmp_path):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    said = ece("analyze", a_ct_file, tmp_path / "out")
    assert re.search(r"\r\[#*\.+\] Find lymph nodes +\d+ %", said.err)
    assert re.search(r"\r\[#{24}\] Write the result +100 %", said.err) and said.err.endswith("\n")


def test_json_lines_are_the_workers_words(ece, a_ct_file, tmp_path):
    said = ece("analyze", a_ct_file, tmp_path / "out", "--json")
    *progress, result = said.events
    assert result == {"event": "result", "id": None, "folder": str(tmp_path / "out")}
    assert {event["event"] for event in progress} == {"progress"}
    assert {"stage", "title", "fraction", "elapsed_s", "remaining_s"} <= set(progress[0])


def test_options_reach_the_analysis(ece, a_ct_file, tmp_path):
    assert ece("analyze", a_ct_file, tmp_path / "a", "--explain", "none").code == 0
    assert read_result(tmp_path / "a").heatmaps == ()
    assert ece("analyze", a_ct_file, tmp_path / "b", "--explain", "gradcam").code == 0
    assert [entry["method"] for entry in read_result(tmp_path / "b").heatmaps] == ["gradcam"]


def test_full_search_is_a_switch(ece, a_ct_file, tmp_path):
    assert ece("segment", a_ct_file, tmp_path / "a").code == 0
    assert ece("segment", a_ct_file, tmp_path / "b", "--full-search").code == 0
    assert [read_result(tmp_path / name).search["mode"] for name in "ab"] == ["fast", "full"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["analyze"], "options are wrong.*CT, OUT.*--help", id="no arguments"),
        pytest.param(["brew"], "options are wrong.*--help", id="unknown command"),
        pytest.param(["analyze", "CT", "OUT", "--explain", "lime"], "no explanation method.*gradcam", id="method"),
        pytest.param(["analyze", "CT", "OUT", "--patient-model", "x"], "no patient model.*noisy-or", id="patient"),
        pytest.param(["analyze", "CT", "OUT", "--models", "ABSENT"], "--models does not exist", id="models folder"),
        pytest.param(["analyze", "ABSENT", "OUT"], "", id="no such CT"),
        pytest.param(["explain", "CT", "ABSENT", "--method", "gradcam"], "not a whole result", id="no result"),
        pytest.param(["export", "ABSENT", "--to", "csv", "--out", "OUT"], "not a whole result", id="export nothing"),
        pytest.param(["simulate", "OUT", "--jobs", "0"], "--jobs is 0", id="no jobs"),
        pytest.param(["train", "cooking", "ABSENT"], "no training task", id="training task"),
        pytest.param(["models", "import", "ABSENT"], "file or folder does not exist", id="no bundle"),
        pytest.param(["models", "remove", "nobody"], "no model with this name", id="no such model"),
    ],
)
def test_wrong_input_is_code_2_with_problem_and_fix_and_nothing_written(arguments, words, ece, a_ct_file, tmp_path):
    places = {"CT": a_ct_file, "OUT": tmp_path / "out", "ABSENT": tmp_path / "DOE_JANE"}
    before = sorted(tmp_path.rglob("*"))
    said = ece(*[places.get(argument, argument) for argument in arguments])
    assert said.code == 2
    problem, fix = said.err.splitlines()[-2:]
    assert problem and fix and re.search(words, f"{problem} {fix}")
    assert "DOE" not in said.err and said.out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_errors_as_json_too(ece, a_ct_file, tmp_path):
    said = ece("analyze", a_ct_file, tmp_path / "out", "--explain", "lime", "--json")
    (event,) = said.events
    assert event["event"] == "error" and event["kind"] == "input" and event["problem"] in said.err


def test_an_unexpected_failure_is_code_3_its_kind_kept_and_no_names(monkeypatch, ece, a_ct_file, tmp_path):
    def broken(*arguments):
        raise ValueError("DOE^JANE in /scans/DOE_JANE")

    install(monkeypatch.setattr, segment=broken)
    said = ece("analyze", a_ct_file, tmp_path / "out")
    assert said.code == 3 and not (tmp_path / "out").exists()
    assert "The run failed unexpectedly (ValueError)." in said.err and "ECE_DEBUG=1" in said.err
    assert "broken, line" in said.err and "DOE" not in said.err


def test_the_full_cause_is_shown_when_asked_for(monkeypatch, ece, a_ct_file, tmp_path):
    def broken(*arguments):
        raise ValueError("shape (3, 4)")

    monkeypatch.setenv("ECE_DEBUG", "1")
    install(monkeypatch.setattr, segment=broken)
    assert "ValueError: shape (3, 4)" in ece("analyze", a_ct_file, tmp_path / "out").err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(MemoryError(), "Memory ran out", id="memory"),
        pytest.param(OSError(errno.ENOSPC, "full"), "disk.*full", id="disk"),
        pytest.param(PermissionError(errno.EACCES, "no"), "may not be read or written", id="permission"),
    ],
)
def test_failures_that_a_user_can_mend(error, words, monkeypatch, ece, a_ct_file, tmp_path):
    def failing(*arguments):
        raise error

    install(monkeypatch.setattr, heatmaps=failing)
    said = ece("analyze", a_ct_file, tmp_path / "out")
    assert said.code == 3 and re.search(words, said.err) and not (tmp_path / "out").exists()


def test_nothing_found_is_said(ece, tmp_path):
    write_image(a_neck_ct(lymph_nodes=()), tmp_path / "empty.nii.gz")
    said = ece("analyze", tmp_path / "empty.nii.gz", tmp_path / "out")
    assert said.code == 0
    assert "No lymph node was found." in said.out and "does not mean that there is none" in said.out
    assert "Patient: no ECE probability." in said.out


def test_segment_classify_explain_export_work_on_each_others_files(ece, a_ct_file, tmp_path):
    assert ece("segment", a_ct_file, tmp_path / "found").code == 0
    mask = tmp_path / "found" / "lymph_nodes.seg.nrrd"
    said = ece("classify", a_ct_file, mask, tmp_path / "classed")
    assert said.code == 0 and "0.52" in said.out
    said = ece("explain", a_ct_file, tmp_path / "classed", "--method", "gradcam", "--node", "LN1", "--json")
    assert said.code == 0 and said.events[-1]["file"].endswith("gradcam-LN1.nrrd")
    said = ece("explain", a_ct_file, tmp_path / "classed", "--method", "gradcam", "--layer", "../x")
    assert said.code == 2 and "cannot be the name of a layer" in said.err
    said = ece("export", tmp_path / "classed", "--to", "csv,html", "--out", tmp_path / "exported")
    assert said.code == 0
    assert {path.name for path in (tmp_path / "exported").iterdir()} == {"lymph_nodes.csv", "report.html"}
    again = ece("export", tmp_path / "classed", "--to", "csv", "--out", tmp_path / "exported")
    assert again.code == 2 and "already holds lymph_nodes.csv" in again.err


def test_faithfulness_of_an_analysis_is_in_the_result(ece, a_ct_file, tmp_path):
    assert ece("analyze", a_ct_file, tmp_path / "out", "--explain", "gradcam", "--faithfulness").code == 0
    (heatmap,) = json.loads((tmp_path / "out" / "result.json").read_text())["heatmaps"]
    assert heatmap["faithfulness"]["LN1"]["deletion_area"] == 0.2


def test_export_of_a_seg_that_is_not_there_writes_nothing(ece, a_ct_file, tmp_path):
    ece("analyze", a_ct_file, tmp_path / "out", "--explain", "none")
    said = ece("export", tmp_path / "out", "--to", "csv,seg", "--out", tmp_path / "exported")
    assert said.code == 2 and "no DICOM SEG" in said.err and not (tmp_path / "exported").exists()


def test_version_and_help_need_no_torch(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out.startswith("ece ")


def test_doctor_finds_what_is_missing(ece, monkeypatch):
    from importlib import metadata

    def without_monai(name):
        if name in ("monai", "pynetdicom"):
            raise metadata.PackageNotFoundError
        return metadata.version(name)

    monkeypatch.setattr("ece_core.cli.doctor.version", without_monai)
    said = ece("doctor", "--json")
    assert said.code == 0
    findings = {event["name"]: event for event in said.events if event["event"] == "finding"}
    assert findings["numpy"]["fix"] == "" and findings["monai"]["found"] == "not installed"
    assert "pip install" in findings["monai"]["fix"]
    assert 'pip install "ece-core[pacs]"' in findings["PACS"]["found"] and findings["PACS"]["fix"] == ""
    assert "JPEG lossless (" in findings["DICOM compressions"]["found"]
    assert {"Python", "memory", "device", "DICOM compressions", "model segmentation"} <= set(findings)
    assert said.events[-1]["missing"] >= 1


def test_doctor_survives_a_broken_installation(ece, monkeypatch):
    def broken(name):
        raise ImportError

    monkeypatch.setattr("ece_core.pipeline.networks.choose_device", broken)
    said = ece("doctor")
    assert said.code == 0 and "broken (ImportError)" in said.out


@pytest.fixture
def a_bundle_folder(tmp_path, monkeypatch):
    """A bundle whose weights are a few bytes: import and verify only look at their SHA-256."""
    import hashlib

    monkeypatch.setenv("ECE_MODELS", str(tmp_path / "my models"))
    folder = tmp_path / "download"
    folder.mkdir()
    weights = (2).to_bytes(8, "little") + b"{}"  # a safetensors file without tensors
    (folder / "weights.safetensors").write_bytes(weights)
    (folder / "setup.py").write_text("print('never copied')")
    keys = ("architecture", "arguments", "input", "labels", "training_data", "metrics", "license", "intended_use")
    card = dict.fromkeys(keys, "x") | {"schema": "ece-model/1", "name": "tiny", "version": "1", "task": "x"}
    card["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def test_models_are_imported_listed_verified_and_removed(ece, a_bundle_folder, tmp_path):
    assert ece("models", "import", a_bundle_folder).code == 0
    mine = tmp_path / "my models" / "tiny"
    assert {path.name for path in mine.iterdir()} == {"model.json", "weights.safetensors"}
    listed = ece("models", "list", "--json").events
    assert [event["whose"] for event in listed if event["name"] == "tiny"] == ["yours"]
    assert "tiny 1: the weights are those" in ece("models", "verify", "tiny").out
    assert "already have a model named tiny" in ece("models", "import", a_bundle_folder).err
    assert ece("models", "remove", "tiny").code == 0
    assert not mine.exists()


def test_a_bundle_that_was_changed_is_not_imported(ece, a_bundle_folder, tmp_path):
    (a_bundle_folder / "weights.safetensors").write_bytes(b"other weights")
    said = ece("models", "import", a_bundle_folder)
    assert said.code == 2 and "not those of its card" in said.err
    assert not (tmp_path / "my models").exists()


@pytest.mark.parametrize("name", ["../tiny", ".tiny", "", "a/b"])
def test_a_bundle_whose_name_leaves_the_folder(name, ece, a_bundle_folder, tmp_path):
    card = json.loads((a_bundle_folder / "model.json").read_text())
    (a_bundle_folder / "model.json").write_text(json.dumps(card | {"name": name}))
    said = ece("models", "import", a_bundle_folder)
    assert said.code == 2 and "cannot be a folder name" in said.err
    assert not (tmp_path / "my models").exists()
