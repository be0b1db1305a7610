"""Segmentations that dcmqi wrote, as our reader and `ece classify` see them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ece_core.io import read_lymph_nodes, write_image
from ece_core.io.datasets import load_dicom_studies
from ece_core.io.dicom_seg import read_dicom_seg


@pytest.fixture
def itkimage2segimage() -> str:
    tool = shutil.which("itkimage2segimage", path=str(Path(sys.executable).parent)) or shutil.which("itkimage2segimage")
    if tool is None:
        pytest.skip("itkimage2segimage is absent: pip install dcmqi")
    return tool


def code(value, meaning) -> dict:
    return {"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}


def attributes(label, name) -> dict:
    return {
        "labelID": label,
        "SegmentLabel": name,
        "SegmentDescription": name,
        "SegmentAlgorithmType": "MANUAL",
        "SegmentedPropertyCategoryCodeSequence": code("85756007", "Tissue"),
        "SegmentedPropertyTypeCodeSequence": code("85756007", "Tissue"),
    }


@pytest.fixture(params=["binary", "labelmap"])
def dcmqi_seg(request, scan, instances, itkimage2segimage, tmp_path):
    """Labels 1 to 4 as the segments GTVn_1, GTVn_2, Parotid, GTVn_4."""
    write_image(instances, tmp_path / "labels.nrrd")
    names = ("GTVn_1", "GTVn_2", "Parotid", "GTVn_4")
    meta = {
        "ContentCreatorName": "Reader1",
        "SeriesDescription": "Segmentation",
        "SeriesNumber": "300",
        "InstanceNumber": "1",
        "segmentAttributes": [[attributes(label, name) for label, name in enumerate(names, start=1)]],
    }
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    path = tmp_path / "seg.dcm"
    command = [
        itkimage2segimage,
        "--inputImageList",
        tmp_path / "labels.nrrd",
        "--inputDICOMDirectory",
        tmp_path / "ct",
    ]
    command += ["--inputMetadata", tmp_path / "meta.json", "--outputDICOM", path, "--segmentationType", request.param]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and path.exists(), done.stdout + done.stderr
    return path


def test_dcmqis_segments_are_read_voxel_by_voxel(dcmqi_seg, scan, instances):
    seg = read_dicom_seg(dcmqi_seg, scan)
    assert [segment.label for segment in seg.segments] == ["GTVn_1", "GTVn_2", "Parotid", "GTVn_4"]
    for segment in seg.segments:
        assert segment.error is None, segment.error
        np.testing.assert_array_equal(segment.mask.array, instances.array == segment.number)


def test_the_nodal_segments_of_dcmqi_become_lymph_nodes(dcmqi_seg, scan, instances):
    found = read_lymph_nodes(dcmqi_seg, scan)
    assert [node.target for node in found.lymph_nodes] == ["GTVn_1", "GTVn_2", "GTVn_4"]
    np.testing.assert_array_equal(found.volume.array > 0, np.isin(instances.array, (1, 2, 4)))


def test_a_study_with_dcmqis_seg_is_a_case(dcmqi_seg, scan, instances, tmp_path):
    study = tmp_path / "studies" / "one"
    study.mkdir(parents=True)
    shutil.copytree(tmp_path / "ct", study / "ct")
    shutil.copy(dcmqi_seg, study)
    (case,) = load_dicom_studies(tmp_path / "studies")
    assert len(case.outlines.lymph_nodes) == 3 and case.outlines.structures == ("Parotid",)
    np.testing.assert_array_equal(case.outlines.structure("Parotid").array, instances.array == 3)


@pytest.fixture
def plastimatch_rtstruct(scan, instances, tmp_path):
    """Label 1 as GTVn, label 2 as Parotid."""
    tool = shutil.which("plastimatch")
    if tool is None:
        pytest.skip("plastimatch is absent: apt-get install plastimatch")
    two = np.where(instances.array <= 2, instances.array, 0).astype(np.uint8)
    write_image(instances.with_array(two), tmp_path / "two.nrrd")
    (tmp_path / "list.txt").write_text("0|255 0 0|GTVn\n1|0 255 0|Parotid\n")
    command = [tool, "convert", "--input-ss-img", tmp_path / "two.nrrd", "--input-ss-list", tmp_path / "list.txt"]
    command += ["--referenced-ct", tmp_path / "ct", "--output-dicom", tmp_path / "plan"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (path,) = (tmp_path / "plan").glob("rtss*.dcm")
    return path


@pytest.mark.parametrize("scan", ["plain"], indirect=True)
def test_plastimatchs_contours_are_lymph_nodes_voxel_by_voxel(plastimatch_rtstruct, scan, instances):
    found = read_lymph_nodes(plastimatch_rtstruct, scan)
    assert found.notes[0] == "Taken from ROI GTVn: 1 lymph node."
    np.testing.assert_array_equal(found.volume.array > 0, instances.array == 1)
