"""Showing and hiding heatmaps; the user's own layers come back."""

from __future__ import annotations

import pytest
import slicer
from ece_core.scene import hide_heatmaps, load_result, show_heatmap
from phantom_result import add_ct_node


@pytest.fixture
def composites(scene):
    """Composite nodes of three slice views."""
    return [scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", name) for name in ("Red", "Yellow", "Green")]


def layers(compositeNode) -> tuple:
    return (
        compositeNode.GetBackgroundVolumeID(),
        compositeNode.GetForegroundVolumeID(),
        compositeNode.GetForegroundOpacity(),
    )


def test_the_first_heatmap_lies_over_the_scan_after_loading(scene, ct, composites, result_folder):
    volumeNode = add_ct_node(ct)
    gradcam = load_result(result_folder, volumeNode).heatmapNodes["gradcam"]
    for compositeNode in composites:
        assert layers(compositeNode) == (volumeNode.GetID(), gradcam.GetID(), 0.5)


def test_a_background_that_the_user_chose_stays(scene, ct, composites, result_folder):
    other = add_ct_node(ct, "MR")
    composites[0].SetBackgroundVolumeID(other.GetID())
    volumeNode = add_ct_node(ct)
    load_result(result_folder, volumeNode)
    assert [node.GetBackgroundVolumeID() for node in composites] == [other.GetID(), *[volumeNode.GetID()] * 2]


def test_opacity_and_threshold_are_set(scene, composites, result_folder):
    heatmapNode = load_result(result_folder).heatmapNodes["guided-backprop"]
    show_heatmap(heatmapNode, opacity=0.3, threshold=0.6)
    for compositeNode in composites:
        assert layers(compositeNode)[1:] == (heatmapNode.GetID(), 0.3)
    assert heatmapNode.GetDisplayNode().GetLowerThreshold() == 0.6


def test_hiding_brings_the_users_foreground_back(scene, ct, composites, result_folder):
    pet = add_ct_node(ct, "PET")
    for compositeNode in composites[:2]:
        compositeNode.SetForegroundVolumeID(pet.GetID())
        compositeNode.SetForegroundOpacity(0.8)
    nodes = load_result(result_folder)
    show_heatmap(nodes.heatmapNodes["guided-backprop"])  # a heatmap after a heatmap
    hide_heatmaps()
    assert [layers(node)[1:] for node in composites] == [(pet.GetID(), 0.8), (pet.GetID(), 0.8), (None, 0.0)]


def test_hiding_leaves_what_the_user_put_there_meanwhile(scene, ct, composites, result_folder):
    load_result(result_folder)
    pet = add_ct_node(ct, "PET")
    composites[1].SetForegroundVolumeID(pet.GetID())
    hide_heatmaps()
    assert [node.GetForegroundVolumeID() for node in composites] == [None, pet.GetID(), None]


def test_only_the_heatmap_that_is_shown_has_its_legend(scene, composites, result_folder):
    nodes = load_result(result_folder)
    legends = [
        slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node) for node in nodes.heatmapNodes.values()
    ]
    assert [legend.GetVisibility() for legend in legends] == [1, 0]
    show_heatmap(nodes.heatmapNodes["guided-backprop"])
    assert [legend.GetVisibility() for legend in legends] == [0, 1]
    hide_heatmaps()
    assert [legend.GetVisibility() for legend in legends] == [0, 0]


def test_slice_views_that_come_later_show_it_too(scene, result_folder):
    nodes = load_result(result_folder)
    selectionNode = slicer.app.applicationLogic().GetSelectionNode()
    assert selectionNode.GetSecondaryVolumeID() == nodes.heatmapNodes["gradcam"].GetID()
    hide_heatmaps()
    assert not selectionNode.GetSecondaryVolumeID()


def test_loading_again_does_not_show_what_the_reader_hid(scene, composites, result_folder):
    load_result(result_folder)
    hide_heatmaps()
    load_result(result_folder)
    assert [node.GetForegroundVolumeID() for node in composites] == [None] * 3


@pytest.mark.parametrize(("opacity", "threshold"), [(1.5, 0.1), (0.5, -0.1), (float("nan"), 0.1)])
def test_values_outside_0_to_1_are_a_mistake(scene, result_folder, opacity, threshold):
    heatmapNode = load_result(result_folder).heatmapNodes["gradcam"]
    with pytest.raises(ValueError, match="must be from 0 to 1, got"):
        show_heatmap(heatmapNode, opacity, threshold)


def test_a_volume_of_the_users_is_no_heatmap(scene, ct):
    with pytest.raises(ValueError, match="not a heatmap of a result"):
        show_heatmap(add_ct_node(ct))
