"""Confidence intervals by drawing patients, since the lymph nodes of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from ece_core.geometry import Array

RESAMPLES = 1000
SEED = 20240701
LEVEL = 0.95
LEAST_RESAMPLES = 100  # with fewer usable draws there is no interval to speak of


def figure(statistic: Callable[[Array], float | None], patients: Sequence[Array]) -> dict[str, float | None] | None:
    """A statistic over all rows and its interval.

    Parameters
    ----------
    statistic
        Of (n, columns) rows; ``None`` where it is not defined (no rows, one class only).
    patients
        The rows of each patient, (n_patient, columns); some may be empty.

    Returns
    -------
    dict or None
        {value, low, high}; ``low`` and ``high`` are ``None`` with fewer than two patients or 100 draws on which the
        statistic is defined. ``None`` if it is not defined at all. Percentiles of 1000 draws of as many patients as
        there are, with replacement, always the same draws.

    References
    ----------
    Cluster bootstrap, percentile interval: Efron and Tibshirani 1993, chapters 8 and 13.
    """
    value = statistic(np.concatenate(patients)) if len(patients) else None
    if value is None:
        return None
    values = [statistic(np.concatenate([patients[p] for p in draw])) for draw in draws(len(patients))]
    return with_interval(value, np.array([v for v in values if v is not None], float))


@lru_cache(maxsize=8)
def draws(patients: int) -> Array:
    """(1000, patients) int: which patients each resample holds; (0, n) for fewer than two, who have no spread."""
    resamples = RESAMPLES if patients > 1 else 0
    return np.random.default_rng(SEED).integers(0, max(patients, 1), (resamples, patients))


def with_interval(value: float, resampled: Array) -> dict[str, float | None]:
    """{value, low, high} from the statistic's values on the resamples on which it is defined."""
    if len(resampled) < LEAST_RESAMPLES:
        return {"value": value, "low": None, "high": None}
    low, high = np.percentile(resampled, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return {"value": value, "low": float(low), "high": float(high)}


def ratio_figure(numerators: Array, denominators: Array) -> dict[str, float | None] | None:
    """Sum over sum, as :func:`figure` would give it, but all resamples at once.

    Parameters
    ----------
    numerators, denominators
        (n_patient,) float: what each patient adds; a patient may add nothing.
    """
    if len(denominators) == 0 or not np.sum(denominators) > 0:
        return None
    drawn = draws(len(denominators))
    above, below = (np.asarray(values, float)[drawn].sum(axis=1) for values in (numerators, denominators))
    defined = below > 0
    return with_interval(float(np.sum(numerators) / np.sum(denominators)), above[defined] / below[defined])


def mean_figure(patients: Sequence[Array]) -> dict[str, float | None] | None:
    """Mean over the values (n,) of all patients, a patient's values drawn together."""
    return ratio_figure(np.array([np.sum(values) for values in patients]), np.array([len(v) for v in patients]))


def mean_of_column(rows: Array) -> float | None:
    """Mean of the first column; None without rows."""
    return float(rows[:, 0].mean()) if len(rows) else None
