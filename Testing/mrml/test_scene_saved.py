"""A scene that was saved and opened again, and the segmentation file in Slicer's own reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from ece_core.geometry import Volume
from ece_core.scene import HeatmapView, load_result, results_in_scene, show_heatmap_view
from phantom_result import DIRECTIONS, a_ct, a_heatmap, add_ct_node, an_instance_map

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def saved_and_opened(scene, file: Path) -> None:
    assert slicer.util.saveScene(str(file))
    scene.Clear(False)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    slicer.util.loadScene(str(file))


def tag(segment, name: str) -> str:
    value = vtk.reference("")
    assert segment.GetTag(name, value), name
    return str(value)


def assert_same_in_space(volumeNode, expected: Volume) -> None:
    """Slicer saves a left-handed grid with its slices in the other order: the same values at the same places."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    array, affine = slicer.util.arrayFromVolume(volumeNode), LPS_FROM_RAS @ slicer.util.arrayFromVTKMatrix(matrix)
    if affine[:3, 2] @ expected.affine[:3, 2] < 0:
        array, affine[:3, 3] = array[::-1], affine[:3, 3] + (len(array) - 1) * affine[:3, 2]
        affine[:3, 2] *= -1
    np.testing.assert_array_equal(array, expected.array)
    np.testing.assert_allclose(affine, expected.affine, atol=1e-4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_saved_scene_opens_whole_without_the_result_folder(scene, results, tmp_path, direction):
    ct = a_ct(DIRECTIONS[direction])
    before = load_result(results[direction], add_ct_node(ct)).result
    saved_and_opened(scene, tmp_path / "case.mrb")
    (nodes,) = results_in_scene()
    assert nodes.result == before

    volumeNode = add_ct_node(ct, "grid")
    instances, segmentation = an_instance_map(ct).array, nodes.segmentationNode.GetSegmentation()
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    for label, (name, red, status) in {
        1: ("LN1 right II, N", 68, logic.NotStarted),
        2: ("LN2 left III, ENE", 214, logic.Flagged),
        3: ("LN3 left IV, P", 255, logic.Completed),
    }.items():
        segment = segmentation.GetSegment(f"LN{label}")
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentationNode, f"LN{label}", volumeNode)
        np.testing.assert_array_equal(voxels > 0, instances == label)
        assert segment.GetName() == name
        assert segment.GetColor()[0] * 255 == pytest.approx(red, abs=0.01)
        assert logic.GetSegmentStatus(segment) == status
        assert "SCT^" in segment.GetTerminology()
        assert tag(segment, "DICOM.SegmentAlgorithmName") == "ECEDetector 0.1.0 (lymph_node_unet 1.0.0)"

    assert list(nodes.heatmapNodes) == ["gradcam", "guided-backprop"]
    for heatmapNode in nodes.heatmapNodes.values():
        assert_same_in_space(heatmapNode, a_heatmap(ct))
        display = heatmapNode.GetDisplayNode()
        assert display.GetApplyThreshold() and display.GetLowerThreshold() == 0.17
        assert display.GetColorNode().GetName() == "ECE heatmap"
    table = nodes.tableNode.GetTable()
    assert [table.GetColumnByName("id").GetValue(row) for row in range(3)] == ["LN2", "LN1", "LN3"]
    assert table.GetColumnByName("ece_probability").GetValue(0) == 0.71


@pytest.mark.parametrize("mode", ["volume", "surface"])
def test_what_3d_shows_of_a_heatmap_is_made_anew_from_the_saved_one(scene, ct, result_folder, tmp_path, mode):
    view = HeatmapView(mode=mode, lymph_node_id="LN1")
    nodes = load_result(result_folder, add_ct_node(ct))
    assert show_heatmap_view(nodes.heatmapNodes["gradcam"], nodes.segmentationNode, view)
    saved_and_opened(scene, tmp_path / "case.mrb")
    (nodes,) = results_in_scene()
    assert not slicer.util.getNodesByClass("vtkMRMLModelNode")
    assert not slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode")
    assert nodes.segmentationNode.GetDisplayNode().GetSegmentVisibility3D("LN1")
    assert show_heatmap_view(nodes.heatmapNodes["gradcam"], nodes.segmentationNode, view)
    show_heatmap_view(nodes.heatmapNodes["gradcam"], nodes.segmentationNode, HeatmapView())
    assert nodes.segmentationNode.GetDisplayNode().GetOpacity3D() == 1.0


def test_loading_the_folder_into_the_opened_scene_adds_nothing(scene, ct, result_folder, tmp_path):
    load_result(result_folder, add_ct_node(ct))
    saved_and_opened(scene, tmp_path / "case.mrb")
    count = scene.GetNumberOfNodes()
    nodes = load_result(result_folder, slicer.util.getNode("CT"))
    assert nodes.was_loaded
    assert scene.GetNumberOfNodes() == count


def test_an_edit_survives_saving_and_the_result_folder_does_not_change(scene, ct, result_folder, tmp_path):
    def content() -> dict:
        return {file: file.read_bytes() for file in sorted(result_folder.rglob("*")) if file.is_file()}

    files = content()
    volumeNode = add_ct_node(ct)
    nodes = load_result(result_folder, volumeNode)
    edited = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentationNode, "LN1", volumeNode)
    edited[3, 6, 8] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(edited, nodes.segmentationNode, "LN1", volumeNode)
    saved_and_opened(scene, tmp_path / "case.mrb")
    (nodes,) = results_in_scene()
    after = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentationNode, "LN1", slicer.util.getNode("CT"))
    np.testing.assert_array_equal(after > 0, edited > 0)
    assert (after > 0).sum() == 3 * 6 * 6 - 1
    assert content() == files


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_slicers_own_reader_opens_the_segmentation_file(scene, results, direction):
    ct = a_ct(DIRECTIONS[direction])
    segmentationNode = slicer.util.loadSegmentation(str(results[direction] / "lymph_nodes.seg.nrrd"))
    segmentation, volumeNode = segmentationNode.GetSegmentation(), add_ct_node(ct)
    instances = an_instance_map(ct).array
    assert segmentation.GetNumberOfSegments() == 3
    for label, (name, color, kind) in {
        1: ("LN1 right II, N", (68, 172, 100), "Lymph node"),
        2: ("LN2 left III, ENE", (214, 39, 40), "Neoplasm, Secondary"),
        3: ("LN3 left IV, P", (255, 193, 7), "Neoplasm, Secondary"),
    }.items():
        segment = segmentation.GetSegment(f"LN{label}")
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, f"LN{label}", volumeNode)
        np.testing.assert_array_equal(voxels > 0, instances == label)
        assert segment.GetName() == name
        assert np.array(segment.GetColor()) * 255 == pytest.approx(color, abs=0.01)
        assert f"^{kind}~" in segment.GetTerminology()
        assert tag(segment, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.GetSegmentStatus(segmentation.GetSegment("LN2")) == logic.Flagged
