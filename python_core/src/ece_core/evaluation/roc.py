"""Receiver operating characteristic: area by rank statistic, and the curve."""

from __future__ import annotations

import numpy as np

from ece_core.geometry import Array


def auc(scores: Array, positive: Array) -> float | None:
    """Probability that a positive scores higher than a negative, ties counting half.

    Parameters
    ----------
    scores
        (n,) float.
    positive
        (n,) bool.

    Returns
    -------
    float or None
        None if there is one class only.

    References
    ----------
    Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747 (the Mann-Whitney statistic)
    """
    low, high = np.sort(scores[~positive]), scores[positive]
    if low.size == 0 or high.size == 0:
        return None
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")  # twice: ties count in one only
    return float(below.sum() / (2 * low.size * high.size))


def roc_curve(scores: Array, positive: Array) -> tuple[Array, Array]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1); both classes must occur."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.diff(scores[order]) != 0, True)
    true_positives = np.cumsum(positive[order])[last_of_ties]
    false_positives = np.cumsum(~positive[order])[last_of_ties]
    return (
        np.append(0, false_positives) / false_positives[-1],
        np.append(0, true_positives) / true_positives[-1],
    )
