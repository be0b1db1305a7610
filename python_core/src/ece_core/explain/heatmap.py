"""From a signed attribution to the heatmap that is drawn and saved."""

from __future__ import annotations

import numpy as np


def to_heatmap(attribution: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """Subtract the median, set what is negative to zero, divide by the maximum.

    Parameters
    ----------
    attribution
        (k, j, i) or (j, i), any real type, signed.
    seen
        (k, j, i) bool: voxels that count, all others become 0. None: all.

    Returns
    -------
    np.ndarray
        In its shape, float32 in [0, 1]; the maximum is 1. All zeros if nothing exceeds the median.

    Raises
    ------
    ValueError
        Not two or three dimensions, empty, or holding NaN or infinity.

    References
    ----------
    Strijbis et al. 2025 (parotid glands), post-processing of attribution maps.
    """
    _check(attribution)
    values = attribution.astype(np.float64)
    counts = np.ones(values.shape, bool) if seen is None else seen
    if not counts.any():
        return np.zeros(attribution.shape, dtype=np.float32)
    above = np.where(counts, np.maximum(values - np.median(values[counts]), 0.0), 0.0)
    highest = above.max()
    if highest == 0.0:
        return np.zeros(attribution.shape, dtype=np.float32)
    return (above / highest).astype(np.float32)


def to_signed_map(attribution: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """Divide by the largest absolute value: what speaks for the score is positive, what speaks against it negative.

    Parameters
    ----------
    attribution, seen
        As for :func:`to_heatmap`. Nothing is subtracted: 0 stays 0.

    Returns
    -------
    np.ndarray
        In its shape, float32 in [-1, 1].

    Raises
    ------
    ValueError
        As :func:`to_heatmap`.
    """
    _check(attribution)
    values = attribution.astype(np.float64)
    values = values if seen is None else np.where(seen, values, 0.0)
    highest = np.abs(values).max()
    return (values / highest if highest > 0 else values).astype(np.float32)


def _check(attribution: np.ndarray) -> None:
    if attribution.ndim not in (2, 3) or attribution.size == 0:
        raise ValueError(f"attribution must be (k, j, i) or (j, i) and not empty, got shape {attribution.shape}")
    if not np.isfinite(attribution).all():
        raise ValueError("attribution holds NaN or infinity")
