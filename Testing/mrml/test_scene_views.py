"""What is drawn: pixels of slice and 3D views, computed by hand from CT, heatmap value and segment color."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from ece_core.scene import hide_heatmaps, jump_to_lymph_node, load_result, show_heatmap
from ece_core.scene.heatmap_colors import heatmap_color
from ece_core.scene.jump import lymph_node_center_ras
from phantom_result import BOXES, add_ct_node
from slicer_views import SliceView, ThreeDView

pytestmark = pytest.mark.usefixtures("egl")

# Window 400, level 40: black at -160 HU, white at 240 HU.
GRAY_OF_TISSUE = 255 * (40 + 160) / 400  # 127.5
GRAY_OF_LYMPH_NODE = 255 * (90 + 160) / 400  # 159.4
GREEN, RED = np.array([68, 172, 100]), np.array([214, 39, 40])


@pytest.fixture
def view(scene):
    sliceView = SliceView("Red", "Axial", (300, 300))
    yield sliceView
    sliceView.close()


@pytest.fixture
def nodes(view, ct, result_folder):
    """The result over its scan, as the user first sees it."""
    loaded = load_result(result_folder, add_ct_node(ct))
    view.fit()
    jump_to_lymph_node(loaded.segmentationNode, "LN1")
    return loaded


def hide_segments(nodes) -> None:
    nodes.segmentationNode.SetDisplayVisibility(False)


def hide_legends() -> None:
    for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        legend.SetVisibility(False)


def color_at(view, ras) -> np.ndarray:
    return view.pixels()[view.pixel_of(ras)].astype(float)


def tissue_ras(nodes) -> np.ndarray:
    """6 mm in front of LN1: tissue, where the heatmap is 0.1 (within its crop)."""
    return lymph_node_center_ras(nodes.segmentationNode, "LN1") - (6, 0, 0)


def is_tinted(pixels: np.ndarray) -> np.ndarray:
    return pixels.max(axis=-1).astype(int) - pixels.min(axis=-1) > 3


def test_the_heatmap_has_its_color_at_a_known_voxel(view, nodes):
    hide_segments(nodes)
    heat = 255 * np.array(heatmap_color(1.0))
    found = color_at(view, lymph_node_center_ras(nodes.segmentationNode, "LN1"))
    assert found == pytest.approx(0.5 * GRAY_OF_LYMPH_NODE + 0.5 * heat, abs=3)


def test_opacity_decides_how_much_of_the_scan_is_seen(view, nodes):
    hide_segments(nodes)
    show_heatmap(nodes.heatmapNodes["gradcam"], opacity=0.25)
    heat = 255 * np.array(heatmap_color(1.0))
    found = color_at(view, lymph_node_center_ras(nodes.segmentationNode, "LN1"))
    assert found == pytest.approx(0.75 * GRAY_OF_LYMPH_NODE + 0.25 * heat, abs=3)


def test_nothing_is_tinted_below_the_threshold(view, nodes):
    hide_segments(nodes)
    hide_legends()
    assert color_at(view, tissue_ras(nodes)) == pytest.approx([GRAY_OF_TISSUE] * 3, abs=2)
    tinted = np.argwhere(is_tinted(view.pixels()))
    # All tinted pixels lie in LN1's box (i 8-13 at 1.5 mm, j 6-11 at 1 mm), a voxel wider for interpolation.
    center = np.array(view.pixel_of(lymph_node_center_ras(nodes.segmentationNode, "LN1")))
    pixels_per_mm = view.size[0] / view.node.GetFieldOfView()[0]
    half_mm = np.array([6 * 1.0 / 2 + 1.0, 6 * 1.5 / 2 + 1.5])
    assert len(tinted) > 100
    assert (np.abs(tinted - center) <= half_mm * pixels_per_mm + 1).all()


def test_a_lower_threshold_tints_more(view, nodes):
    hide_segments(nodes)
    show_heatmap(nodes.heatmapNodes["gradcam"], threshold=0.05)
    expected = 0.5 * GRAY_OF_TISSUE + 0.5 * 255 * np.array(heatmap_color(0.1))
    assert color_at(view, tissue_ras(nodes)) == pytest.approx(expected, abs=3)


def test_hidden_heatmaps_leave_the_scan_gray(view, nodes):
    hide_segments(nodes)
    hide_heatmaps()
    assert not is_tinted(view.pixels()).any()


def test_the_fill_of_a_segment_blends_with_the_scan(view, nodes):
    """Guards the order of drawing: behind the image's back, the fill would blend with black."""
    hide_heatmaps()
    opacity = nodes.segmentationNode.GetDisplayNode().GetOpacity2DFill()
    assert 0 < opacity < 1
    for name, color in (("LN1", GREEN), ("LN2", RED)):
        jump_to_lymph_node(nodes.segmentationNode, name)
        found = color_at(view, lymph_node_center_ras(nodes.segmentationNode, name))
        assert found == pytest.approx((1 - opacity) * GRAY_OF_LYMPH_NODE + opacity * color, abs=3)


def test_the_outline_has_the_full_color_of_the_class(view, nodes):
    hide_heatmaps()
    jump_to_lymph_node(nodes.segmentationNode, "LN2")
    pixels = view.pixels().astype(int)
    outline = (np.abs(pixels - RED) <= 12).all(axis=-1)
    assert outline.sum() > 40
    assert (np.abs(pixels - GREEN) > 12).any(axis=-1).all()  # LN1 lies in other slices


def test_a_jump_brings_the_lymph_node_to_the_center(view, nodes):
    hide_heatmaps()
    for name in ("LN1", "LN2", "LN3"):
        jump_to_lymph_node(nodes.segmentationNode, name)
        center = lymph_node_center_ras(nodes.segmentationNode, name)
        assert view.pixel_of(center) == pytest.approx((150, 150), abs=1)
        assert is_tinted(view.pixels()[149:152, 149:152]).all()


def test_the_patients_right_is_drawn_on_the_left(view, nodes):
    right, left = (lymph_node_center_ras(nodes.segmentationNode, name) for name in ("LN1", "LN2"))
    assert view.pixel_of(right)[1] < view.pixel_of(left)[1]
    assert view.pixel_of(right)[0] < view.pixel_of(left)[0]  # LN1 lies further in front, which is up


def test_the_legend_is_drawn_with_the_heatmap(view, nodes):
    hide_segments(nodes)
    with_legend = view.pixels().astype(int)
    hide_legends()
    changed = np.argwhere(np.abs(view.pixels() - with_legend).max(axis=-1) > 30)
    assert len(changed) > 200
    assert changed[:, 1].min() > 150  # on the right side


def test_surfaces_are_drawn_in_3d_in_the_color_of_their_class(scene, ct, result_folder):
    nodes = load_result(result_folder, add_ct_node(ct))
    view = ThreeDView("1", (300, 300))
    focus = np.mean([lymph_node_center_ras(nodes.segmentationNode, f"LN{label}") for label in BOXES], axis=0)
    view.look_from((0, 1, 0), focus, 200)
    pixels, hue = view.pixels().astype(int), {}
    for name in ("LN1", "LN2"):
        row, column = view.pixel_of(lymph_node_center_ras(nodes.segmentationNode, name))
        hue[name] = (column, int(pixels[row, column].argmax()))
    assert (hue["LN1"][1], hue["LN2"][1]) == (1, 0)  # green, red
    assert hue["LN1"][0] < hue["LN2"][0]  # seen from the front, the patient's right is on the left
    hide_segments(nodes)
    assert np.abs(view.pixels().astype(int) - pixels).max() > 60
    view.close()
