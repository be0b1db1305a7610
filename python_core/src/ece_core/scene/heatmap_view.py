"""How a heatmap is looked at: of one lymph node or of all, in the slices, and in 3D as a cloud or on the surfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ece_core.scene.heatmap import OPACITY, THRESHOLD, hide_in_slices, show_heatmap
from ece_core.scene.heatmap_legend import hide_legend_in_3d, show_legend_in_3d
from ece_core.scene.heatmap_selection import selected_heatmap
from ece_core.scene.heatmap_surface import paint_surfaces, unpaint_surfaces
from ece_core.scene.heatmap_volume import hide_volumes, show_as_volume

if TYPE_CHECKING:
    import slicer

SLICES, VOLUME, SURFACE = "slices", "volume", "surface"
MODES = (SLICES, VOLUME, SURFACE)  # the slices show it in each; volume and surface are 3D's


@dataclass(frozen=True)
class HeatmapView:
    """What a reader chose.

    Attributes
    ----------
    opacity, threshold
        0 to 1; below the threshold nothing is tinted.
    lymph_node_id
        Of this lymph node only; None: of all.
    mode
        One of MODES.
    legend
        Whether the colors are explained in the views.
    """

    opacity: float = OPACITY
    threshold: float = THRESHOLD
    lymph_node_id: str | None = None
    mode: str = SLICES
    legend: bool = True


def show_heatmap_view(
    heatmapNode: slicer.vtkMRMLScalarVolumeNode,
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    view: HeatmapView | None = None,
) -> bool:
    """Show a heatmap as chosen; what another choice has shown is taken away.

    Returns
    -------
    bool
        False: the heatmap has nothing around the chosen lymph node, so that nothing is shown; or this Slicer has no
        Volume Rendering module.

    Raises
    ------
    ValueError
        ``mode`` is none of MODES, or as :func:`ece_core.scene.show_heatmap`.
    """
    view = view or HeatmapView()
    if view.mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {view.mode!r}")
    node, names = heatmapNode, [
        segmentationNode.GetSegmentation().GetNthSegmentID(index)
        for index in range(segmentationNode.GetSegmentation().GetNumberOfSegments())
    ]  # fmt: skip
    if view.lymph_node_id is not None:
        node, names = selected_heatmap(heatmapNode, segmentationNode, view.lymph_node_id), [view.lymph_node_id]
    if node is None:
        hide_heatmaps()
        return False
    show_heatmap(node, view.opacity, view.threshold, view.legend)
    unpaint_surfaces()
    hide_volumes(but=node if view.mode == VOLUME else None)
    hide_legend_in_3d()
    shown = True
    if view.mode == SURFACE:
        paint_surfaces(segmentationNode, node, names, view.opacity, view.threshold)
    if view.mode == VOLUME:
        shown = show_as_volume(node, segmentationNode, view.opacity, view.threshold)
    if view.legend and view.mode != SLICES:
        show_legend_in_3d(heatmapNode.GetName(), _center_of(node))
    return shown


def hide_heatmaps() -> None:
    """Take our heatmaps out of all views. Another volume that the user put into the foreground stays."""
    hide_in_slices()
    unpaint_surfaces()
    hide_volumes()
    hide_legend_in_3d()


def _center_of(heatmapNode: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float, float]:
    bounds = [0.0] * 6
    heatmapNode.GetRASBounds(bounds)
    return (bounds[0] + bounds[1]) / 2, (bounds[2] + bounds[3]) / 2, (bounds[4] + bounds[5]) / 2
