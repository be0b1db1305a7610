"""A result that is taken out of the scene leaves nothing there; the scan and other results stay."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pytest
import slicer
from ece_core.scene import (
    HeatmapView,
    SceneReview,
    hide_scan,
    load_result,
    remove_result,
    results_in_scene,
    show_heatmap_view,
)
from phantom_result import add_ct_node


def nodes_by_class() -> Counter:
    return Counter(node.GetClassName() for node in slicer.util.getNodesByClass("vtkMRMLNode"))


@pytest.mark.parametrize("mode", ["slices", "surface"])
def test_cases_one_after_the_other_do_not_pile_up(scene, ct, result_folder, mode):
    volumeNode = add_ct_node(ct)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    seen = []
    for _ in range(3):
        nodes = load_result(result_folder, volumeNode)
        SceneReview(nodes).save()
        show_heatmap_view(next(iter(nodes.heatmapNodes.values())), nodes.segmentationNode, HeatmapView(mode=mode))
        remove_result(nodes)
        assert results_in_scene() == [] and volumeNode.GetScene() is scene
        assert scene.GetFirstNodeByName("ECE review") is None
        seen.append((nodes_by_class(), tree.GetNumberOfItems()))
    assert seen[0] == seen[1] == seen[2]


def test_another_result_of_the_same_scan_stays(scene, ct, result_folder, tmp_path):
    other = shutil.copytree(result_folder, tmp_path / "other")
    content = json.loads((other / "result.json").read_text())
    content["device"] = "another"
    (other / "result.json").write_text(json.dumps(content))
    volumeNode = add_ct_node(ct)
    stays = load_result(other, volumeNode)
    remove_result(load_result(result_folder, volumeNode))
    (left,) = results_in_scene()
    assert left.segmentationNode is stays.segmentationNode and left.heatmapNodes == stays.heatmapNodes
    assert left.segmentationNode.GetDisplayNode() is not None and left.tableNode is stays.tableNode


def test_a_scan_that_is_hidden_leaves_the_views_that_show_it(scene, ct):
    volumeNode, other = add_ct_node(ct), add_ct_node(ct)
    composites = [scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode") for _ in range(2)]
    for composite, node in zip(composites, (volumeNode, other), strict=True):
        composite.SetBackgroundVolumeID(node.GetID())
    hide_scan(volumeNode)
    assert [composite.GetBackgroundVolumeID() for composite in composites] == [None, other.GetID()]
    assert volumeNode.GetScene() is scene
