"""Confidence intervals by drawing patients, since the lymph nodes of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, len(patients), (RESAMPLES, len(patients)))
    values = [statistic(np.concatenate([patients[p] for p in draw])) for draw in drawn] if len(patients) > 1 else []
    defined = [v for v in values if v is not None]
    if len(defined) < LEAST_RESAMPLES:
        return {"value": value, "low": None, "high": None}
    low, high = np.percentile(defined, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return {"value": value, "low": float(low), "high": float(high)}


def mean_of_column(rows: Array) -> float | None:
    """Mean of the first column; None without rows."""
    return float(rows[:, 0].mean()) if len(rows) else None
