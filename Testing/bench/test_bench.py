"""The harness of `make bench`, at sizes that mean nothing; no test here judges a time."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

BENCH = Path(__file__).parents[2] / "bench"
KEYS = {"name", "ours", "peer", "peer_name", "ratio", "unit", "settings", "machine", "date"}


@pytest.fixture
def bench(monkeypatch):
    """The harness's modules, importable as they are when it runs."""
    monkeypatch.syspath_prepend(str(BENCH))


def run_bench(*arguments):
    return subprocess.run(
        [sys.executable, str(BENCH / "bench.py"), *arguments], capture_output=True, text=True, timeout=600
    )


def test_a_case_adds_its_row_to_the_results_and_prints_the_table(tmp_path):
    file = tmp_path / "results.json"
    file.write_text('[{"name": "an earlier row"}]')
    done = run_bench("--tiny", "--only", "simulate_patch", "--results", str(file))
    assert done.returncode == 0, done.stderr
    earlier, row = json.loads(file.read_text())
    assert earlier == {"name": "an earlier row"}
    assert set(row) == KEYS
    assert (row["name"], row["unit"], row["peer"], row["ratio"]) == ("simulate_patch", "s", None, None)
    assert row["ours"] > 0 and row["settings"]["threads"] == 1 and row["machine"]["cores"] >= 1
    assert "simulate_patch" in done.stdout and "the figures mean nothing" in done.stdout


def test_what_is_written_as_dicom_is_timed_one_object_at_a_time(tmp_path):
    names = ["dicom_write_seg", "dicom_write_sr", "dicom_write_pm", "dicom_write_rtstruct"]
    done = run_bench("--tiny", "--only", ",".join(names), "--results", str(tmp_path / "results.json"))
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [row["name"] for row in rows] == names
    assert all(row["ours"] > 0 and row["settings"]["lymph_nodes"] == 3 for row in rows)


def test_maps_are_compared_with_peers_that_give_the_same_map(tmp_path):
    names = ["gradcam_plain", "gbp_exact", "gbp_sample", "gradcam_voxel", "euler_profile"]
    done = run_bench("--tiny", "--only", ",".join(names), "--results", str(tmp_path / "results.json"))
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results.json").read_text())
    assert {row["name"] for row in rows} == set(names)
    apart = [row["settings"].get("largest_difference_of_maximum", {}) for row in rows]
    assert sum(map(len, apart)) >= 8 and all(value <= 1e-3 for each in apart for value in each.values())


def test_an_unknown_name_is_refused_with_the_names_there_are():
    done = run_bench("--only", "nonsense")
    assert done.returncode == 2
    assert "There is no benchmark named 'nonsense'. Choose from analyze_cpu, dicom_read" in done.stderr


def test_tiny_figures_never_reach_the_published_results(tmp_path):
    published = BENCH / "results.json"
    before = published.read_bytes() if published.exists() else None
    assert run_bench("--tiny", "--only", "simulate_patch").returncode == 0
    assert (published.read_bytes() if published.exists() else None) == before


def test_the_ratio_says_how_many_times_less_ours_is(bench):
    from registry import Row

    assert Row(2.0, peer=6.0, peer_name="theirs").ratio == 3.0
    assert Row(2.0).ratio is None


def test_the_memory_of_children_counts(bench):
    from process_tree import run

    child = "x = bytearray(200 * 2**20); import time; time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    own = psutil.Process().memory_info().rss  # for an instant before exec, a new process has its parent's size
    assert 200 * 2**20 < run([sys.executable, "-c", parent], threads=1).peak_bytes < 400 * 2**20 + own


def test_a_program_gets_no_gpu_and_its_number_of_threads_and_cores(bench):
    from process_tree import run

    check = "import os; assert (os.environ['CUDA_VISIBLE_DEVICES'], os.environ['OMP_NUM_THREADS']) == ('', '1')"
    slow_start = "import time; time.sleep(0.5)"  # the cores are set just after the start
    cores = "assert not hasattr(os, 'sched_getaffinity') or len(os.sched_getaffinity(0)) == 1"
    run([sys.executable, "-c", f"{check}; {slow_start}; {cores}"], threads=1)


def test_a_program_that_fails_is_not_timed(bench):
    from process_tree import run

    with pytest.raises(RuntimeError, match="exit code 3:\nwhat went wrong"):
        run([sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"], threads=1)


def test_turns_are_taken_and_the_warm_up_is_not_kept(bench):
    from timing import in_turns

    calls = []
    seconds = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert [len(values) for values in seconds.values()] == [2, 2]
