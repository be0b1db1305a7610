"""Heatmaps in 3D as a cloud: volume rendering in the colors of the slices, nothing below the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ece_core.scene.heatmap import METHOD
from ece_core.scene.heatmap_colors import NUMBER_OF_COLORS, heatmap_color

if TYPE_CHECKING:
    import slicer

STEP = 1e-3  # of the heatmap's values, over which the cloud begins at the threshold
FAINT = 0.1  # of the opacity that the maximum has, right at the threshold
UNIT_MM = 4.0  # of tissue, of which the opacity is meant
SURFACE_OPACITY = 0.35  # of the lymph nodes: a cloud lies within them, too
FORMER_OPACITY = "ECE.FormerOpacity3D"  # attribute of the segmentation's display node


def show_as_volume(
    heatmapNode: slicer.vtkMRMLScalarVolumeNode,
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    opacity: float,
    threshold: float,
) -> bool:
    """Show a heatmap as a cloud in all 3D views, in and around lymph nodes that one can see through.

    Parameters
    ----------
    opacity
        0 to 1: of 4 mm of tissue at the maximum.
    threshold
        0 to 1: below, all is transparent.

    Returns
    -------
    bool
        False: this Slicer has no Volume Rendering module.
    """
    import slicer

    module = getattr(slicer.modules, "volumerendering", None)
    if module is None:
        return False
    logic = module.logic()
    display = logic.GetFirstVolumeRenderingDisplayNode(heatmapNode)
    if display is None:
        display = logic.CreateDefaultVolumeRenderingNodes(heatmapNode)
        for node in (display, display.GetVolumePropertyNode()):
            node.SetSaveWithScene(False)  # made from the heatmap whenever it is asked for
    with slicer.util.NodeModify(display.GetVolumePropertyNode()):
        _set_property(display.GetVolumePropertyNode().GetVolumeProperty(), opacity, threshold)
    display.SetVisibility(True)
    surfaces = segmentationNode.GetDisplayNode()
    if surfaces.GetAttribute(FORMER_OPACITY) is None:
        surfaces.SetAttribute(FORMER_OPACITY, repr(surfaces.GetOpacity3D()))
        surfaces.SetOpacity3D(min(SURFACE_OPACITY, surfaces.GetOpacity3D()))
    return True


def hide_volumes(but: slicer.vtkMRMLScalarVolumeNode | None = None) -> None:
    """Hide the clouds of our heatmaps; volume renderings of the user's stay.

    Parameters
    ----------
    but
        This one stays; None: the lymph nodes are as opaque again as they were.
    """
    import slicer

    for display in slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode"):
        volumeNode = display.GetVolumeNode()
        if volumeNode is not None and volumeNode.GetAttribute(METHOD) and volumeNode is not but:
            display.SetVisibility(False)
    if but is None:
        for surfaces in slicer.util.getNodesByClass("vtkMRMLSegmentationDisplayNode"):
            former = surfaces.GetAttribute(FORMER_OPACITY)
            if former is not None:
                surfaces.SetOpacity3D(float(former))
                surfaces.RemoveAttribute(FORMER_OPACITY)


def _set_property(volumeProperty, opacity: float, threshold: float) -> None:
    import vtk

    colors, scalarOpacity, gradientOpacity = (
        vtk.vtkColorTransferFunction(), vtk.vtkPiecewiseFunction(), vtk.vtkPiecewiseFunction()
    )  # fmt: skip
    for index in range(0, NUMBER_OF_COLORS, 15):
        value = index / (NUMBER_OF_COLORS - 1)
        colors.AddRGBPoint(value, *heatmap_color(value))
    for value, share in ((0.0, 0.0), (max(threshold - STEP, 0.0), 0.0), (threshold, FAINT), (1.0, 1.0)):
        scalarOpacity.AddPoint(value, share * opacity)
    gradientOpacity.AddPoint(0.0, 1.0)
    volumeProperty.SetColor(colors)
    volumeProperty.SetScalarOpacity(scalarOpacity)
    volumeProperty.SetGradientOpacity(gradientOpacity)
    volumeProperty.SetScalarOpacityUnitDistance(UNIT_MM)
    volumeProperty.SetInterpolationTypeToLinear()
    volumeProperty.ShadeOff()
