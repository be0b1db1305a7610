"""seg.dcm as others read it: dcmqi (hence Slicer) gives every voxel back, dciodvfy finds nothing wrong."""

import json
import subprocess

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from ece_core.export.dicom_seg import write_dicom_seg
from other_readers import put_on

MODELS = ({"name": "lymph_node_unet", "version": "1.0.0", "task": "segmentation", "sha256": "a" * 64},)


@pytest.fixture
def seg(tmp_path, scan, instances, lymph_nodes):
    path = tmp_path / "seg.dcm"
    assert write_dicom_seg(path, instances, lymph_nodes, scan.headers, MODELS) == ()
    return path


def test_dcmqi_gives_the_instance_map_back_voxel_by_voxel(seg, instances, lymph_nodes, segimage2itkimage, tmp_path):
    out = tmp_path / "dcmqi"
    out.mkdir()
    command = [
        segimage2itkimage,
        "--inputDICOM",
        seg,
        "--outputDirectory",
        out,
        "--outputType",
        "nrrd",
        "--mergeSegments",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (image,) = out.glob("*.nrrd")
    np.testing.assert_array_equal(put_on(instances, sitk.ReadImage(str(image))), instances.array)
    meta = json.loads(next(out.glob("*.json")).read_text())
    segments = sorted((segment for group in meta["segmentAttributes"] for segment in group), key=lambda s: s["labelID"])
    assert [segment["SegmentLabel"] for segment in segments] == [
        "LN1 left II, ENE", "LN2 right IB, N", "LN3 midline VI, P", "LN4 left, P",
    ]  # fmt: skip
    assert segments[0]["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == "14799000"
    assert segments[0]["AnatomicRegionSequence"]["CodeValue"] == "245321008"
    assert segments[0]["AnatomicRegionModifierSequence"]["CodeMeaning"] == "Left"
    assert segments[1]["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == "59441001"
    assert segments[0]["SegmentAlgorithmName"] == "ECEDetector lymph_node_unet"


def test_dciodvfy_prints_no_error(seg, dciodvfy):
    run = subprocess.run([dciodvfy, seg], capture_output=True, text=True, timeout=60)
    words = run.stdout + run.stderr
    assert "Segmentation" in words  # it knew what it was looking at
    assert "Error" not in words, words


def test_highdicom_reads_back_the_same_voxels_and_grid(seg, instances):
    volume = hd.seg.segread(seg).get_volume(combine_segments=True, relabel=False)
    index = np.argwhere(volume.array)
    points = volume.map_indices_to_reference(index)
    ours = np.rint(instances.to_index(points)).astype(int)
    array = np.zeros(instances.shape, int)
    array[tuple(ours.T)] = volume.array[volume.array > 0]
    np.testing.assert_array_equal(array, instances.array)


def test_frames_without_a_lymph_node_are_left_out(seg):
    """Slices of the four lymph nodes: 4 + 3 + 3 + 1."""
    assert hd.seg.segread(seg).NumberOfFrames == 11


@pytest.mark.parametrize("options", [{"labelmap": True}, {"deflated": True}], ids=str)
def test_dcmqi_reads_every_voxel_of_a_labelmap_and_of_a_deflated_seg(
    scan, instances, lymph_nodes, segimage2itkimage, tmp_path, options
):
    path = tmp_path / "seg.dcm"
    write_dicom_seg(path, instances, lymph_nodes, scan.headers, MODELS, **options)
    (image,) = run_segimage2itkimage(segimage2itkimage, path, tmp_path / "dcmqi", "--mergeSegments")
    np.testing.assert_array_equal(put_on(instances, sitk.ReadImage(str(image))), instances.array)


def test_dcmqi_keeps_overlapping_lymph_nodes_apart(scan, instances, lymph_nodes, segimage2itkimage, dciodvfy, tmp_path):
    """Lymph node 2 is moved onto lymph node 1: 4 x 4 x 5 voxels are both."""
    above = np.zeros_like(instances.array)
    above[2:6, 8:14, 4:9] = 2
    layers = [instances.with_array(np.where(instances.array == 2, 0, instances.array)), instances.with_array(above)]
    path = tmp_path / "seg.dcm"
    write_dicom_seg(path, layers, lymph_nodes, scan.headers, MODELS)
    done = subprocess.run([dciodvfy, path], capture_output=True, text=True, timeout=60)
    assert "Error" not in done.stdout + done.stderr
    files = run_segimage2itkimage(segimage2itkimage, path, tmp_path / "dcmqi")
    assert len(files) == 4
    for number, file in enumerate(files, start=1):
        expected = above == 2 if number == 2 else instances.array == number
        np.testing.assert_array_equal(put_on(instances, sitk.ReadImage(str(file))) > 0, expected)


def run_segimage2itkimage(tool, path, out, *options):
    """The images that it wrote, by segment number."""
    out.mkdir()
    command = [tool, "--inputDICOM", path, "--outputDirectory", out, "--outputType", "nrrd", *options]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return sorted(out.glob("*.nrrd"))
