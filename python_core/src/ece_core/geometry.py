"""A volume is an array and an affine; spacing, origin and direction are derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ece_core.errors import GeometryError

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels on a regular grid in patient space.

    Parameters
    ----------
    array
        (K, J, I): slice, row, column.
    affine
        (4, 4) float64. Maps a voxel index in the order (i, j, k, 1) to LPS millimetres of the
        voxel's centre, as ITK and NRRD do. (The array is [k, j, i]; the affine's columns are i, j, k.)

    Raises
    ------
    GeometryError
        The affine is not finite, not invertible or sheared (columns not orthogonal), or the array is not 3D.
    """

    array: Array
    affine: Array

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise GeometryError(
                f"The image has shape {self.array.shape}, not three dimensions.",
                "Choose a single 3D volume.",
            )
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError("The image has no usable geometry (affine not finite).", "Export the scan again.")
        columns = affine[:3, :3]
        spacing = np.linalg.norm(columns, axis=0)
        if (spacing <= 0).any():
            raise GeometryError("The voxel spacing is zero in one direction.", "Export the scan again.")
        unit = columns / spacing
        if np.abs(unit.T @ unit - np.eye(3)).max() > 1e-3:
            raise GeometryError(
                "The image axes are not at right angles (a sheared volume).",
                "Resample the scan to a rectangular grid first.",
            )
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, J, I)."""
        k, j, i = self.array.shape
        return k, j, i

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (k, j, i), the order of the array's axes."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(k), float(j), float(i)

    @property
    def origin_lps_mm(self) -> Array:
        """Centre of voxel (0, 0, 0)."""
        return self.affine[:3, 3].copy()

    @property
    def direction(self) -> Array:
        """(3, 3), columns are the unit vectors of i, j, k in LPS."""
        return self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_volume_mm3(self) -> float:
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def to_lps(self, index_kji: ArrayLike) -> Array:
        """Voxel indices (..., 3) in the order k, j, i to points (..., 3) in LPS mm."""
        index = np.asarray(index_kji, dtype=np.float64)[..., ::-1]
        return index @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points_lps: ArrayLike) -> Array:
        """Points (..., 3) in LPS mm to fractional voxel indices (..., 3) in the order k, j, i."""
        inverse = np.linalg.inv(self.affine)
        return (np.asarray(points_lps, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3])[..., ::-1]

    @cached_property
    def _label_boxes(self) -> list:
        from scipy import ndimage

        return ndimage.find_objects(self.array)

    def label_box(self, label: int) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
        """Bounding box (start, stop) in (k, j, i) of one label of a labelmap; None if no voxel has it.

        All boxes are found at the first call and kept: the array must not change after it.
        """
        boxes = self._label_boxes
        if not 1 <= label <= len(boxes) or boxes[label - 1] is None:
            return None
        k, j, i = boxes[label - 1]
        return (k.start, j.start, i.start), (k.stop, j.stop, i.stop)

    def with_array(self, array: Array) -> Volume:
        """The same grid with other values.

        Raises
        ------
        GeometryError
            The new array has another shape.
        """
        if array.shape != self.array.shape:
            raise GeometryError(
                f"Values of shape {array.shape} do not fit a grid of shape {self.array.shape}.",
                "Resample them to the grid first.",
            )
        return Volume(array, self.affine)

    def crop(self, start_kji: tuple[int, int, int], stop_kji: tuple[int, int, int]) -> Volume:
        """The block [start, stop) with its own origin; a copy, so the whole can be freed.

        Raises
        ------
        GeometryError
            The block is empty or leaves the grid.
        """
        start, stop = np.asarray(start_kji), np.asarray(stop_kji)
        if (start < 0).any() or (stop > self.shape).any() or (start >= stop).any():
            raise GeometryError(
                f"The box {tuple(start.tolist())} to {tuple(stop.tolist())} is not inside the grid {self.shape}.",
                "Choose a box inside the scan.",
            )
        affine = self.affine.copy()
        affine[:3, 3] = self.to_lps(start)
        block = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        return Volume(self.array[block].copy(), affine)

    def same_grid(self, other: Volume, tolerance_mm: float = 1e-2) -> bool:
        """Whether both have the same shape and every corner agrees within ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], indexing="ij")).reshape(3, -1).T
        return bool(np.abs(self.to_lps(corners) - other.to_lps(corners)).max() <= tolerance_mm)


def affine_from(spacing_mm: tuple[float, float, float], origin_lps_mm=(0.0, 0.0, 0.0), direction=None) -> Array:
    """Affine (i, j, k) -> LPS from spacing along (k, j, i), origin and unit columns i, j, k."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if direction is None else np.asarray(direction)) * np.asarray(spacing_mm)[::-1]
    affine[:3, 3] = origin_lps_mm
    return affine
