"""Heatmaps painted on the surfaces of lymph nodes in 3D."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.geometry import Array, Volume
from ece_core.scene.heatmap import volume_of_node
from ece_core.scene.heatmap_colors import POINTS
from ece_core.scene.heatmap_legend import remove_with_display
from ece_core.scene.ras import LPS_TO_RAS
from ece_core.scene.surfaces import CLOSED_SURFACE

if TYPE_CHECKING:
    import slicer

PAINTED = "ECE.PaintedLymphNode"  # attribute of our models: the lymph node's id
OUTWARDS_MM = 0.1  # the model lies over the segment's own surface: nothing of the segmentation is hidden or saved so
VALUES, COLORS = "heatmap", "color"  # point arrays of the model


def paint_surfaces(
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    heatmapNode: slicer.vtkMRMLScalarVolumeNode,
    lymph_node_ids: Sequence[str],
    opacity: float,
    threshold: float,
) -> None:
    """Show these lymph nodes with the heatmap's value at their surface, and the others as they are.

    Where the value is at the threshold or above, its color is blended with that of the class, as in the slices it is
    with the scan; elsewhere the class's color stays. Models are made anew; none is saved with the scene.

    Parameters
    ----------
    opacity, threshold
        0 to 1.
    """
    unpaint_surfaces()
    heatmap = volume_of_node(heatmapNode)
    segmentation, display = segmentationNode.GetSegmentation(), segmentationNode.GetDisplayNode()
    for name in lymph_node_ids:
        segment = segmentation.GetSegment(name)
        surface = segment.GetRepresentation(CLOSED_SURFACE) if segment is not None else None
        shown = display.GetVisibility() and display.GetSegmentVisibility(name) and display.GetSegmentVisibility3D(name)
        if surface is None or surface.GetNumberOfPoints() == 0 or not shown:
            continue
        painted = _painted(surface, heatmap, segment.GetColor(), opacity, threshold)
        modelNode = _add_model(f"{name} heatmap", painted)
        modelNode.SetAttribute(PAINTED, name)
        modelNode.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())


def unpaint_surfaces() -> None:
    """Remove the painted surfaces; the segments' own are seen again."""
    for modelNode in list(painted_surfaces()):
        remove_with_display(modelNode)


def painted_surfaces() -> Iterator[slicer.vtkMRMLModelNode]:
    import slicer

    for modelNode in slicer.util.getNodesByClass("vtkMRMLModelNode"):
        if modelNode.GetAttribute(PAINTED):
            yield modelNode


def sampled(heatmap: Volume, points_ras: Array) -> Array:
    """(N,) values at (N, 3) points, trilinear; 0 outside of the heatmap's grid."""
    from scipy import ndimage

    points_lps = points_ras @ LPS_TO_RAS[:3, :3]
    return ndimage.map_coordinates(heatmap.array, heatmap.to_index(points_lps).T, order=1, mode="constant", cval=0.0)


def blended(values: Array, color: Sequence[float], opacity: float, threshold: float) -> Array:
    """(N, 3) uint8: the heatmap's colors over one color, 0 to 1."""
    position = np.clip(values, 0, 1) * (len(POINTS) - 1)
    heat = np.stack([np.interp(position, range(len(POINTS)), channel) for channel in np.array(POINTS).T], axis=1)
    own = 255 * np.array(color, float)
    mixed = np.where((values >= threshold)[:, None], opacity * heat + (1 - opacity) * own, own)
    return np.rint(mixed).astype(np.uint8)


def _painted(surface, heatmap: Volume, color: Sequence[float], opacity: float, threshold: float):
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    normals = vtk.vtkPolyDataNormals()
    normals.SplittingOff()
    normals.SetInputData(surface)
    normals.Update()
    painted, points = vtk.vtkPolyData(), vtk.vtkPoints()
    painted.ShallowCopy(normals.GetOutput())  # triangles and normals are shared, points and arrays are its own
    directions = vtk_to_numpy(painted.GetPointData().GetNormals())
    at = vtk_to_numpy(painted.GetPoints().GetData()).astype(float)
    points.SetData(numpy_to_vtk(at + OUTWARDS_MM * directions, deep=True))
    painted.SetPoints(points)
    values = sampled(heatmap, at)
    for name, array in ((VALUES, values.astype(np.float32)), (COLORS, blended(values, color, opacity, threshold))):
        scalars = numpy_to_vtk(array, deep=True)
        scalars.SetName(name)
        painted.GetPointData().AddArray(scalars)
    return painted


def _add_model(name: str, painted) -> slicer.vtkMRMLModelNode:
    import slicer
    import vtk

    modelNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", name)
    modelNode.SetDescription(RESEARCH_USE_ONLY)
    modelNode.SetSaveWithScene(False)
    modelNode.SetAndObservePolyData(painted)
    modelNode.CreateDefaultDisplayNodes()
    display = modelNode.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetActiveScalar(COLORS, vtk.vtkAssignAttribute.POINT_DATA)
    display.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseDirectMapping)
    display.SetScalarVisibility(True)
    display.SetVisibility2D(False)
    return modelNode
