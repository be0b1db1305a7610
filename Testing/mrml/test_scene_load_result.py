"""The scene of a result folder: voxels, names, colors, codes, table, tree; and what must stay the user's."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk
from ece_core.errors import GeometryError, InputError
from ece_core.export.result import read_result
from ece_core.export.result_folder import write_result
from ece_core.geometry import Volume
from ece_core.scene import ResultNodes, load_result, results_in_scene
from phantom_result import BOXES, DIRECTIONS, a_ct, a_heatmap, add_ct_node, an_instance_map, write_folder

GREEN, RED, YELLOW = (68, 172, 100), (214, 39, 40), (255, 193, 7)


def lps_matrix_of(volumeNode) -> np.ndarray:
    """The node's ijk-to-RAS with its first two rows negated: LPS by hand."""
    ijkToRas = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(ijkToRas)
    return lps_of(ijkToRas)


def lps_of(ijkToRas: vtk.vtkMatrix4x4) -> np.ndarray:
    return np.diag([-1, -1, 1, 1]) @ slicer.util.arrayFromVTKMatrix(ijkToRas)


def segment_array(nodes: ResultNodes, segment_id: str, volumeNode) -> np.ndarray:
    return slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentationNode, segment_id, volumeNode)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_segment_holds_the_voxels_of_its_lymph_node(scene, results, direction):
    ct = a_ct(DIRECTIONS[direction])
    volumeNode = add_ct_node(ct)
    nodes = load_result(results[direction], volumeNode)
    instances = an_instance_map(ct).array
    for label in BOXES:
        np.testing.assert_array_equal(segment_array(nodes, f"LN{label}", volumeNode) > 0, instances == label)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_scan_is_not_needed_for_the_voxels(scene, results, direction):
    ct = a_ct(DIRECTIONS[direction])
    nodes = load_result(results[direction])
    volumeNode = add_ct_node(ct)
    instances = an_instance_map(ct).array
    for label in BOXES:
        np.testing.assert_array_equal(segment_array(nodes, f"LN{label}", volumeNode) > 0, instances == label)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_without_a_scan_the_whole_grid_is_the_reference_geometry(scene, results, direction):
    ct = a_ct(DIRECTIONS[direction])
    converter = slicer.vtkSegmentationConverter
    text = load_result(results[direction]).segmentationNode.GetSegmentation().GetConversionParameter(
        converter.GetReferenceImageGeometryParameterName()
    )
    image = slicer.vtkOrientedImageData()
    converter.DeserializeImageGeometry(text, image)
    assert image.GetDimensions() == ct.shape[::-1]
    imageToWorld = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(imageToWorld)
    np.testing.assert_allclose(lps_of(imageToWorld), ct.affine, atol=1e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_surfaces_lie_on_the_lymph_nodes(scene, results, direction):
    nodes = load_result(results[direction])
    for lymph_node in nodes.result.lymph_nodes:
        polydata = vtk.vtkPolyData()
        nodes.segmentationNode.GetClosedSurfaceRepresentation(lymph_node.id, polydata)
        left, posterior, superior = lymph_node.centroid_lps_mm
        x0, x1, y0, y1, z0, z1 = polydata.GetBounds()
        assert ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2) == pytest.approx((-left, -posterior, superior), abs=0.6)


def test_names_colors_codes_and_status(scene, result_folder):
    nodes = load_result(result_folder)
    segmentation = nodes.segmentationNode.GetSegmentation()
    found = {
        segmentation.GetNthSegmentID(index): segmentation.GetNthSegment(index)
        for index in range(segmentation.GetNumberOfSegments())
    }
    assert {key: segment.GetName() for key, segment in found.items()} == {
        "LN1": "LN1 right II, N",
        "LN2": "LN2 left III, ENE",
        "LN3": "LN3 left IV, P",
    }
    for key, color in (("LN1", GREEN), ("LN2", RED), ("LN3", YELLOW)):
        assert np.array(found[key].GetColor()) * 255 == pytest.approx(color, abs=0.01)
    assert "SCT^59441001^Lymph node" in found["LN1"].GetTerminology()
    assert "SCT^14799000^Neoplasm, Secondary" in found["LN2"].GetTerminology()
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    status = {key: logic.GetSegmentStatus(segment) for key, segment in found.items()}
    assert status == {"LN1": logic.NotStarted, "LN2": logic.Flagged, "LN3": logic.Completed}


def test_segments_carry_what_slicers_dicom_export_asks_for(scene, result_folder):
    segment = load_result(result_folder).segmentationNode.GetSegmentation().GetSegment("LN2")
    value = vtk.reference("")
    assert segment.GetTag("DICOM.SegmentAlgorithmType", value)
    assert str(value) == "AUTOMATIC"
    assert segment.GetTag("DICOM.SegmentAlgorithmName", value)
    assert str(value) == "ECEDetector 0.1.0 (lymph_node_unet 1.0.0)"


def test_a_rejected_lymph_node_is_hidden(scene, tmp_path, result_folder):
    folder = shutil.copytree(result_folder, tmp_path / "out")
    content = json.loads((folder / "result.json").read_text())
    content["lymph_nodes"][0]["status"] = "rejected"
    (folder / "result.json").write_text(json.dumps(content))
    display = load_result(folder).segmentationNode.GetDisplayNode()
    assert [display.GetSegmentVisibility(key) for key in ("LN1", "LN2", "LN3")] == [False, True, True]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_heatmaps_keep_their_values_and_their_own_grid(scene, results, direction):
    ct = a_ct(DIRECTIONS[direction])
    nodes = load_result(results[direction])
    assert list(nodes.heatmapNodes) == ["gradcam", "guided-backprop"]
    expected = a_heatmap(ct)
    for heatmapNode in nodes.heatmapNodes.values():
        values = slicer.util.arrayFromVolume(heatmapNode)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, expected.array)
        np.testing.assert_allclose(lps_matrix_of(heatmapNode), expected.affine, atol=1e-9)


def test_heatmaps_are_drawn_from_0_to_1_and_hidden_below_the_threshold(scene, result_folder):
    display = load_result(result_folder).heatmapNodes["gradcam"].GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 1)
    assert display.GetApplyThreshold()
    assert display.GetLowerThreshold() == 0.17
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(display.GetDisplayableNode())
    assert "Grad-CAM" in legend.GetTitleText()
    assert "Research use only" in legend.GetTitleText()


def test_all_heatmaps_share_one_color_table_that_gets_brighter(scene, result_folder):
    nodes = load_result(result_folder)
    tables = {node.GetDisplayNode().GetColorNode() for node in nodes.heatmapNodes.values()}
    assert len(tables) == 1
    color = [0.0] * 4
    lightness = []
    for index in range(256):
        next(iter(tables)).GetColor(index, color)
        lightness.append(0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2])
    assert (np.diff(lightness) > 0).all()


def test_the_table_begins_with_the_highest_ece_probability(scene, result_folder):
    table = load_result(result_folder).tableNode.GetTable()
    ids = [table.GetColumnByName("id").GetValue(row) for row in range(3)]
    assert ids == ["LN2", "LN1", "LN3"]  # 0.71, 0.02, not computed
    probabilities = [table.GetColumnByName("ece_probability").GetValue(row) for row in range(3)]
    assert probabilities[:2] == [0.71, 0.02] and math.isnan(probabilities[2])
    assert [table.GetColumnByName("volume_ml").GetValue(row) for row in range(3)] == [0.63, 0.486, 0.324]
    assert [table.GetColumnByName("class").GetValue(row) for row in range(3)] == ["ENE", "N", "P"]


def test_a_column_that_was_never_computed_is_left_out(scene, tmp_path, result_folder):
    folder = shutil.copytree(result_folder, tmp_path / "out")
    content = json.loads((folder / "result.json").read_text())
    for row in content["lymph_nodes"]:
        row.pop("necrosis_fraction", None)
    (folder / "result.json").write_text(json.dumps(content))
    table = load_result(folder).tableNode.GetTable()
    assert table.GetColumnByName("necrosis_fraction") is None
    assert table.GetColumnByName("short_axis_mm") is not None


def test_everything_lies_in_the_study_of_the_scan(scene, ct, result_folder):
    volumeNode = add_ct_node(ct)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = tree.CreateStudyItem(tree.CreateSubjectItem(tree.GetSceneItemID(), "Case 1"), "CT neck")
    tree.CreateItem(study, volumeNode)
    nodes = load_result(result_folder, volumeNode)
    for node in (nodes.segmentationNode, nodes.tableNode, *nodes.heatmapNodes.values()):
        assert tree.GetItemParent(tree.GetItemByDataNode(node)) == study


def test_the_scan_gives_the_reference_geometry_and_its_transform(scene, ct, result_folder):
    volumeNode = add_ct_node(ct)
    transformNode = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    nodes = load_result(result_folder, volumeNode)
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert nodes.segmentationNode.GetNodeReference(role) is volumeNode
    for node in (nodes.segmentationNode, *nodes.heatmapNodes.values()):
        assert node.GetParentTransformNode() is transformNode


def test_loading_again_returns_what_is_there_with_its_edits(scene, ct, result_folder):
    volumeNode = add_ct_node(ct)
    first = load_result(result_folder, volumeNode)
    first.segmentationNode.GetSegmentation().GetSegment("LN1").SetName("edited by the reader")
    count = scene.GetNumberOfNodes()
    again = load_result(result_folder, volumeNode)
    assert (first.was_loaded, again.was_loaded) == (False, True)
    assert again.segmentationNode is first.segmentationNode
    assert again.heatmapNodes == first.heatmapNodes
    assert again.tableNode is first.tableNode
    assert again.segmentationNode.GetSegmentation().GetSegment("LN1").GetName() == "edited by the reader"
    assert scene.GetNumberOfNodes() == count


def test_what_was_deleted_comes_back_and_the_rest_stays(scene, result_folder):
    first = load_result(result_folder)
    scene.RemoveNode(first.tableNode)
    scene.RemoveNode(first.heatmapNodes["gradcam"])
    again = load_result(result_folder)
    assert again.segmentationNode is first.segmentationNode
    assert again.heatmapNodes["guided-backprop"] is first.heatmapNodes["guided-backprop"]
    assert again.heatmapNodes["gradcam"].GetScene() is scene
    assert again.tableNode.GetNumberOfRows() == 3


def test_another_result_gets_nodes_of_its_own(scene, tmp_path, result_folder):
    folder = shutil.copytree(result_folder, tmp_path / "out")
    text = (folder / "result.json").read_text()
    (folder / "result.json").write_text(text.replace('"cpu"', '"cuda:0"'))
    first, second = load_result(result_folder), load_result(folder)
    assert second.segmentationNode is not first.segmentationNode
    assert second.segmentationNode.GetName() != first.segmentationNode.GetName()
    assert not second.was_loaded
    assert len(results_in_scene()) == 2


def test_the_same_result_on_a_second_copy_of_the_scan_is_another_one(scene, ct, result_folder):
    first = load_result(result_folder, add_ct_node(ct))
    second = load_result(result_folder, add_ct_node(ct, "CT copy"))
    assert second.segmentationNode is not first.segmentationNode


def test_no_node_points_at_the_files_of_the_result(scene, result_folder):
    nodes = load_result(result_folder)
    for node in (nodes.segmentationNode, nodes.tableNode, *nodes.heatmapNodes.values()):
        storage = node.GetStorageNode()
        assert storage is None or not storage.GetFileName()


def test_a_result_without_lymph_nodes_loads(scene, ct, tmp_path):
    write_folder(tmp_path / "some", ct)
    (tmp_path / "none").mkdir()
    empty = replace(read_result(tmp_path / "some"), lymph_nodes=(), heatmaps=())
    write_result(tmp_path / "none", empty, ct.with_array(np.zeros(ct.shape, np.uint16)), {}, ct)
    nodes = load_result(tmp_path / "none", add_ct_node(ct))
    assert nodes.segmentationNode.GetSegmentation().GetNumberOfSegments() == 0
    assert nodes.tableNode.GetNumberOfRows() == 0
    assert nodes.heatmapNodes == {}


def scene_ids(scene) -> list[str]:
    return [scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())]


def damage_result(folder) -> None:
    (folder / "result.json").write_text("{")


def remove_result(folder) -> None:
    (folder / "result.json").unlink()


def remove_segmentation(folder) -> None:
    (folder / "lymph_nodes.seg.nrrd").unlink()


def damage_heatmap(folder) -> None:
    (folder / "heatmaps" / "guided-backprop.nrrd").write_bytes(b"NRRD0004\n")


def remove_heatmap(folder) -> None:
    (folder / "heatmaps" / "gradcam.nrrd").unlink()


def exceed_one(folder) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((2, 2, 2), 1.5, np.float32)), folder / "heatmaps" / "gradcam.nrrd")


def write_nan(folder) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((2, 2, 2), np.nan, np.float32)), folder / "heatmaps/gradcam.nrrd")


def drop_lymph_node(folder) -> None:
    content = json.loads((folder / "result.json").read_text())
    del content["lymph_nodes"][1]
    (folder / "result.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (remove_result, "not a whole result.*run the analysis again"),
        (damage_result, "result.json is damaged.*Run the analysis again"),
        (remove_segmentation, "segmentation file is missing.*Run the analysis again"),
        (remove_heatmap, "heatmap file is missing.*Run the analysis again"),
        (damage_heatmap, "heatmap file is damaged.*Run the analysis again"),
        (exceed_one, "does not hold values from 0 to 1"),
        (write_nan, "does not hold values from 0 to 1"),
        (drop_lymph_node, r"list of lymph nodes differ \(LN2 in one only\).*run the analysis again"),
    ],
)
def test_a_folder_that_is_no_result_leaves_the_scene_as_it_was(scene, tmp_path, result_folder, spoil, words):
    folder = shutil.copytree(result_folder, tmp_path / "out")
    spoil(folder)
    before = scene_ids(scene)
    with pytest.raises(InputError, match=words) as caught:
        load_result(folder)
    assert str(tmp_path) not in str(caught.value)
    assert scene_ids(scene) == before


def test_a_failure_while_nodes_are_added_leaves_the_scene_as_it_was(scene, result_folder, monkeypatch):
    before = scene_ids(scene)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("ece_core.scene.result_nodes.add_table", fail)
    with pytest.raises(MemoryError):
        load_result(result_folder)
    assert scene_ids(scene) == before


def test_a_scan_that_lies_elsewhere_is_refused(scene, ct, result_folder):
    moved = ct.affine.copy()
    moved[1, 3] += 7.0
    with pytest.raises(GeometryError, match=r"7\.0 mm apart.*Choose the scan that was analyzed"):
        load_result(result_folder, add_ct_node(Volume(ct.array, moved)))


def test_the_same_scan_with_its_slices_in_the_other_order_is_accepted(scene, ct, result_folder):
    turned = ct.affine.copy()
    turned[:3, 3] = ct.to_lps((ct.shape[0] - 1, 0, 0))
    turned[:3, 2] *= -1
    volumeNode = add_ct_node(Volume(ct.array[::-1].copy(), turned))
    nodes = load_result(result_folder, volumeNode)
    instances = an_instance_map(ct).array[::-1]
    for label in BOXES:
        np.testing.assert_array_equal(segment_array(nodes, f"LN{label}", volumeNode) > 0, instances == label)
