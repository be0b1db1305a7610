"""Outlines in the scene: read what the user painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ece_core.geometry import Volume
from ece_core.review.outline import Outline
from ece_core.scene.labelmap import affine_of, array_of, box_of, start_of
from ece_core.scene.surfaces import BINARY_LABELMAP

if TYPE_CHECKING:
    import slicer


def outlines_in(
    segmentationNode: slicer.vtkMRMLSegmentationNode, shape_kji: tuple[int, int, int], affine: np.ndarray
) -> dict[str, Outline | None]:
    """By segment, its outline on the grid of the result; None: it is empty.

    Voxels are taken by their centers, whichever grid the Segment Editor has put them on; those outside of the scan
    are left out.
    """
    segmentation = segmentationNode.GetSegmentation()
    found: dict[str, Outline | None] = {}
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        labelmap, label = segment.GetRepresentation(BINARY_LABELMAP), segment.GetLabelValue()
        box, name = box_of(labelmap, label), segmentation.GetNthSegmentID(index)
        found[name] = None if box is None else _outline(labelmap, label, box, shape_kji, affine)
    return found


def _outline(
    labelmap: slicer.vtkOrientedImageData, label: int, box: tuple, shape_kji, affine: np.ndarray
) -> Outline | None:
    array: Any = array_of(labelmap)
    block = array[box] == label
    own = affine_of(labelmap)
    first = np.array([side.start for side in box]) + start_of(labelmap)
    if np.allclose(own, affine, atol=1e-4):
        k, j, i = (int(value) for value in first)
        outline = Outline.from_block((k, j, i), block)
        if outline.inside(shape_kji):
            return outline
    voxels = np.argwhere(block) + first
    centers_lps = Volume(np.zeros((1, 1, 1), np.uint8), own).to_lps(voxels)
    voxels = np.rint(Volume(np.zeros((1, 1, 1), np.uint8), affine).to_index(centers_lps)).astype(int)
    voxels = voxels[((voxels >= 0) & (voxels < np.array(shape_kji))).all(axis=1)]
    if len(voxels) == 0:
        return None
    start = voxels.min(axis=0)
    tight = np.zeros(tuple(np.ptp(voxels, axis=0) + 1), bool)
    tight[tuple((voxels - start).T)] = True
    k, j, i = (int(value) for value in start)
    return Outline.from_block((k, j, i), tight)
