"""LPS, the core's patient space, to RAS, Slicer's; and numpy's arrays to VTK's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ece_core.geometry import Array, Volume

if TYPE_CHECKING:
    import vtk

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ijk_to_ras(volume: Volume) -> vtk.vtkMatrix4x4:
    """The volume's affine as Slicer's matrix of voxel (i, j, k) to RAS mm."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((LPS_TO_RAS @ volume.affine).ravel())
    return matrix


def image_of(array: Array, start_kji: tuple[int, int, int] = (0, 0, 0), image: vtk.vtkImageData | None = None):
    """A copy of the array as VTK image data.

    Parameters
    ----------
    array
        (K, J, I), any scalar type that VTK has.
    start_kji
        Index of the array's first voxel on the grid: VTK images may begin anywhere.
    image
        Filled and returned; a new vtkImageData when None.
    """
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtk.vtkImageData() if image is None else image
    k, j, i = start_kji
    size_k, size_j, size_i = array.shape
    image.SetExtent(i, i + size_i - 1, j, j + size_j - 1, k, k + size_k - 1)
    scalars = numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image
