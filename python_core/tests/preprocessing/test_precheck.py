"""What is said of a scan before it is analyzed: each remark by a scan that deserves it, none by one that does not."""

import numpy as np
import pytest
from drawn_head import a_head_scan
from ece_core.geometry import Volume
from ece_core.pipeline.expected_time import BENCH_LITERS, expected_seconds, liters
from ece_core.pipeline.run import COARSEST_MM as OF_THE_PIPELINE
from ece_core.preprocessing.precheck import COARSEST_MM, NECK_MM, precheck


@pytest.fixture(scope="module")
def scan():
    """Head and shoulders, 256 mm high, on 4 mm."""
    return a_head_scan()


def words(ct, modality=None):
    return [remark.words for remark in precheck(ct, modality)]


def said(remarks, text):
    return any(text in remark for remark in remarks)


def with_affine(scan, change):
    return Volume(scan.array, change @ scan.affine)


def test_a_good_scan_gets_no_remark(scan):
    assert ["4.0 x 4.0 x 4.0 mm" in remark for remark in words(scan)] == [True], "it is coarse, and nothing else"


def test_another_modality_stops(scan):
    (remark,) = precheck(scan, "MR")
    assert remark.stops and remark.words == "The volume is of modality MR, not CT."
    assert "contrast CT of the neck" in remark.fix and not said(words(scan, "CT"), "modality")


def test_thick_slices_are_remarked_on_by_their_size(scan):
    affine = scan.affine.copy()
    affine[:3, :3] = np.diag([1.0, 1.0, 5.0])
    assert "The voxels measure 1.0 x 1.0 x 5.0 mm; beyond 3 mm small lymph nodes are missed" in words(
        Volume(scan.array, affine))[0]  # fmt: skip
    affine[:3, :3] = np.diag([1.0, 1.0, 3.0])
    assert not said(words(Volume(scan.array, affine)), "voxels measure")
    assert COARSEST_MM == OF_THE_PIPELINE


def test_values_that_are_no_hu_are_remarked_on(scan):
    assert said(words(scan.with_array(scan.array.clip(0))), "probably not Hounsfield units")


def test_air_alone_stops(scan):
    (remark,) = [r for r in precheck(scan.with_array(np.full_like(scan.array, -1000))) if r.stops]
    assert "There is no body in this scan" in remark.words


def test_a_scan_that_is_too_short_says_how_long_it_is(scan):
    few = int(60 / scan.spacing_mm[0])
    assert said(words(scan.crop((20, 0, 0), (20 + few, *scan.shape[1:]))), "mm long; a neck takes about 235 mm")
    assert NECK_MM == 235


def test_a_scan_without_shoulders_may_lack_part_of_the_neck(scan):
    head = scan.crop((scan.shape[0] // 2, 0, 0), scan.shape)
    assert said(words(head), "Nose and shoulders are not both in the scan") or said(words(head), "mm long")


def test_slices_that_are_not_axial_are_turned_and_that_is_said(scan):
    turned = Volume(scan.array.transpose(2, 0, 1), scan.affine[:, [1, 2, 0, 3]])
    assert said(words(turned), "The slices are not axial; the analysis turns them.")


@pytest.mark.parametrize(("degrees", "is_said"), [(5, False), (15, True)])
def test_a_tilt_is_told_in_degrees(scan, degrees, is_said):
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert said(words(with_affine(scan, turn)), f"by {degrees} degrees") is is_said


# About how long it takes


def test_the_benchs_own_scan_takes_what_the_bench_measured():
    scan = liters((160, 512, 512), (1.25, 0.49, 0.49))
    assert scan == pytest.approx(BENCH_LITERS, rel=0.01)
    assert expected_seconds("analyze", "cpu", scan) == pytest.approx(23.6, rel=0.02)
    assert expected_seconds("segment", "cpu", scan) < expected_seconds("analyze", "cpu", scan)


def test_a_measured_rate_goes_before_the_benchs_and_a_gpu_that_nobody_measured_has_none():
    assert expected_seconds("analyze", "cpu", 10.0, measured=2.0) == 20.0
    assert expected_seconds("analyze", "cuda:0", 10.0) is None
    assert expected_seconds("analyze", "cuda:0", 10.0, measured=0.5) == 5.0


def test_of_a_whole_body_scan_only_the_neck_counts():
    assert liters((1000, 500, 500), (1.0, 1.0, 1.0)) == pytest.approx(235 * 500 * 500 / 1e6)
