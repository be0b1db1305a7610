"""One door for masks of every kind: which ROIs or segments were used, and why none could be."""

import numpy as np
import pytest
from ece_core.errors import EmptyMaskError, GeometryError, InputError
from ece_core.geometry import Volume
from ece_core.io import read_lymph_nodes, write_image
from rt_files import write_rtstruct_of
from seg_files import a_ct, a_seg, bent, described, moved, outlines, write_seg


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    return a_ct(tmp_path_factory.mktemp("ct") / "ct")


def test_an_image_file_keeps_its_labels(ct, tmp_path):
    write_image(ct.volume.with_array(outlines(ct) * 3), tmp_path / "mask.nrrd")
    found = read_lymph_nodes(tmp_path / "mask.nrrd", ct)
    assert [node.label for node in found.lymph_nodes] == [3, 6] and found.notes == ()
    np.testing.assert_array_equal(found.volume.array, outlines(ct) * 3)


def test_of_a_seg_the_nodal_segments_are_used_by_components(ct, tmp_path):
    found = read_lymph_nodes(a_seg(tmp_path / "s.dcm", ct, labels=("Parotid", "GTVn")), ct)
    assert [(node.label, node.target) for node in found.lymph_nodes] == [(1, "GTVn"), (2, "GTVn")]
    assert found.notes == ("Taken from segment GTVn: 2 lymph nodes.",)
    np.testing.assert_array_equal(found.volume.array > 0, outlines(ct) == 2)


def test_a_tracked_segment_is_one_lymph_node_in_two_pieces(ct, tmp_path):
    segments = [described(1, "LN1", tracked=True), described(2, "LN2", tracked=True)]
    found = read_lymph_nodes(write_seg(tmp_path / "s.dcm", ct, outlines(ct), segments), ct)
    np.testing.assert_array_equal(found.volume.array, outlines(ct))
    assert found.notes == ("Taken from segment LN1, segment LN2: 2 lymph nodes.",)


def test_segments_can_be_chosen_by_name(ct, tmp_path):
    found = read_lymph_nodes(a_seg(tmp_path / "s.dcm", ct), ct, ["parotid"])
    np.testing.assert_array_equal(found.volume.array > 0, outlines(ct) == 2)


def test_a_name_that_is_no_structures_name_is_not_repeated(ct, tmp_path):
    found = read_lymph_nodes(a_seg(tmp_path / "s.dcm", ct, labels=("GTVn of Jane Doe, born 1950", "b")), ct)
    assert found.notes == ("Taken from segment 1: 1 lymph node.",)


def test_a_nodal_segment_off_the_grid_is_left_out_and_said(ct, tmp_path):
    path = a_seg(tmp_path / "s.dcm", ct, labels=("GTVn_R", "GTVn_L"))
    bent(path, moved((0.4, 0, 0), segment=2))
    found = read_lymph_nodes(path, ct)
    assert len(found.lymph_nodes) == 1
    assert found.notes[1].startswith("Left out: Segment 2: it lies between the voxels of the CT")


def test_all_segments_off_the_grid_is_an_error(ct, tmp_path):
    path = a_seg(tmp_path / "s.dcm", ct)
    bent(path, moved((0.4, 0, 0)))
    with pytest.raises(GeometryError, match="Segment 1: it lies between"):
        read_lymph_nodes(path, ct)


def test_of_an_rtstruct_the_nodal_rois_are_used(ct, tmp_path):
    path = write_rtstruct_of(tmp_path / "rt.dcm", ct, outlines(ct), {1: "Parotid_L", 2: "GTVn"})
    found = read_lymph_nodes(path, ct)
    np.testing.assert_array_equal(found.volume.array > 0, outlines(ct) == 2)
    assert found.notes[0] == "Taken from ROI GTVn: 2 lymph nodes."


def test_rois_can_be_chosen_by_name(ct, tmp_path):
    path = write_rtstruct_of(tmp_path / "rt.dcm", ct, outlines(ct), {1: "Lymphknoten", 2: "links 2"})
    found = read_lymph_nodes(path, ct, ["LINKS 2"])
    np.testing.assert_array_equal(found.volume.array > 0, outlines(ct) == 2)


def test_a_folder_that_holds_one_object(ct, tmp_path):
    (tmp_path / "seg").mkdir()
    a_seg(tmp_path / "seg" / "s.dcm", ct)
    assert len(read_lymph_nodes(tmp_path / "seg", ct).lymph_nodes) == 1


def not_nodal(path, ct):
    return a_seg(path, ct, labels=("GTVp", "PTVn"))


def an_empty_one(path, ct):
    return write_seg(path, ct, outlines(ct), [described(1, "a"), described(2, "b"), described(3, "GTVn")])


def not_nodal_rois(path, ct):
    return write_rtstruct_of(path, ct, outlines(ct), {1: "Parotid_L", 2: "PTV_LN"})


@pytest.mark.parametrize(
    ("write", "names", "error", "words"),
    [
        pytest.param(not_nodal, (), InputError, "None of the 2 ROIs or segments.*GTVn.*--roi", id="no nodal segment"),
        pytest.param(not_nodal_rois, (), InputError, "None of the 2 ROIs or segments.*GTVn.*--roi", id="no nodal ROI"),
        pytest.param(a_seg, ["GTVn", "x"], InputError, "1 of the names given with --roi.*2 ROIs", id="no such name"),
        pytest.param(not_nodal_rois, ["x"], InputError, "1 of the names given with --roi.*2 ROIs", id="no such ROI"),
        pytest.param(an_empty_one, (), EmptyMaskError, "mask is empty.*Outline", id="an empty segment"),
    ],
)
def test_nothing_to_use(ct, tmp_path, write, names, error, words):
    path = write(tmp_path / "m.dcm", ct)
    with pytest.raises(error, match=words):
        read_lymph_nodes(path, ct, names)


def test_another_kind_of_dicom_object(tmp_path):
    ct = a_ct(tmp_path / "ct")
    path = next((tmp_path / "ct").iterdir())
    with pytest.raises(InputError, match="another kind: CT slice.*Choose an RTSTRUCT"):
        read_lymph_nodes(path, ct)
    with pytest.raises(InputError, match="holds 9 DICOM files, not one"):
        read_lymph_nodes(tmp_path / "ct", ct)


def test_names_are_for_dicom_only_and_other_files_are_refused(ct, tmp_path):
    write_image(Volume(outlines(ct), ct.volume.affine), tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match="RTSTRUCT or DICOM SEG only.*--roi"):
        read_lymph_nodes(tmp_path / "mask.nii.gz", ct, ["GTVn"])
    (tmp_path / "mask.txt").write_text("?")
    with pytest.raises(InputError, match="of a kind that is not read here"):
        read_lymph_nodes(tmp_path / "mask.txt", ct)
    with pytest.raises(InputError, match="does not exist"):
        read_lymph_nodes(tmp_path / "absent.nii.gz", ct)
