"""Lymph nodes to contours and back: every voxel, in every orientation; and what else the file says."""

import copy
from datetime import datetime

import numpy as np
import pytest
from a_structure_set import DIRECTIONS, NAMES, a_ct, three_lymph_nodes, written
from ece_core.errors import EmptyMaskError, GeometryError, InputError
from ece_core.geometry import Volume
from ece_core.io.quiet import quiet
from ece_core.io.rtstruct import read_rtstruct, write_rtstruct
from ece_core.io.rtstruct_rasterizer import even_odd
from ece_core.io.rtstruct_writer import half_level_contours
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydicom import Dataset, dcmread

NOON = datetime(2026, 1, 2, 12, 0, 0)


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    return a_ct(tmp_path_factory.mktemp("ct"))


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=list(DIRECTIONS))
def test_what_is_written_is_read_back_voxel_by_voxel(tmp_path, direction):
    ct = a_ct(tmp_path / "ct", direction)
    instances = three_lymph_nodes(ct)
    structure_set = read_rtstruct(written(tmp_path, ct), ct)
    assert {roi.number: roi.name for roi in structure_set.rois} == NAMES
    for roi in structure_set.rois:
        assert roi.error is None
        assert roi.one_lymph_node
        assert roi.mask.same_grid(ct.volume)
        np.testing.assert_array_equal(roi.mask.array, instances.array == roi.number)
    assert structure_set.warnings == ()


@given(arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 8))))
@settings(max_examples=100, deadline=None)
def test_half_level_contours_fill_to_the_mask_that_they_were_drawn_around(mask):
    np.testing.assert_array_equal(even_odd(half_level_contours(mask), mask.shape), mask)


def test_a_single_voxel_is_a_diamond_of_half_its_area():
    (contour,) = half_level_contours(np.array([[True]]))
    assert sorted(map(tuple, contour.tolist())) == [(-0.5, 0.0), (0.0, -0.5), (0.0, 0.5), (0.5, 0.0)]


def test_voxels_that_touch_by_a_corner_have_contours_of_their_own():
    assert len(half_level_contours(np.eye(3, dtype=bool))) == 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, ct):
    return dcmread(written(tmp_path_factory.mktemp("rt"), ct))


def test_it_belongs_to_the_study_and_refers_to_every_slice(dataset, ct):
    first = ct.headers[0]
    assert (dataset.StudyInstanceUID, dataset.PatientID) == (first.StudyInstanceUID, first.PatientID)
    assert dataset.SeriesInstanceUID != first.SeriesInstanceUID
    (frame,) = dataset.ReferencedFrameOfReferenceSequence
    assert frame.FrameOfReferenceUID == dataset.FrameOfReferenceUID == first.FrameOfReferenceUID
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert [image.ReferencedSOPInstanceUID for image in series.ContourImageSequence] == [
        header.SOPInstanceUID for header in ct.headers
    ]


def test_each_contour_lies_on_the_slice_that_it_names(dataset, ct):
    position = {header.SOPInstanceUID: header.ImagePositionPatient[2] for header in ct.headers}
    contours = [contour for roi in dataset.ROIContourSequence for contour in roi.ContourSequence]
    assert len(contours) > 10
    for contour in contours:
        assert contour.ContourGeometricType == "CLOSED_PLANAR"
        assert contour.NumberOfContourPoints == len(contour.ContourData) / 3
        assert set(contour.ContourData[2::3]) == {position[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]}
        assert max(len(str(value)) for value in contour.ContourData) <= 16  # a DICOM decimal string


def test_each_roi_says_that_software_drew_one_lymph_node_for_research(dataset):
    assert dataset.ApprovalStatus == "UNAPPROVED"
    assert "Research use only. Not a medical device." in dataset.StructureSetDescription
    assert "Research use only" in dataset.SeriesDescription
    for roi, observation in zip(dataset.StructureSetROISequence, dataset.RTROIObservationsSequence, strict=True):
        assert roi.ROIGenerationAlgorithm == "AUTOMATIC"
        assert roi.ROIDescription.startswith("One lymph node.")
        assert (observation.ReferencedROINumber, observation.RTROIInterpretedType) == (roi.ROINumber, "")


def test_no_more_of_the_patient_is_copied_than_an_object_of_the_study_must_repeat(tmp_path, ct):
    headers = [copy_with(header, PatientAddress="ZZMARKED", StudyDescription="ZZMARKED") for header in ct.headers]
    write_rtstruct(tmp_path / "rt.dcm", three_lymph_nodes(ct), NAMES, headers)
    assert b"ZZMARKED" not in (tmp_path / "rt.dcm").read_bytes()


@pytest.mark.parametrize("name", ["Müller^Jürgen", "Yamada^Tarou=山田^太郎=やまだ^たろう"])
def test_a_name_in_any_script_survives(tmp_path, ct, name):
    headers = [copy_with(header, SpecificCharacterSet="ISO_IR 192", PatientName=name) for header in ct.headers]
    assert write_rtstruct(tmp_path / "rt.dcm", three_lymph_nodes(ct), NAMES, headers) == ()
    assert str(dcmread(tmp_path / "rt.dcm").PatientName) == name


def test_malformed_elements_of_the_ct_are_left_empty_and_named_without_their_values(tmp_path, ct):
    with quiet():
        headers = [copy_with(header, PatientBirthDate="about 1950", PatientSex="X") for header in ct.headers]
    (note,) = write_rtstruct(tmp_path / "rt.dcm", three_lymph_nodes(ct), NAMES, headers)
    assert "left empty in the RT Structure Set: PatientBirthDate, PatientSex" in note
    assert "1950" not in note
    assert dcmread(tmp_path / "rt.dcm").PatientBirthDate == ""


def test_the_same_input_at_the_same_time_writes_the_same_bytes_and_any_other_another_uid(tmp_path, ct):
    instances = three_lymph_nodes(ct)
    moved = instances.with_array(np.roll(instances.array, 1, axis=2))
    paths = [tmp_path / f"{n}.dcm" for n in range(4)]
    write_rtstruct(paths[0], instances, NAMES, ct.headers, created=NOON)
    write_rtstruct(paths[1], instances, NAMES, ct.headers, created=NOON)
    write_rtstruct(paths[2], moved, NAMES, ct.headers, created=NOON)
    write_rtstruct(paths[3], instances, NAMES | {1: "LN1"}, ct.headers, created=NOON)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len({dcmread(path).SOPInstanceUID for path in paths}) == 3


def test_no_lymph_node_is_no_structure_set(tmp_path, ct):
    empty = ct.volume.with_array(np.zeros(ct.volume.shape, np.uint8))
    with pytest.raises(EmptyMaskError, match="no lymph node to write.*Write no RT Structure Set"):
        write_rtstruct(tmp_path / "rt.dcm", empty, {}, ct.headers)


def test_a_name_without_voxels_is_refused(tmp_path, ct):
    with pytest.raises(EmptyMaskError, match="Lymph node 5 has no voxel"):
        write_rtstruct(tmp_path / "rt.dcm", three_lymph_nodes(ct), NAMES | {5: "LN5"}, ct.headers)


def test_a_label_without_a_name_is_a_programmers_mistake(tmp_path, ct):
    with pytest.raises(ValueError, match=r"names lacks the labels \[7\]"):
        write_rtstruct(tmp_path / "rt.dcm", three_lymph_nodes(ct), {1: "a", 2: "b"}, ct.headers)


def test_headers_of_another_grid_are_refused(tmp_path, ct):
    instances = three_lymph_nodes(ct)
    shifted = Volume(instances.array, instances.affine + np.eye(4, k=3) * 0.5)
    with pytest.raises(GeometryError, match="not on the grid of the DICOM series.*headers of the CT series"):
        write_rtstruct(tmp_path / "rt.dcm", shifted, NAMES, ct.headers)
    with pytest.raises(GeometryError, match="not on the grid"):
        write_rtstruct(tmp_path / "rt.dcm", instances, NAMES, ct.headers[::-1])
    with pytest.raises(GeometryError, match="There are 9 DICOM slices, but the segmentation has 10"):
        write_rtstruct(tmp_path / "rt.dcm", instances, NAMES, ct.headers[1:])


def test_headers_without_a_frame_of_reference_are_refused(tmp_path, ct):
    headers = [copy_with(header, FrameOfReferenceUID="") for header in ct.headers]
    with pytest.raises(InputError, match="headers lack FrameOfReferenceUID.*Export the CT series again"):
        write_rtstruct(tmp_path / "rt.dcm", three_lymph_nodes(ct), NAMES, headers)


@pytest.mark.parametrize("name", ["ZZMARKED" * 9, "ZZMARKED\\left", "ZZMARKED\n", " ", ""])
def test_a_name_that_dicom_forbids_is_refused_without_repeating_it(tmp_path, ct, name):
    with pytest.raises(InputError, match="name of lymph node 1 cannot be an ROI name.*plainer name") as raised:
        write_rtstruct(tmp_path / "rt.dcm", three_lymph_nodes(ct), NAMES | {1: name}, ct.headers)
    assert "ZZMARKED" not in str(raised.value)
    assert not (tmp_path / "rt.dcm").exists()


def test_a_folder_that_does_not_exist_is_said_without_its_name(tmp_path, ct):
    with pytest.raises(InputError, match="could not be written. Check the folder") as raised:
        write_rtstruct(tmp_path / "ZZMARKED" / "rt.dcm", three_lymph_nodes(ct), NAMES, ct.headers)
    assert "ZZMARKED" not in str(raised.value)


def copy_with(header, **values):
    changed = Dataset()
    changed.update(header)
    changed = copy.deepcopy(changed)  # of the elements, too: the CT is shared by all tests
    for keyword, value in values.items():
        setattr(changed, keyword, value)
    return changed


def test_what_was_drawn_by_hand_says_so(tmp_path, ct):
    instances = three_lymph_nodes(ct)
    write_rtstruct(tmp_path / "rt.dcm", instances, NAMES, ct.headers, drawn={2: "MANUAL"})
    rois = dcmread(tmp_path / "rt.dcm").StructureSetROISequence
    assert {roi.ROINumber: roi.ROIGenerationAlgorithm for roi in rois} == {
        label: "MANUAL" if label == 2 else "AUTOMATIC" for label in NAMES
    }
