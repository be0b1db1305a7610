"""Heatmaps in the scene: a volume node per method, laid over the scan in the foreground of the slice views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ece_core import RESEARCH_USE_ONLY
from ece_core.geometry import Volume
from ece_core.scene.heatmap_colors import heatmap_color_node
from ece_core.scene.ras import LPS_TO_RAS, ijk_to_ras, image_of

if TYPE_CHECKING:
    import slicer

METHOD = "ECE.HeatmapMethod"  # attribute of our heatmap nodes: the method's name
FORMER_VOLUME, FORMER_OPACITY = "ECE.FormerForeground", "ECE.FormerForegroundOpacity"
OPACITY = 0.5
THRESHOLD = 0.17  # a value below a sixth of a lymph node's maximum is not drawn, so that the scan stays visible
NO_UPPER_LIMIT = 1e6


def add_heatmap(name: str, heatmap: Volume, entry: dict) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a heatmap as a volume node; it is not shown yet.

    Parameters
    ----------
    heatmap
        (K, J, I) float32 in [0, 1], on its own grid.
    entry
        {method, title, file, scaling} of `result.json`.
    """
    import slicer

    heatmapNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    heatmapNode.SetAttribute(METHOD, entry["method"])
    heatmapNode.SetDescription(f"{entry.get('scaling', '')} {RESEARCH_USE_ONLY}".strip())
    heatmapNode.SetIJKToRASMatrix(ijk_to_ras(heatmap))
    heatmapNode.SetAndObserveImageData(image_of(heatmap.array))
    heatmapNode.CreateDefaultDisplayNodes()
    display = heatmapNode.GetDisplayNode()
    display.SetAndObserveColorNodeID(heatmap_color_node().GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0, 1)
    display.SetInterpolate(True)
    _set_threshold(heatmapNode, THRESHOLD)
    add_legend(heatmapNode, entry.get("title") or entry["method"])
    return heatmapNode


def volume_of_node(heatmapNode: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """(K, J, I) values of a heatmap's node, a view, on its grid; without its transform."""
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    heatmapNode.GetIJKToRASMatrix(matrix)
    return Volume(slicer.util.arrayFromVolume(heatmapNode), LPS_TO_RAS @ slicer.util.arrayFromVTKMatrix(matrix))


def show_heatmap(
    heatmapNode: slicer.vtkMRMLScalarVolumeNode,
    opacity: float = OPACITY,
    threshold: float = THRESHOLD,
    legend: bool = True,
) -> None:
    """Lay a heatmap over the scan in all slice views; what lay there before comes back with :func:`hide_in_slices`.

    Parameters
    ----------
    opacity
        0 to 1.
    threshold
        0 to 1; voxels below it are not tinted.
    legend
        Whether the colors are explained in the views.

    Raises
    ------
    ValueError
        ``opacity`` or ``threshold`` is outside 0 to 1, or the node is not a heatmap of ours.
    """
    for name, value in (("opacity", opacity), ("threshold", threshold)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {value}")
    if not heatmapNode.GetAttribute(METHOD):
        raise ValueError("the node is not a heatmap of a result")
    _set_threshold(heatmapNode, threshold)
    for compositeNode in _composite_nodes():
        _keep_former(compositeNode)
        compositeNode.SetForegroundVolumeID(heatmapNode.GetID())
        compositeNode.SetForegroundOpacity(opacity)
    selectionNode = _selection_node()
    if selectionNode is not None:  # so that slice views of a layout chosen later show it, too
        selectionNode.SetSecondaryVolumeID(heatmapNode.GetID())
    for otherNode in _heatmap_nodes():  # last: a legend is drawn only where its volume is shown already
        set_legend_visible(otherNode, legend and otherNode is heatmapNode)


def hide_in_slices() -> None:
    """Take our heatmaps out of the slice views. Another volume that the user put into the foreground stays."""
    ours = {heatmapNode.GetID() for heatmapNode in _heatmap_nodes()}
    for heatmapNode in _heatmap_nodes():
        set_legend_visible(heatmapNode, False)
    for compositeNode in _composite_nodes():
        if compositeNode.GetForegroundVolumeID() in ours:
            _bring_back_former(compositeNode)
    selectionNode = _selection_node()
    if selectionNode is not None and selectionNode.GetSecondaryVolumeID() in ours:
        selectionNode.SetSecondaryVolumeID(None)


def _set_threshold(heatmapNode: slicer.vtkMRMLScalarVolumeNode, threshold: float) -> None:
    display = heatmapNode.GetDisplayNode()
    display.SetThreshold(threshold, NO_UPPER_LIMIT)
    display.SetApplyThreshold(True)


def add_legend(heatmapNode: slicer.vtkMRMLDisplayableNode, title: str) -> None:
    """A color legend for a node that has the heatmaps' colors; it is not shown yet."""
    import slicer

    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(heatmapNode)
    legend.SetTitleText(f"{title}\nResearch use only")
    legend.SetSize(0.10, 0.30)
    legend.SetNumberOfLabels(5)
    legend.SetMaxNumberOfColors(256)
    legend.SetLabelFormat("{:.2f}" if "{" in legend.GetLabelFormat() else "%.2f")
    legend.SetVisibility(False)


def set_legend_visible(heatmapNode: slicer.vtkMRMLDisplayableNode, visible: bool) -> None:
    import slicer

    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(heatmapNode)
    if legend is not None:
        legend.SetVisibility(visible)


def _keep_former(compositeNode: slicer.vtkMRMLSliceCompositeNode) -> None:
    import slicer

    formerId = compositeNode.GetForegroundVolumeID()
    formerNode = slicer.mrmlScene.GetNodeByID(formerId) if formerId else None
    if formerNode is not None and formerNode.GetAttribute(METHOD):
        return  # a heatmap follows a heatmap: what was kept stays kept
    compositeNode.SetAttribute(FORMER_VOLUME, formerId or "")
    compositeNode.SetAttribute(FORMER_OPACITY, repr(compositeNode.GetForegroundOpacity()))


def _bring_back_former(compositeNode: slicer.vtkMRMLSliceCompositeNode) -> None:
    import slicer

    formerId = compositeNode.GetAttribute(FORMER_VOLUME)
    stillThere = formerId and slicer.mrmlScene.GetNodeByID(formerId) is not None
    compositeNode.SetForegroundVolumeID(formerId if stillThere else None)
    compositeNode.SetForegroundOpacity(float(compositeNode.GetAttribute(FORMER_OPACITY) or 0.0))
    compositeNode.RemoveAttribute(FORMER_VOLUME)
    compositeNode.RemoveAttribute(FORMER_OPACITY)


def _heatmap_nodes() -> Iterator[slicer.vtkMRMLScalarVolumeNode]:
    import slicer

    for volumeNode in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if volumeNode.GetAttribute(METHOD):
            yield volumeNode


def _composite_nodes() -> list[slicer.vtkMRMLSliceCompositeNode]:
    import slicer

    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")


def _selection_node() -> slicer.vtkMRMLSelectionNode | None:
    import slicer

    return slicer.app.applicationLogic().GetSelectionNode()
