"""sr.dcm as others read it: dcmqi (hence Slicer) gives every value, unit and code back, dciodvfy finds no error."""

import json
import subprocess
from dataclasses import replace

import pytest
from ece_core.export.dicom_seg import tracking_uid, write_dicom_seg
from ece_core.export.dicom_sr import write_dicom_sr

MODELS = (
    {"name": "lymph_node_unet", "version": "3.0", "task": "lymph_node_segmentation", "sha256": "a" * 64},
    {"name": "lymph_node_densenet", "version": "2.1", "task": "lymph_node_classification", "sha256": "b" * 64},
)


@pytest.fixture
def measured(lymph_nodes):
    return tuple(
        replace(
            node, short_axis_mm=7.125 + node.label, long_axis_mm=11.5 + node.label, volume_mm3=431.25 * node.label,
            ece_probability=0.125 * node.label, detection_probability=0.9375, class_set=(node.class_name,),
        )
        for node in lymph_nodes
    )  # fmt: skip


@pytest.fixture
def sr(tmp_path, scan, instances, measured):
    write_dicom_seg(tmp_path / "seg.dcm", instances, measured, scan.headers, MODELS)
    write_dicom_sr(tmp_path / "sr.dcm", measured, scan.headers, MODELS, tmp_path / "seg.dcm")
    return tmp_path / "sr.dcm"


def test_dcmqi_gives_every_value_unit_and_code_back(sr, scan, measured, tid1500reader, tmp_path):
    command = [tid1500reader, "--inputDICOM", sr, "--outputMetadata", tmp_path / "sr.json"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    groups = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    assert [group["TrackingIdentifier"] for group in groups] == [node.id for node in measured]
    for node, group in zip(measured, groups, strict=True):
        uid = tracking_uid(str(scan.headers[0].SeriesInstanceUID), node.id)
        assert group["TrackingUniqueIdentifier"] == uid
        assert group["ReferencedSegment"] == node.label
        found = {
            item["quantity"]["CodeValue"]: (float(item["value"]), item["units"]["CodeValue"])
            for item in group["measurementItems"]
        }
        assert found == {
            "103340004": (round(node.short_axis_mm, 2), "mm"),
            "103339001": (node.long_axis_mm, "mm"),
            "118565006": (node.volume_mm3, "mm3"),
            "ECE-P": (node.ece_probability, "1"),
            "LN-P": (node.detection_probability, "1"),
        }
    assert groups[0]["FindingSite"]["CodeValue"] == "245321008"
    assert groups[0]["Laterality"]["CodeMeaning"] == "Left"
    assert groups[1]["Finding"]["CodeValue"] == "59441001"
    assert groups[2]["Finding"]["CodeValue"] == "14799000"


def test_dciodvfy_finds_no_error(sr, dciodvfy):
    done = subprocess.run([dciodvfy, sr], capture_output=True, text=True, timeout=60)
    errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
    assert errors == []


def test_dciodvfy_finds_no_error_where_nothing_was_found(scan, dciodvfy, tmp_path):
    write_dicom_sr(tmp_path / "empty.dcm", (), scan.headers, MODELS, None)
    done = subprocess.run([dciodvfy, tmp_path / "empty.dcm"], capture_output=True, text=True, timeout=60)
    errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
    assert errors == []
