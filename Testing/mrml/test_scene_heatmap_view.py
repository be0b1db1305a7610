"""A heatmap of one lymph node or of all, as a cloud and on surfaces in 3D: nodes, values, pixels."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from ece_core.scene import HeatmapView, hide_heatmaps, load_result, show_heatmap_view
from ece_core.scene.heatmap import volume_of_node
from ece_core.scene.heatmap_colors import heatmap_color
from ece_core.scene.heatmap_selection import selected_heatmap
from ece_core.scene.heatmap_surface import blended, painted_surfaces, sampled
from ece_core.scene.jump import lymph_node_center_ras
from phantom_result import BOXES, DIRECTIONS, a_ct, a_heatmap, add_ct_node
from slicer_views import ThreeDView
from vtk.util.numpy_support import vtk_to_numpy


@pytest.fixture
def nodes(scene, ct, result_folder):
    return load_result(result_folder, add_ct_node(ct))


@pytest.fixture
def gradcam(nodes):
    return nodes.heatmapNodes["gradcam"]


@pytest.fixture
def view(egl, scene, nodes):
    threeD = ThreeDView("1", (300, 300))
    threeD.look_from((0, 1, 0), lymph_node_center_ras(nodes.segmentationNode, "LN1"), 90)
    yield threeD
    threeD.close()


def show(nodes, **choice) -> bool:
    return show_heatmap_view(nodes.heatmapNodes["gradcam"], nodes.segmentationNode, HeatmapView(**choice))


def clouds() -> list[str]:
    displays = slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode")
    return [display.GetVolumeNode().GetName() for display in displays if display.GetVisibility()]


def painted() -> dict:
    return {node.GetAttribute("ECE.PaintedLymphNode"): node for node in painted_surfaces()}


def legends() -> list[str]:
    found = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    return sorted(legend.GetDisplayableNode().GetName() for legend in found if legend.GetVisibility())


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_one_lymph_nodes_part_is_cut_out_where_it_lies(scene, results, direction):
    ct = a_ct(DIRECTIONS[direction])
    nodes = load_result(results[direction], add_ct_node(ct))
    node = selected_heatmap(nodes.heatmapNodes["gradcam"], nodes.segmentationNode, "LN1")
    part, whole = volume_of_node(node), a_heatmap(ct)
    start, stop = np.array(BOXES[1])
    border = np.ceil(8.0 / np.array(ct.spacing_mm)).astype(int)
    first = np.maximum(start - border, (2, 5, 7))
    assert part.origin_lps_mm == pytest.approx(ct.to_lps(first), abs=1e-3)
    assert part.shape == tuple(np.minimum(stop + border, (16, 30, 40)) - first)
    offset = first - (2, 5, 7)
    inside = tuple(slice(a, a + n) for a, n in zip(offset, part.shape, strict=True))
    np.testing.assert_array_equal(part.array, whole.array[inside])


def test_the_part_follows_the_selection_in_one_node(nodes, gradcam):
    one = selected_heatmap(gradcam, nodes.segmentationNode, "LN1")
    other = selected_heatmap(nodes.heatmapNodes["guided-backprop"], nodes.segmentationNode, "LN2")
    assert one is other and not one.GetSaveWithScene()
    assert one.GetAttribute("ECE.HeatmapMethod") == "guided-backprop"
    assert volume_of_node(one).array.max() == pytest.approx(0.1)  # LN1's ones are not in it


def test_the_slices_show_the_part_or_all(scene, nodes, gradcam):
    red = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "Red")
    assert show(nodes, lymph_node_id="LN1", opacity=0.3)
    part = slicer.util.getNode("Heatmap of the selected lymph node")
    assert (red.GetForegroundVolumeID(), red.GetForegroundOpacity()) == (part.GetID(), 0.3)
    assert legends() == [part.GetName()]
    assert show(nodes, legend=False)
    assert red.GetForegroundVolumeID() == gradcam.GetID() and legends() == []
    hide_heatmaps()
    assert not red.GetForegroundVolumeID()


def test_where_there_is_no_heatmap_nothing_is_shown(scene, nodes):
    red = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", "Red")
    show(nodes, mode="volume")
    assert not show(nodes, lymph_node_id="LN9", mode="volume")
    assert not red.GetForegroundVolumeID() and clouds() == []


def test_modes_exclude_each_other_and_leave_nothing_behind(scene, nodes):
    count, display = scene.GetNumberOfNodesByClass("vtkMRMLModelNode"), nodes.segmentationNode.GetDisplayNode()
    show(nodes, mode="surface")
    assert sorted(painted()) == ["LN1", "LN2", "LN3"] and clouds() == []
    assert all(display.GetSegmentVisibility3D(name) for name in ("LN1", "LN2", "LN3")), "nothing to be saved hidden"
    assert legends() == ["Grad-CAM", "Heatmap legend"]
    show(nodes, mode="volume")
    assert painted() == {} and clouds() == ["Grad-CAM"]
    assert display.GetOpacity3D() == pytest.approx(0.35)
    show(nodes, mode="volume", lymph_node_id="LN1")
    assert clouds() == ["Heatmap of the selected lymph node"]
    hide_heatmaps()
    assert clouds() == [] and legends() == [] and display.GetOpacity3D() == 1.0
    assert scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == count
    displays = scene.GetNumberOfNodesByClass("vtkMRMLDisplayNode")
    show(nodes, mode="surface")
    hide_heatmaps()
    assert scene.GetNumberOfNodesByClass("vtkMRMLDisplayNode") == displays


def test_hidden_lymph_nodes_are_not_painted(nodes):
    nodes.segmentationNode.GetDisplayNode().SetSegmentVisibility("LN2", False)
    show(nodes, mode="surface")
    assert sorted(painted()) == ["LN1", "LN3"]
    show(nodes, mode="surface", lymph_node_id="LN1")
    assert sorted(painted()) == ["LN1"]


def test_another_mode_is_refused(nodes):
    with pytest.raises(ValueError, match="mode must be one of slices, volume, surface, got 'cloud'"):
        show(nodes, mode="cloud")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_values_are_sampled_at_points_in_space(direction):
    heatmap = a_heatmap(a_ct(DIRECTIONS[direction]))
    indices = np.array([[4, 8, 10], [4.5, 8.5, 10.5], [10, 15, 20], [10, 15, 400]])  # k, j, i of the CT
    lps = a_ct(DIRECTIONS[direction]).to_lps(indices)
    assert sampled(heatmap, lps * (-1, -1, 1)) == pytest.approx([1.0, 1.0, 0.1, 0.0], abs=1e-5)


def test_colors_are_blended_above_the_threshold_only():
    mixed = blended(np.array([0.1, 0.2, 1.0]), (0.2, 0.4, 0.6), opacity=0.25, threshold=0.2)
    assert mixed[0].tolist() == [51, 102, 153]
    for row, value in ((1, 0.2), (2, 1.0)):
        expected = 0.25 * 255 * np.array(heatmap_color(value)) + 0.75 * np.array([51, 102, 153])
        assert mixed[row] == pytest.approx(expected, abs=0.51)


def test_a_painted_surface_has_its_values_and_its_place(nodes):
    show(nodes, mode="surface", threshold=0.2, opacity=1.0)
    data = painted()["LN1"].GetPolyData()
    values = vtk_to_numpy(data.GetPointData().GetArray("heatmap"))
    assert values.min() >= 0.1 and values.max() <= 1.0 and values.max() > 0.7
    segment = nodes.segmentationNode.GetSegmentation().GetSegment("LN1")
    around = np.array(data.GetBounds()) - segment.GetRepresentation("Closed surface").GetBounds()
    assert (around[1::2] > 0).all() and (around[::2] < 0).all() and np.abs(around).max() < 0.11
    colors = vtk_to_numpy(data.GetPointData().GetArray("color"))
    assert (colors[values < 0.2] == np.rint(255 * np.array(segment.GetColor()))).all()


def test_a_cloud_is_drawn_above_the_threshold_only(view, nodes):
    nodes.segmentationNode.SetDisplayVisibility(False)
    empty = view.pixels().astype(int)
    show(nodes, mode="volume", opacity=1.0, threshold=0.2, legend=False)
    center = view.pixel_of(lymph_node_center_ras(nodes.segmentationNode, "LN1"))
    drawn = np.argwhere(np.abs(view.pixels() - empty).max(axis=-1) > 20)
    hottest = view.pixels()[center].astype(int)
    assert hottest[0] > 200 and hottest[1] > 200 > hottest[2]  # pale yellow
    assert (np.abs(drawn - center) < 60).all()  # LN1's box and its border, not the crop of 0.1 around it
    show(nodes, mode="volume", opacity=1.0, threshold=0.05, legend=False)
    assert len(np.argwhere(np.abs(view.pixels() - empty).max(axis=-1) > 20)) > 2 * len(drawn)
    hide_heatmaps()
    assert np.abs(view.pixels() - empty).max() <= 1


def test_a_painted_lymph_node_is_drawn_with_the_legend(view, nodes):
    plain = view.pixels().astype(int)
    show(nodes, mode="surface", opacity=1.0, threshold=0.17)
    row, column = view.pixel_of(lymph_node_center_ras(nodes.segmentationNode, "LN1"))
    changed = np.abs(view.pixels() - plain).max(axis=-1) > 30
    assert changed[row - 5 : row + 6, column - 5 : column + 6].any()
    assert changed[:, 200:].sum() > 200  # the legend, on the right
    hide_heatmaps()
    assert np.abs(view.pixels() - plain).max() <= 1
