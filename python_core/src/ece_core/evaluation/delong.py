"""How sure an area under the ROC curve is, and whether two of them differ, without resampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from ece_core.geometry import Array

LEVEL = 0.95


class Interval(NamedTuple):
    """A value and the limits of its interval; these are None where nothing says how sure the value is."""

    value: float
    low: float | None
    high: float | None

    def figure(self) -> dict[str, float | None]:
        """{value, low, high}, as every figure of an evaluation is written."""
        return self._asdict()


class Difference(NamedTuple):
    """First minus second, the limits of its interval, and the two-sided p value of there being no difference."""

    difference: float
    low: float | None
    high: float | None
    p: float | None


def delong_interval(scores: Array, labels: Array, level: float = LEVEL) -> Interval | None:
    """Area under the ROC curve with the interval of DeLong.

    It takes cases as independent. For lymph nodes, several of which belong to one patient, prefer
    :func:`~ece_core.evaluation.bootstrap.figure`, which draws patients.

    Parameters
    ----------
    scores
        (n,) float, higher for positive cases.
    labels
        (n,) bool or 0 and 1.
    level
        Of confidence, 0 to 1.

    Returns
    -------
    Interval or None
        Within 0 and 1. None with one class only. Without limits if a class has one case, or if the estimated variance
        is nil (an area of 0 or 1): an interval without width would say that more cases could change nothing.

    Raises
    ------
    ValueError
        The lengths differ, a score is not finite, or a label is neither 0 nor 1.

    References
    ----------
    DeLong et al. 1988, doi:10.2307/2531595. Computed as Sun and Xu 2014, doi:10.1109/LSP.2014.2337313.
    """
    areas, covariance = _areas([scores], labels)
    if areas is None:
        return None
    limits = None if covariance is None else _limits(areas[0], covariance[0, 0], level)
    if limits is None:
        return Interval(float(areas[0]), None, None)
    return Interval(float(areas[0]), max(0.0, limits[0]), min(1.0, limits[1]))


def delong_paired(scores_a: Array, scores_b: Array, labels: Array, level: float = LEVEL) -> Difference | None:
    """Area of a minus area of b on the same cases, with DeLong's interval and test.

    Parameters
    ----------
    scores_a, scores_b
        (n,) float: two scores of each case.
    labels
        (n,) bool or 0 and 1.
    level
        Of confidence, 0 to 1.

    Returns
    -------
    Difference or None
        As :func:`delong_interval`: None with one class only; without limits and p if a class has one case or the
        estimated variance of the difference is nil (both order the cases alike, say).

    Raises
    ------
    ValueError
        As :func:`delong_interval`.

    References
    ----------
    As :func:`delong_interval`; p of the standard normal deviate of the difference, two-sided.
    """
    areas, covariance = _areas([scores_a, scores_b], labels)
    if areas is None:
        return None
    difference = float(areas[0] - areas[1])
    variance = None if covariance is None else float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    limits = None if variance is None else _limits(difference, variance, level)
    if variance is None or limits is None:
        return Difference(difference, None, None, None)
    p = float(2 * ndtr(-abs(difference) / np.sqrt(variance)))
    return Difference(difference, max(-1.0, limits[0]), min(1.0, limits[1]), p)


def _limits(value: float, variance: float, level: float) -> tuple[float, float] | None:
    if variance <= 1e-15:  # differences of ranks are multiples of 1/(2 m n): this is nil but for rounding
        return None
    reach = float(ndtri(0.5 + level / 2) * np.sqrt(variance))
    return float(value) - reach, float(value) + reach


def _areas(scores: Sequence[Array], labels: Array) -> tuple[Array | None, Array | None]:
    """(methods,) areas, and (methods, methods) their covariance; None where they are not defined.

    A case's structural component is the share of the other class that it is ordered rightly against. Ranks within all
    cases minus ranks within the own class count these at once, ties as a half, in n log n (Sun and Xu, theorem 1).
    """
    positive, table = _checked(scores, labels)
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        return None, None
    ranks = rankdata(table, axis=1)
    of_positive = (ranks[:, positive] - rankdata(table[:, positive], axis=1)) / n
    of_negative = 1 - (ranks[:, ~positive] - rankdata(table[:, ~positive], axis=1)) / m
    areas = of_positive.mean(axis=1)
    if m == 1 or n == 1:
        return areas, None
    return areas, np.atleast_2d(np.cov(of_positive)) / m + np.atleast_2d(np.cov(of_negative)) / n


def _checked(scores: Sequence[Array], labels: Array) -> tuple[Array, Array]:
    truth = np.asarray(labels)
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
    rows = [np.asarray(row, float) for row in scores]
    if any(row.shape != truth.shape or truth.ndim != 1 for row in rows):
        raise ValueError(f"scores and labels must be of one length, got {[row.shape for row in rows]}, {truth.shape}")
    if not all(np.isfinite(row).all() for row in rows):
        raise ValueError("scores must be finite")
    return truth.astype(bool), np.stack(rows)
