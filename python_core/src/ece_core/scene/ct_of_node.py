"""The scan in the scene as the core's volume, on the grid that a result was made on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ece_core.errors import GeometryError
from ece_core.geometry import Volume
from ece_core.scene.ras import LPS_TO_RAS

if TYPE_CHECKING:
    import slicer


def ct_of_node(volumeNode: slicer.vtkMRMLVolumeNode, shape_kji: tuple[int, int, int], affine: np.ndarray) -> Volume:
    """(K, J, I) HU on the grid of a result. Voxels are taken as they are, never interpolated.

    Slicer may hold the same scan with another order of slices, rows or columns.

    Parameters
    ----------
    shape_kji, affine
        Of the result's grid; (4, 4), voxel (i, j, k) to LPS mm.

    Raises
    ------
    GeometryError
        The scan lies on another grid.
    """
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    theirs = LPS_TO_RAS @ slicer.util.arrayFromVTKMatrix(matrix)
    array = reordered(slicer.util.arrayFromVolume(volumeNode), np.linalg.inv(theirs) @ affine)
    if array is None or array.shape != tuple(shape_kji):
        raise GeometryError(
            "The chosen volume is not on the grid of the result.",
            "Choose the scan that was analyzed, as it was loaded (not cropped or resampled).",
        )
    return Volume(array, affine)


def reordered(array: np.ndarray, to_array: np.ndarray) -> np.ndarray | None:
    """The array as another grid sees it: axes exchanged and turned round; None: the grids do not share their voxels.

    Parameters
    ----------
    array
        (K, J, I).
    to_array
        (4, 4): voxel (i, j, k, 1) of the other grid to a voxel of ``array``, in the order i, j, k.
    """
    turn = np.rint(to_array[:3, :3]).astype(int)
    is_turn = np.array_equal(np.abs(turn).sum(axis=0), [1, 1, 1]) and np.array_equal(turn @ turn.T, np.eye(3))
    if not is_turn or np.abs(to_array[:3, :3] - turn).max() > 1e-3:
        return None
    source = [
        int(np.flatnonzero(turn[:, axis])[0]) for axis in range(3)
    ]  # axis of ours -> axis of the array, as i, j, k
    view = array.transpose(2, 1, 0).transpose(source)
    for axis in range(3):
        backwards = turn[source[axis], axis] < 0
        first = view.shape[axis] - 1 if backwards else 0
        if abs(to_array[source[axis], 3] - first) > 0.05:  # a twentieth of a voxel
            return None
        if backwards:
            view = np.flip(view, axis)
    return view.transpose(2, 1, 0)
