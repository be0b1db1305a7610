"""Resampling as nnU-Net v2 does it (`resample_data_or_seg_to_shape`), as one matrix per axis.

Cubic for images, linear for logits; along the slices of a thick stack the nearest slice, as nnU-Net does where one
spacing is more than three times another. Nothing is smoothed when it shrinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from ece_core.preprocessing.resample import apply_weights

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


def resample_cubic(
    array: Array, spacing_mm: Three, wanted_mm: Three, prepare: Callable[[Array], Array] = np.asarray
) -> Array:
    """(K, J, I) on about the wanted spacing, float32; no value beyond those that it came from.

    Parameters
    ----------
    prepare
        Normalization, which never falls as HU rise; done slice by slice. nnU-Net, too, normalizes first.
    """
    wanted = [round(old / new * n) for old, new, n in zip(spacing_mm, wanted_mm, array.shape, strict=True)]
    thick = thick_axis(spacing_mm, wanted_mm)
    if thick is not None:
        return _nearest_slices(array, wanted, thick, prepare)
    resampled = apply_weights(array, spline_matrices(array.shape, wanted, 3, None), prepare)
    return np.clip(resampled, prepare(array.min()), prepare(array.max()), out=resampled)


def _nearest_slices(array: Array, wanted: Sequence[int], thick: int, prepare: Callable[[Array], Array]) -> Array:
    """Slices across the thick axis are resampled in their plane, clipped one by one, and the nearest ones taken."""
    slices = np.moveaxis(array, thick, 0)
    rows, columns = (n for axis, n in enumerate(wanted) if axis != thick)
    wj, wi = (spline_matrix(n, m, 3) for n, m in zip(slices.shape[1:], (rows, columns), strict=True))
    nearest = spline_matrix(len(slices), wanted[thick], 0).argmax(axis=1)
    planes = np.empty((wanted[thick], rows, columns), np.float32)
    for k in np.unique(nearest):
        plane = prepare(slices[k]).astype(np.float32, copy=False)
        planes[nearest == k] = np.clip(wj @ (plane @ wi.T), plane.min(), plane.max())
    return np.ascontiguousarray(np.moveaxis(planes, 0, thick))
