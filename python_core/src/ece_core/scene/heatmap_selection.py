"""The heatmap of one lymph node, cut out of the one that all share."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ece_core.geometry import Volume
from ece_core.scene.heatmap import METHOD, add_heatmap, add_legend, volume_of_node
from ece_core.scene.labelmap import affine_of, box_of, start_of
from ece_core.scene.ras import ijk_to_ras, image_of
from ece_core.scene.surfaces import BINARY_LABELMAP

if TYPE_CHECKING:
    import slicer

SELECTION = "ECE.HeatmapSelection"  # attribute of the node that holds the cut: the lymph node's id
AROUND_MM = 8.0  # as far as the classifier sees around a lymph node


def selected_heatmap(
    heatmapNode: slicer.vtkMRMLScalarVolumeNode,
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    lymph_node_id: str,
) -> slicer.vtkMRMLScalarVolumeNode | None:
    """A volume node with the part of a heatmap around one lymph node, as it is outlined now.

    There is one such node in the scene, filled anew with each call and not saved with the scene: the whole heatmap is.
    Where another lymph node's heatmap reaches into the part, the larger value stands, as in the whole.

    Returns
    -------
    vtkMRMLScalarVolumeNode, or None
        None: the heatmap has nothing there (a lymph node that was added), or there is no such lymph node.
    """
    heatmap = volume_of_node(heatmapNode)
    box = _box_around(segmentationNode, lymph_node_id, heatmap)
    if box is None:
        return None
    part = heatmap.crop(*box)
    node = _the_node(heatmapNode, part)
    node.SetAttribute(METHOD, heatmapNode.GetAttribute(METHOD))
    node.SetAttribute(SELECTION, lymph_node_id)
    add_legend(node, heatmapNode.GetName())
    node.SetDescription(heatmapNode.GetDescription())
    node.SetIJKToRASMatrix(ijk_to_ras(part))
    node.SetAndObserveImageData(image_of(part.array))
    node.SetAndObserveTransformNodeID(heatmapNode.GetTransformNodeID())
    return node


def _the_node(heatmapNode: slicer.vtkMRMLScalarVolumeNode, part: Volume) -> slicer.vtkMRMLScalarVolumeNode:
    import slicer

    for volumeNode in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if volumeNode.GetAttribute(SELECTION):
            return volumeNode
    entry = {"method": heatmapNode.GetAttribute(METHOD), "title": heatmapNode.GetName()}
    node = add_heatmap("Heatmap of the selected lymph node", part, entry)
    node.SetSaveWithScene(False)
    return node


def _box_around(segmentationNode: slicer.vtkMRMLSegmentationNode, name: str, heatmap: Volume) -> Any:
    """First and last voxel (k, j, i), half open, of the part of the heatmap's grid."""
    segment = segmentationNode.GetSegmentation().GetSegment(name)
    labelmap = segment.GetRepresentation(BINARY_LABELMAP) if segment is not None else None
    box = box_of(labelmap, segment.GetLabelValue()) if segment is not None else None
    if labelmap is None or box is None:
        return None
    sides = [(side.start, side.stop - 1) for side in box]
    corners = np.array(list(product(*sides)), float) + start_of(labelmap)
    grid = Volume(np.zeros((1, 1, 1), np.uint8), affine_of(labelmap))
    indices = np.round(heatmap.to_index(grid.to_lps(corners)), 3)  # the same grid: whole voxels but for rounding
    border = AROUND_MM / np.array(heatmap.spacing_mm)
    start = np.maximum(np.floor(indices.min(axis=0) - border), 0).astype(int)
    stop = np.minimum(np.ceil(indices.max(axis=0) + border) + 1, heatmap.shape).astype(int)
    return None if (start >= stop).any() else (tuple(start.tolist()), tuple(stop.tolist()))
