"""Killed, interrupted, terminated: no half result, and the next run works."""

import random
import shutil
import signal
import time

import pytest
from ece_core.export.result import read_result
from ece_core.export.seg_nrrd import read_seg_nrrd

FILES = {
    "result.json",
    "lymph_nodes.seg.nrrd",
    "lymph_nodes.csv",
    "report.html",
    "heatmaps/gradcam.nrrd",
    "heatmaps/guided-backprop.nrrd",
}


def assert_whole(folder):
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == FILES
    assert len(read_result(folder).lymph_nodes) == 2
    instances, segments = read_seg_nrrd(folder / "lymph_nodes.seg.nrrd")
    assert len(segments) == 2 and instances.array.max() == 2


@pytest.mark.slow
def test_killed_at_ten_random_moments_no_half_result_is_left(start_ece, a_ct_file, tmp_path):
    place = tmp_path / "results"
    place.mkdir()
    whole_run = start_ece("analyze", a_ct_file, place / "whole", "--json")
    assert whole_run.wait() == 0, whole_run.said()
    lines = whole_run.said().count("\n")
    assert_whole(place / "whole")

    generator = random.Random(2)
    out, killed, leftovers, tries = place / "out", 0, 0, 0
    while killed < 10 or leftovers < 1:  # a run that had ended before the signal came does not count
        tries += 1
        assert tries <= 60, "the signals keep missing the runs"
        run = start_ece("analyze", a_ct_file, out, "--json")
        # Between two lines it says, not after some seconds: on a busy machine a run can take a hundred times as long.
        run.wait_until_it_says("\n", times=generator.randrange(lines))
        time.sleep(generator.uniform(0, 0.03))
        killed += run.kill() == -signal.SIGKILL
        leftovers += len(list(place.glob(".out.partial-*")))
        if out.exists():
            assert_whole(out)
            shutil.rmtree(out)

    last = start_ece("analyze", a_ct_file, out)
    assert last.wait() == 0, last.said()
    assert_whole(out)
    assert sorted(path.name for path in place.iterdir()) == ["out", "whole"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_so_and_leaves_nothing(number, start_ece, a_ct_file, tmp_path):
    before = sorted(tmp_path.iterdir())
    run = start_ece("analyze", a_ct_file, tmp_path / "out", "--json", segmentation_s=600)
    run.wait_until_it_says('"stage": "segment"')
    run.signal(number)
    assert run.wait() == 3
    assert "The run was cancelled." in run.said() and '"kind": "cancelled"' in run.said()
    assert sorted(tmp_path.iterdir()) == before
