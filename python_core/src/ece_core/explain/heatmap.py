"""From a signed attribution to the heatmap that is drawn and saved."""

from __future__ import annotations

import numpy as np


def to_heatmap(attribution: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """Subtract the median, set what is negative to zero, divide by the maximum.

    Parameters
    ----------
    attribution
        (k, j, i), any real type, signed.
    seen
        (k, j, i) bool: voxels that count, all others become 0. None: all.

    Returns
    -------
    np.ndarray
        (k, j, i) float32 in [0, 1]; the maximum is 1. All zeros if nothing exceeds the median.

    Raises
    ------
    ValueError
        Not three dimensions, empty, or holding NaN or infinity.

    References
    ----------
    Strijbis et al. 2025 (parotid glands), post-processing of attribution maps.
    """
    if attribution.ndim != 3 or attribution.size == 0:
        raise ValueError(f"attribution must be (k, j, i) and not empty, got shape {attribution.shape}")
    if not np.isfinite(attribution).all():
        raise ValueError("attribution holds NaN or infinity")
    values = attribution.astype(np.float64)
    counts = np.ones(values.shape, bool) if seen is None else seen
    if not counts.any():
        return np.zeros(attribution.shape, dtype=np.float32)
    above = np.where(counts, np.maximum(values - np.median(values[counts]), 0.0), 0.0)
    highest = above.max()
    if highest == 0.0:
        return np.zeros(attribution.shape, dtype=np.float32)
    return (above / highest).astype(np.float32)
