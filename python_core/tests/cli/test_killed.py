"""Killed, interrupted, terminated: no half result, and the next run works."""

import random
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
    whole_run = start_ece("analyze", a_ct_file, place / "whole")
    assert whole_run.wait() == 0, whole_run.said()
    seconds = time.monotonic() - whole_run.started
    assert_whole(place / "whole")

    generator = random.Random(2)
    killed, leftovers = 0, 0
    for number in range(10):
        out = place / f"out{number}"
        run = start_ece("analyze", a_ct_file, out)
        time.sleep(generator.uniform(0, seconds))
        killed += run.kill() == -signal.SIGKILL
        if out.exists():
            assert_whole(out)
        leftovers += len(list(place.glob(f".{out.name}.partial-*")))
        again = start_ece("analyze", a_ct_file, out)
        code = again.wait()
        assert (code == 2 and "already holds a result" in again.said()) or code == 0, again.said()
        assert_whole(out)
        assert not list(place.glob(f".{out.name}.partial-*"))
    assert killed >= 5 and leftovers >= 1  # the moments did fall into runs that were under way


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_so_and_leaves_nothing(number, start_ece, a_ct_file, tmp_path):
    before = sorted(tmp_path.iterdir())
    run = start_ece("analyze", a_ct_file, tmp_path / "out", "--json", segmentation_s=600)
    run.wait_until_it_says('"stage": "segment"')
    run.signal(number)
    assert run.wait() == 3
    assert "The run was cancelled." in run.said() and '"kind": "cancelled"' in run.said()
    assert sorted(tmp_path.iterdir()) == before
