"""`ece classify CT MASK OUT` with the masks that a hospital has: RTSTRUCT and DICOM SEG."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ece_core.export.result import read_result
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.io import read_ct, write_ct_series
from fake_networks import a_neck_ct

sys.path.insert(0, str(Path(__file__).parents[1] / "io"))
from rt_files import write_rtstruct_of
from seg_files import described, write_seg


@pytest.fixture
def ct_folder(tmp_path):
    write_ct_series(a_neck_ct(), tmp_path / "ct", seed=5)
    return tmp_path / "ct"


def balls(scan):
    """The bright balls of the CT: 1 (400 HU), 2 (200 HU)."""
    return np.select([scan.volume.array == 400, scan.volume.array == 200], [1, 2], 0).astype(np.uint8)


def a_seg(path, ct_folder, labels):
    scan = read_ct(ct_folder)
    return write_seg(path, scan, balls(scan), [described(n, label) for n, label in enumerate(labels, start=1)])


def an_rtstruct(path, ct_folder, labels):
    scan = read_ct(ct_folder)
    return write_rtstruct_of(path, scan, balls(scan), dict(enumerate(labels, start=1)))


@pytest.mark.parametrize("write", [a_seg, an_rtstruct])
def test_the_lymph_nodes_of_a_dicom_mask_are_classified_and_their_source_said(ece, ct_folder, tmp_path, write):
    mask = write(tmp_path / "mask.dcm", ct_folder, ("Parotid_R", "GTVn_L"))
    said = ece("classify", ct_folder, mask, tmp_path / "out")
    assert said.code == 0, said.err
    assert "GTVn_L: 1 lymph node." in said.out and "Parotid" not in said.out
    (lymph_node,) = read_result(tmp_path / "out").lymph_nodes
    assert lymph_node.ece_probability == pytest.approx(0.2) and lymph_node.source == "MANUAL"
    instances, _ = read_seg_nrrd(tmp_path / "out" / "lymph_nodes.seg.nrrd")
    np.testing.assert_array_equal(instances.array, balls(read_ct(ct_folder)) == 2)


@pytest.mark.parametrize("write", [a_seg, an_rtstruct])
def test_rois_are_chosen_by_name(ece, ct_folder, tmp_path, write):
    mask = write(tmp_path / "mask.dcm", ct_folder, ("LK links", "LK rechts"))
    said = ece("classify", ct_folder, mask, tmp_path / "out", "--roi", "LK links", "--roi", "LK rechts")
    assert said.code == 0, said.err
    assert len(read_result(tmp_path / "out").lymph_nodes) == 2


@pytest.mark.parametrize("write", [a_seg, an_rtstruct])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param([], "None of the 2 ROIs or segments of the mask is named like lymph nodes", id="none matches"),
        pytest.param(["--roi", "GTVn"], "1 of the names given with --roi", id="no such name"),
    ],
)
def test_no_match_is_code_2_and_nothing_written(ece, ct_folder, tmp_path, write, options, words):
    mask = write(tmp_path / "mask.dcm", ct_folder, ("DOE_JANE", "GTVp"))
    before = sorted(tmp_path.rglob("*"))
    said = ece("classify", ct_folder, mask, tmp_path / "out", *options)
    assert said.code == 2 and words in said.err and "DOE" not in said.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("write", [a_seg, an_rtstruct])
def test_a_mask_of_another_scan_is_code_2(ece, ct_folder, tmp_path, write):
    write_ct_series(a_neck_ct(), tmp_path / "other", seed=6)
    mask = write(tmp_path / "mask.dcm", tmp_path / "other", ("GTVn", "b"))
    said = ece("classify", ct_folder, mask, tmp_path / "out")
    assert said.code == 2 and "frame of reference" in said.err and not (tmp_path / "out").exists()


def test_our_own_seg_comes_back_as_it_was(ece, ct_folder, tmp_path):
    assert ece("analyze", ct_folder, tmp_path / "first", "--explain", "none").code == 0
    said = ece("classify", ct_folder, tmp_path / "first" / "dicom" / "seg.dcm", tmp_path / "second")
    assert said.code == 0 and ": 2 lymph nodes." in said.out, said.err
    first, second = (read_seg_nrrd(tmp_path / name / "lymph_nodes.seg.nrrd")[0].array for name in ("first", "second"))
    np.testing.assert_array_equal(first, second)
