"""Resampling as nnU-Net v2 does it (`resample_data_or_seg_to_shape`), as one matrix per axis.

Cubic for images, linear for logits; along the slices of a thick stack the nearest slice, as nnU-Net does where one
spacing is more than three times another. Nothing is smoothed when it shrinks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

Array = np.ndarray
Three = Sequence[float]

ANISOTROPIC = 3.0  # nnU-Net's ANISO_THRESHOLD


def thick_axis(spacing_mm: Three, other_mm: Three) -> int | None:
    """The axis that is resampled apart, by nearest neighbor: the one thick axis of the first, else of the second grid.

    None where no spacing is more than three times another, or where two axes are equally thick.
    """
    for spacing in (np.asarray(spacing_mm), np.asarray(other_mm)):
        if spacing.max() / spacing.min() > ANISOTROPIC:
            thick = np.flatnonzero(np.isclose(spacing, spacing.max()))
            return int(thick[0]) if len(thick) == 1 else None
    return None


def spline_matrix(n_in: int, n_out: int, order: int) -> Array:
    """(n_out, n_in) float32: what `skimage.transform.resize` (edge, no anti-aliasing) does along one axis."""
    if n_in == n_out:
        return np.eye(n_in, dtype=np.float32)
    if order == 0:
        nearest = np.floor(n_in / n_out * (np.arange(n_out) + 0.5)).astype(int)
        return np.eye(n_in, dtype=np.float32)[nearest]
    columns = np.eye(n_in)
    return ndimage.zoom(columns, (n_out / n_in, 1), order=order, mode="nearest", grid_mode=True).astype(np.float32)


def spline_matrices(
    shape: Sequence[int], wanted: Sequence[int], order: int, thick: int | None
) -> tuple[Array, Array, Array]:
    """One matrix per axis (k, j, i)."""
    k, j, i = (
        spline_matrix(n_in, n_out, 0 if axis == thick else order)
        for axis, (n_in, n_out) in enumerate(zip(shape, wanted, strict=True))
    )
    return k, j, i


def resample_cubic(array: Array, spacing_mm: Three, wanted_mm: Three) -> Array:
    """(K, J, I) on about the wanted spacing, float32; no value beyond those that it came from."""
    wanted = [round(old / new * n) for old, new, n in zip(spacing_mm, wanted_mm, array.shape, strict=True)]
    thick = thick_axis(spacing_mm, wanted_mm)
    matrices = list(spline_matrices(array.shape, wanted, 3, thick))
    if thick is None:
        return np.clip(_multiply(array, matrices), array.min(), array.max())
    # nnU-Net clips slice by slice there, before it picks the nearest slice.
    pick, matrices[thick] = matrices[thick], np.eye(array.shape[thick], dtype=np.float32)
    planes = tuple(axis for axis in range(3) if axis != thick)
    inside = np.clip(_multiply(array, matrices), array.min(planes, keepdims=True), array.max(planes, keepdims=True))
    return np.take(inside, pick.argmax(axis=1), axis=thick)


def _multiply(array: Array, matrices: Sequence[Array]) -> Array:
    for axis, matrix in enumerate(matrices):
        if matrix.shape[0] != matrix.shape[1]:  # square: the identity
            array = np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(array, dtype=np.float32)
