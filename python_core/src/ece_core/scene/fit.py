"""Whether a result lies on the scan that it is to be shown on."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ece_core.errors import GeometryError
from ece_core.geometry import Volume
from ece_core.scene.ras import LPS_TO_RAS

if TYPE_CHECKING:
    import slicer


def check_fit(instances: Volume, volumeNode: slicer.vtkMRMLVolumeNode) -> None:
    """Refuse to lay a result over a scan that it was not made from.

    Compared are the eight corners in patient space, each with its nearest: Slicer may hold the same scan with
    another order of slices or rows.

    Raises
    ------
    GeometryError
        A corner is further away than one voxel.
    """
    if volumeNode.GetImageData() is None:
        raise GeometryError("The chosen volume is empty.", "Choose the scan that was analyzed.")
    i, j, k = volumeNode.GetImageData().GetDimensions()
    ours = _corners(LPS_TO_RAS @ instances.affine, instances.shape)
    theirs = _corners(_ijk_to_ras(volumeNode), (k, j, i))
    distance = np.linalg.norm(ours[:, None] - theirs[None], axis=-1).min(axis=1).max()
    if distance > max(instances.spacing_mm):
        raise GeometryError(
            f"The result does not fit the chosen volume: their corners are up to {distance:.1f} mm apart.",
            "Choose the scan that was analyzed, or load the result without a volume.",
        )


def _corners(affine: np.ndarray, shape_kji: tuple[int, int, int]) -> np.ndarray:
    k, j, i = shape_kji
    corners = np.array([(*corner, 1.0) for corner in product((0, i - 1), (0, j - 1), (0, k - 1))])
    return (corners @ affine.T)[:, :3]


def _ijk_to_ras(volumeNode: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)
