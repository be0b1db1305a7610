"""Whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np

from ece_core.geometry import Array

BINS = 10


def brier(probabilities: Array, positive: Array) -> float:
    """Mean squared difference between probability and outcome, 0 (best) to 1 (Brier 1950)."""
    return float(np.mean((probabilities - positive) ** 2))


def calibration_bins(probabilities: Array, positive: Array, bins: int = BINS) -> list[tuple[float, float, int]]:
    """(mean probability, share of positives, count) of each occupied bin of equal width."""
    number = np.clip((probabilities * bins).astype(int), 0, bins - 1)
    occupied = [number == b for b in range(bins) if (number == b).any()]
    return [(float(probabilities[b].mean()), float(positive[b].mean()), int(b.sum())) for b in occupied]


def calibration_error(probabilities: Array, positive: Array, bins: int = BINS) -> float:
    """Expected calibration error: mean gap between probability and share of positives, weighted by count.

    References
    ----------
    Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602
    """
    gaps = [(count, abs(mean - share)) for mean, share, count in calibration_bins(probabilities, positive, bins)]
    return sum(count * gap for count, gap in gaps) / len(probabilities)
