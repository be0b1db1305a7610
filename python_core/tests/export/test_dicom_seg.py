"""What seg.dcm says, and what it may not say. How others read it is in Testing/dicom."""

import logging
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from drawn_patient import a_lymph_node, a_result, an_instance_map, three_lymph_nodes
from ece_core.errors import InputError
from ece_core.export.dicom_seg import tracking_uid, write_dicom_seg
from ece_core.geometry import Volume
from ece_core.io.dicom_seg import read_dicom_seg
from ece_core.io.strict_dicom import strict_dicom
from pydicom import config
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

MODELS = a_result().models


def write(path, headers, lymph_nodes=None, instances=None):
    notes = write_dicom_seg(path, instances or an_instance_map(), lymph_nodes or three_lymph_nodes(), headers, MODELS)
    return pydicom.dcmread(path), notes


def test_every_segment_names_its_lymph_node_algorithm_and_class(tmp_path, a_scan):
    seg, notes = write(tmp_path / "seg.dcm", a_scan.headers)
    assert notes == ()
    first, second, third = seg.SegmentSequence
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == [
        "LN1 left II, ENE", "LN2 right IB, N", "LN3 midline VI, P",
    ]  # fmt: skip
    assert [segment.TrackingID for segment in seg.SegmentSequence] == ["LN1", "LN2", "LN3"]
    assert first.SegmentDescription == (
        "Metastatic with ENE (also ECE); probability of ENE (also ECE) 0.70. Research use only. Not a medical device."
    )
    algorithm = first.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("ECEDetector lymph_node_unet", "1.0.0")
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeValue == "14799000"
    assert second.SegmentedPropertyTypeCodeSequence[0].CodeValue == "59441001"
    assert first.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0].CodeMeaning == "Left"
    assert "AnatomicRegionModifierSequence" not in third.AnatomicRegionSequence[0]  # midline has no laterality
    assert third.AnatomicRegionSequence[0].CodeValue == "81105003"  # level VI has no code of its own


def test_it_says_research_use_only_and_belongs_to_the_study(tmp_path, a_scan):
    seg, _ = write(tmp_path / "seg.dcm", a_scan.headers)
    assert "Research use only. Not a medical device." in seg.SeriesDescription
    assert "Research use only. Not a medical device." in seg.ContentDescription
    assert seg.StudyInstanceUID == a_scan.headers[0].StudyInstanceUID
    assert seg.FrameOfReferenceUID == a_scan.headers[0].FrameOfReferenceUID
    assert seg.SeriesInstanceUID != a_scan.headers[0].SeriesInstanceUID


def test_a_tracking_uid_is_the_same_in_every_export_and_another_for_another_lymph_node(tmp_path, a_scan):
    first, _ = write(tmp_path / "1.dcm", a_scan.headers)
    second, _ = write(tmp_path / "2.dcm", a_scan.headers)
    uids = [segment.TrackingUID for segment in first.SegmentSequence]
    assert uids == [segment.TrackingUID for segment in second.SegmentSequence]
    assert len(set(uids)) == 3
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert tracking_uid("1.2.3", "LN1") != tracking_uid("1.2.4", "LN1")
    assert pydicom.uid.UID(tracking_uid("1.2.3", "LN1")).is_valid


def test_labels_with_gaps_become_segments_one_to_n(tmp_path, a_scan):
    """After a review deletes lymph node 1, labels 2 (27 voxels) and 3 (1 voxel) are segments 1 and 2."""
    seg, _ = write(tmp_path / "seg.dcm", a_scan.headers, lymph_nodes=three_lymph_nodes()[1:])
    assert [segment.SegmentNumber for segment in seg.SegmentSequence] == [1, 2]
    assert seg.pixel_array.sum() == 28


def test_a_lymph_node_drawn_by_hand_names_no_algorithm(tmp_path, a_scan):
    by_hand = replace(a_lymph_node(), source="MANUAL", status="accepted")
    seg, _ = write(tmp_path / "seg.dcm", a_scan.headers, lymph_nodes=(by_hand,))
    segment = seg.SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "MANUAL" and "SegmentationAlgorithmIdentificationSequence" not in segment
    assert "accepted by the reader" in segment.SegmentDescription


def test_no_lymph_node_no_seg(tmp_path, a_scan):
    with pytest.raises(ValueError, match="at least one lymph node"):
        write_dicom_seg(tmp_path / "seg.dcm", an_instance_map(), (), a_scan.headers, MODELS)
    assert not (tmp_path / "seg.dcm").exists()


def test_headers_of_another_grid_are_refused(tmp_path, a_scan):
    moved = an_instance_map().affine.copy()
    moved[2, 3] += 1.0
    for instances, headers in (
        (Volume(an_instance_map().array, moved), a_scan.headers),
        (an_instance_map(), a_scan.headers[:-1]),
        (an_instance_map(), a_scan.headers[::-1]),
    ):
        with pytest.raises(InputError, match=r"not on the grid of the DICOM series.*files that are not DICOM"):
            write(tmp_path / "seg.dcm", headers, instances=instances)


@pytest.mark.filterwarnings("ignore")
def test_malformed_elements_of_the_patient_are_left_empty_and_named_without_their_value(tmp_path, a_scan):
    for header in a_scan.headers:
        header.PatientAge, header.StudyDate, header.PatientSex = "55", "SECRET^DATE", "SECRET"
    seg, (note,) = write(tmp_path / "seg.dcm", a_scan.headers)
    assert not seg.StudyDate and not seg.PatientSex and "PatientAge" not in seg
    assert note == ("Malformed in the CT's headers and left empty in dicom/seg.dcm: PatientAge, PatientSex, StudyDate.")


def test_what_a_seg_cannot_do_without_is_named(tmp_path, a_scan):
    for header in a_scan.headers:
        del header.FrameOfReferenceUID
        header.StudyInstanceUID = ""
    with pytest.raises(InputError, match="headers lack StudyInstanceUID, FrameOfReferenceUID"):
        write(tmp_path / "seg.dcm", a_scan.headers)


def test_headers_given_are_left_as_they_were(tmp_path, a_scan):
    before = [header.to_json() for header in a_scan.headers]
    write(tmp_path / "seg.dcm", a_scan.headers)
    assert [header.to_json() for header in a_scan.headers] == before


def test_nothing_of_the_patient_reaches_logs_or_warnings(tmp_path, headers_of_somebody, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    write(tmp_path / "seg.dcm", headers_of_somebody)
    assert "MARKED" not in caplog.text
    assert not any("MARKED" in str(warning.message) for warning in recwarn)


@pytest.mark.parametrize("before", [None, config.IGNORE, config.WARN])
def test_strict_writing_is_undone_also_after_an_exception(before):
    original = config.settings._writing_validation_mode
    try:
        config.settings._writing_validation_mode = before
        with pytest.raises(ValueError, match="stop"), strict_dicom():
            assert config.settings.writing_validation_mode == config.RAISE
            raise ValueError("stop")
        assert config.settings._writing_validation_mode is before
    finally:
        config.settings._writing_validation_mode = original


def test_the_voxels_come_back(tmp_path, a_scan):
    seg, _ = write(tmp_path / "seg.dcm", a_scan.headers)
    assert np.count_nonzero(seg.pixel_array) == np.count_nonzero(an_instance_map().array) == 6 * 8 * 6 + 27 + 1


def test_lymph_nodes_that_overlap_keep_all_of_their_voxels(tmp_path, a_scan):
    """Two layers; lymph node 2 covers 2 x 8 x 6 voxels of lymph node 1 and 96 of its own."""
    below = an_instance_map().array * (an_instance_map().array == 1)
    above = np.zeros_like(below)
    above[8:12, 8:16, 8:14] = 2
    layers = [a_scan.volume.with_array(array) for array in (below, above)]
    nodes = three_lymph_nodes()[:2]
    assert write_dicom_seg(tmp_path / "seg.dcm", layers, nodes, a_scan.headers, MODELS) == ()
    found = read_dicom_seg(tmp_path / "seg.dcm", a_scan)
    assert [segment.error for segment in found.segments] == [None, None]
    for segment, expected in zip(found.segments, (below > 0, above > 0), strict=True):
        np.testing.assert_array_equal(segment.mask.array, expected)
    with pytest.raises(InputError, match=r"overlap.*Write a BINARY SEG"):
        write_dicom_seg(tmp_path / "seg.dcm", layers, nodes, a_scan.headers, MODELS, labelmap=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labelmap", "deflated", "syntax"),
    [
        (False, True, DeflatedExplicitVRLittleEndian),
        (True, False, RLELossless),
        (True, True, DeflatedExplicitVRLittleEndian),
    ],
)
def test_a_labelmap_or_deflated_seg_holds_the_same_voxels(tmp_path, a_scan, labelmap, deflated, syntax):
    path = tmp_path / "seg.dcm"
    write_dicom_seg(
        path, an_instance_map(), three_lymph_nodes(), a_scan.headers, MODELS, labelmap=labelmap, deflated=deflated
    )
    file = pydicom.dcmread(path)
    assert (file.SegmentationType, file.file_meta.TransferSyntaxUID) == ("LABELMAP" if labelmap else "BINARY", syntax)
    for segment in read_dicom_seg(path, a_scan).segments:
        np.testing.assert_array_equal(segment.mask.array, an_instance_map().array == segment.number)
