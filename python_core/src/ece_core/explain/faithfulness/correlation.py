"""Correlation of two maps: of two methods, of two networks, before and after something changed."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def map_correlation(first: Array, second: Array, seen: Array | None = None) -> float | None:
    """Pearson's correlation over the voxels.

    Parameters
    ----------
    first, second
        (K, J, I) on one grid.
    seen
        (K, J, I) bool: voxels that count; None: all.

    Returns
    -------
    float or None
        None where one of them is constant: it then says nothing of the other.

    References
    ----------
    Doerrich et al. 2023 (heatmaps of histopathology): maps of two methods and of two networks.
    """
    a, b = (each[...] if seen is None else each[seen] for each in (first, second))
    a, b = (each.astype(np.float64).ravel() - each.mean(dtype=np.float64) for each in (a, b))
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.clip(a @ b / norm, -1, 1)) if norm > 1e-12 * a.size else None
