"""Labelmaps of a segmentation: many outlines into one, and where the lymph nodes lie in one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ece_core.geometry import Array
from ece_core.review.outline import Outline
from ece_core.scene.ras import LPS_TO_RAS, image_of

if TYPE_CHECKING:
    import slicer

Box = tuple[slice, slice, slice]
# A labelmap of a neck has fifty million voxels, and is asked for its lymph nodes with every click. VTK's time of
# change is unique to an object and its state, so that an old answer cannot be taken for a new one.
_boxes: OrderedDict[int, list[Box | None]] = OrderedDict()
KEPT = 256  # labelmaps: the Segment Editor gives what it changes a small one of its own


def shared_labelmap(outlines: Mapping[int, Outline], affine: np.ndarray) -> slicer.vtkOrientedImageData:
    """All outlines, by label, in one labelmap without the empty borders of the CT grid; one voxel if there is none.

    One labelmap for all segments, as Slicer's own files hold them: importing twelve segments one by one into a
    512x512x160 grid takes seconds.

    Parameters
    ----------
    affine
        (4, 4), voxel (i, j, k) of the CT grid to LPS mm.
    """
    import slicer
    import vtk

    start = np.min([outline.start_kji for outline in outlines.values()], axis=0) if outlines else np.zeros(3, int)
    stop = np.max([outline.stop_kji for outline in outlines.values()], axis=0) if outlines else np.ones(3, int)
    block = np.zeros(tuple(stop - start), np.uint8 if max(outlines, default=0) < 256 else np.uint16)
    for label, outline in outlines.items():
        k, j, i = (int(value) for value in np.array(outline.start_kji) - start)
        Outline((k, j, i), outline.block).paint(block, label)
    k, j, i = (int(value) for value in start)
    labelmap = image_of(block, (k, j, i), slicer.vtkOrientedImageData())
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((LPS_TO_RAS @ affine).ravel())
    labelmap.SetGeometryFromImageToWorldMatrix(matrix)
    return labelmap


def array_of(labelmap: slicer.vtkOrientedImageData | None) -> Array | None:
    """(K, J, I) view of a labelmap's voxels; None: it has none."""
    from vtk.util.numpy_support import vtk_to_numpy

    if labelmap is None or labelmap.GetPointData().GetScalars() is None:
        return None
    extent = labelmap.GetExtent()
    shape = [extent[2 * axis + 1] - extent[2 * axis] + 1 for axis in (2, 1, 0)]
    if min(shape) < 1:
        return None
    return vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(shape)


def box_of(labelmap: slicer.vtkOrientedImageData | None, label: int) -> Box | None:
    """Where a label lies in the array of a labelmap; None: nowhere."""
    if labelmap is None:
        return None
    time = labelmap.GetMTime()
    if time not in _boxes:
        _boxes[time] = _find_boxes(array_of(labelmap))
        while len(_boxes) > KEPT:
            _boxes.popitem(last=False)
    boxes = _boxes[time]
    return boxes[label - 1] if 0 < label <= len(boxes) else None


def affine_of(labelmap: slicer.vtkOrientedImageData) -> np.ndarray:
    """(4, 4), voxel (i, j, k) of the labelmap's grid, whose array begins at its extent, to LPS mm."""
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    return LPS_TO_RAS @ slicer.util.arrayFromVTKMatrix(matrix)


def start_of(labelmap: slicer.vtkOrientedImageData) -> np.ndarray:
    """(k, j, i) of the array's first voxel on the labelmap's grid."""
    return np.array(labelmap.GetExtent()[4::-2])


def _find_boxes(array: Array | None) -> list[Box | None]:
    from scipy import ndimage

    return [] if array is None else ndimage.find_objects(array)
