"""The heatmaps' color legend in the 3D views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ece_core import RESEARCH_USE_ONLY
from ece_core.scene.heatmap import add_legend, set_legend_visible
from ece_core.scene.heatmap_colors import heatmap_color_node

if TYPE_CHECKING:
    import slicer

CARRIER = "ECE.HeatmapLegend"  # attribute of the model that the legend belongs to


def show_legend_in_3d(title: str, center_ras: tuple[float, float, float]) -> None:
    """Show the legend. Slicer draws none in 3D for a volume rendering, nor for a model whose colors are blended: it
    belongs to a model of its own, of one point and no face.

    Parameters
    ----------
    center_ras
        Where the point lies: within the heatmap, so that the model does not widen the scene.
    """
    import slicer
    import vtk

    hide_legend_in_3d()
    points, values = vtk.vtkPoints(), vtk.vtkFloatArray()
    points.InsertNextPoint(*center_ras)
    values.SetName("heatmap")
    values.InsertNextValue(0.0)
    data = vtk.vtkPolyData()
    data.SetPoints(points)
    data.GetPointData().AddArray(values)
    modelNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "Heatmap legend")
    modelNode.SetAttribute(CARRIER, "1")
    modelNode.SetDescription(RESEARCH_USE_ONLY)
    modelNode.SetHideFromEditors(True)
    modelNode.SetAndObservePolyData(data)
    modelNode.CreateDefaultDisplayNodes()
    display = modelNode.GetDisplayNode()
    display.SetActiveScalar("heatmap", vtk.vtkAssignAttribute.POINT_DATA)
    display.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseManualScalarRange)
    display.SetScalarRange(0, 1)
    display.SetAndObserveColorNodeID(heatmap_color_node().GetID())
    display.SetScalarVisibility(True)
    add_legend(modelNode, title)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(modelNode)
    legend.SetVisibility2D(False)  # the slices have the volume's
    set_legend_visible(modelNode, True)
    for node in (modelNode, display, legend):
        node.SetSaveWithScene(False)


def hide_legend_in_3d() -> None:
    for modelNode in list(_carriers()):
        remove_with_display(modelNode)


def remove_with_display(node: slicer.vtkMRMLDisplayableNode) -> None:
    """Remove a node from the scene, and its display nodes, which Slicer would leave there."""
    import slicer

    displays = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    slicer.mrmlScene.RemoveNode(node)
    for display in displays:
        if display is not None:
            slicer.mrmlScene.RemoveNode(display)


def _carriers() -> Iterator[slicer.vtkMRMLModelNode]:
    import slicer

    for modelNode in slicer.util.getNodesByClass("vtkMRMLModelNode"):
        if modelNode.GetAttribute(CARRIER):
            yield modelNode
