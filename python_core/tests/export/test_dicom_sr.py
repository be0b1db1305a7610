"""What sr.dcm says, and what it may not say. How others read it is in Testing/dicom."""

import gc
from dataclasses import replace

import highdicom as hd
import numpy as np
import pydicom
import pytest
from drawn_patient import a_result, an_instance_map, three_lymph_nodes
from ece_core.errors import InputError
from ece_core.export.dicom_seg import write_dicom_seg
from ece_core.export.dicom_sr import NOTHING_FOUND, write_dicom_sr
from ece_core.export.garbage import no_collection
from ece_core.export.terminology import OWN_SCHEME

MODELS = a_result().models


def write(folder, headers, lymph_nodes=None):
    lymph_nodes = three_lymph_nodes() if lymph_nodes is None else lymph_nodes
    seg = folder / "seg.dcm" if lymph_nodes else None
    if seg:
        write_dicom_seg(seg, an_instance_map(), lymph_nodes, headers, MODELS)
    write_dicom_sr(folder / "sr.dcm", lymph_nodes, headers, MODELS, seg)
    return hd.sr.srread(folder / "sr.dcm")


def groups_of(report):
    return report.content.get_volumetric_roi_measurement_groups()


def values_of(group):
    return {each.name.meaning: (each.value, each.unit.value) for each in group.get_measurements()}


def judged(group):
    return {each.name.meaning: each.value.meaning for each in group.get_qualitative_evaluations()}


def test_every_lymph_node_has_a_group_with_its_measures_and_class(tmp_path, a_scan):
    nodes = three_lymph_nodes()
    groups = groups_of(write(tmp_path, a_scan.headers))
    assert [group.tracking_identifier for group in groups] == ["LN1", "LN2", "LN3"]
    for node, group in zip(nodes, groups, strict=True):
        values = values_of(group)
        assert values["Short axis"] == (pytest.approx(node.short_axis_mm, abs=0.006), "mm")
        assert values["Long axis"] == (pytest.approx(node.long_axis_mm, abs=0.006), "mm")
        assert values["Volume"] == (pytest.approx(node.volume_mm3, abs=0.006), "mm3")
        assert values["Probability of extranodal extension"] == (pytest.approx(node.ece_probability, abs=1e-4), "1")
    assert [judged(group)["Lymph node class"] for group in groups] == [
        "Metastatic with extranodal extension", "Not metastatic", "Metastatic without extranodal extension",
    ]  # fmt: skip


def test_a_group_is_tied_to_its_segment(tmp_path, a_scan):
    report = write(tmp_path, a_scan.headers)
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    assert [group.tracking_uid for group in groups_of(report)] == [each.TrackingUID for each in seg.SegmentSequence]
    for number, group in enumerate(groups_of(report), start=1):
        assert group.reference_type.meaning == "Referenced Segment"
        (reference,) = _segment_of(group).ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert int(reference.ReferencedSegmentNumber) == number


def _segment_of(group):
    (item,) = [item for item in group[0].ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "121191"]
    return item


def test_a_single_lymph_node_is_reported_too(tmp_path, a_scan):
    """Its SEG says once for all frames which segment they show, where others say it in each."""
    (node, *_), instances = three_lymph_nodes(), an_instance_map()
    alone = instances.with_array(np.where(instances.array == node.label, instances.array, 0))
    write_dicom_seg(tmp_path / "seg.dcm", alone, [node], a_scan.headers, MODELS)
    before = (tmp_path / "seg.dcm").read_bytes()
    write_dicom_sr(tmp_path / "sr.dcm", [node], a_scan.headers, MODELS, tmp_path / "seg.dcm")
    (group,) = groups_of(hd.sr.srread(tmp_path / "sr.dcm"))
    assert group.tracking_identifier == node.id and (tmp_path / "seg.dcm").read_bytes() == before


def test_site_side_and_level(tmp_path, a_scan):
    first, second, third = (group.finding_sites[0] for group in groups_of(write(tmp_path, a_scan.headers)))
    assert (first.laterality.meaning, second.laterality.meaning, third.laterality) == ("Left", "Right", None)
    assert first.value.value == "245321008" and third.value.value == "81105003"
    assert [site.topographical_modifier.meaning for site in (first, second, third)] == [
        "Neck level II", "Neck level IB", "Neck level VI",
    ]  # fmt: skip
    assert first.topographical_modifier.scheme_designator == OWN_SCHEME


def test_what_is_not_sure_or_not_evaluable_is_said_and_has_no_probability(tmp_path, a_scan):
    one, two, three = three_lymph_nodes()
    nodes = (
        replace(one, class_set=("P", "ENE"), status="accepted"),
        replace(two, class_set=("N",), contour_quality={"risk": "high"}),
        replace(three, class_name="metastatic", ece_probability=None, not_evaluable=("cut off",)),
    )
    first, second, third = groups_of(write(tmp_path, a_scan.headers, nodes))
    assert judged(first)["Certainty of the lymph node class"] == "Not sure: several classes fit, or none"
    assert judged(first)["Status of the review"] == "Accepted by the reader"
    assert judged(second)["Certainty of the lymph node class"] == "One class fits"
    assert judged(second)["Risk that the outline is wrong"] == "High risk"
    assert judged(third)["Certainty of the lymph node class"] == "Extranodal extension not evaluable"
    assert judged(third)["Lymph node class"] == "Metastatic, extranodal extension not judged"
    assert "Probability of extranodal extension" not in values_of(third)


def test_it_is_preliminary_unverified_and_for_research(tmp_path, a_scan):
    report = write(tmp_path, a_scan.headers)
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        "COMPLETE", "PRELIMINARY", "UNVERIFIED",
    )  # fmt: skip
    assert "Research use only. Not a medical device." in report.SeriesDescription
    said = [item.TextValue for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "121106"]
    assert said == ["Research use only. Not a medical device."]
    assert report.StudyInstanceUID == a_scan.headers[0].StudyInstanceUID
    schemes = {item.CodingSchemeDesignator for item in report.CodingSchemeIdentificationSequence}
    assert OWN_SCHEME in schemes


def test_no_lymph_node_found_is_said(tmp_path, a_scan):
    report = write(tmp_path, a_scan.headers, ())
    (group,) = report.content.get_image_measurement_groups()
    assert group.tracking_identifier == NOTHING_FOUND
    assert judged(group) == {"Lymph nodes found": "No lymph node found"}
    assert not (tmp_path / "seg.dcm").exists()


def test_lymph_nodes_without_their_seg_are_refused(tmp_path, a_scan):
    with pytest.raises(ValueError, match="lymph nodes and their SEG belong together"):
        write_dicom_sr(tmp_path / "sr.dcm", three_lymph_nodes(), a_scan.headers, MODELS, None)


def test_headers_that_no_report_may_have_are_refused_in_words(tmp_path, a_scan):
    for header in a_scan.headers:
        del header.StudyInstanceUID
    with pytest.raises(InputError, match="headers lack StudyInstanceUID"):
        write_dicom_sr(tmp_path / "sr.dcm", (), a_scan.headers, MODELS, None)
    assert not (tmp_path / "sr.dcm").exists()


@pytest.mark.parametrize("before", [True, False])
def test_the_garbage_collector_is_as_it_was_also_after_an_error(before):
    was_on = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        with pytest.raises(ValueError, match="stop"), no_collection():
            assert not gc.isenabled()
            raise ValueError("stop")
        assert gc.isenabled() is before
    finally:
        (gc.enable if was_on else gc.disable)()
