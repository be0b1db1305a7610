"""Label maps on another grid: each voxel takes the label with the largest share of it."""

from __future__ import annotations

import numpy as np

from ece_core.preprocessing.resample import apply_weights
from ece_core.preprocessing.spline import spline_matrices, thick_axis

Array = np.ndarray
Three = tuple[float, float, float]


def resample_labels(labels: Array, spacing_mm: Three, wanted_mm: Three, shape: tuple[int, ...]) -> Array:
    """(K, J, I) uint8 of ``shape`` over the same field of view, by linear splines per label, as nnU-Net does it.

    Parameters
    ----------
    labels
        (K, J, I) uint8.
    spacing_mm, wanted_mm
        (k, j, i) of both grids: they tell which axis is thick and takes the nearest slice.
    """
    matrices = spline_matrices(labels.shape, shape, 1, thick_axis(spacing_mm, wanted_mm))
    best = apply_weights((labels == 0).astype(np.float32), matrices)
    resampled = np.zeros(shape, np.uint8)
    for value in np.unique(labels[labels > 0]):
        share = apply_weights((labels == value).astype(np.float32), matrices)
        resampled[share > best] = value
        best = np.maximum(best, share)
    return resampled
