"""Counterfactual twins: does the probability fall when nothing but the breach of the capsule is taken away?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ece_core.evaluation.bootstrap import mean_figure
from ece_core.evaluation.figure_table import Table
from ece_core.geometry import Array

WITH, WITHOUT, EXTENT, SHOWN = range(4)  # columns of a patient's pairs
EXTENTS_MM = ((0.0, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, np.inf))


def twin_figures(patients: Sequence[Array]) -> dict[str, Any] | None:
    """Share of pairs in which the probability of ENE (also ECE) with the breach is above that of the repaired twin.

    Parameters
    ----------
    patients
        Pairs of each patient, (n, 4): probability with the breach, probability of the twin, extent of the breach in
        mm, and 1 if the two scans differ anywhere by more than their noise (0 if not).

    Returns
    -------
    dict or None
        ``pairs``, ``right`` and ``right_shown`` (of those that differ on the scan) {value, low, high} by patient,
        ``mean_fall`` likewise: mean difference of the two probabilities. None without pairs. Equal ones are not right.
    """
    tables = [np.asarray(pairs, float).reshape(-1, 4) for pairs in patients]
    if not any(len(pairs) for pairs in tables):
        return None
    falls = [pairs[:, WITH] - pairs[:, WITHOUT] for pairs in tables]
    shown = [fall[pairs[:, SHOWN] > 0] for fall, pairs in zip(falls, tables, strict=True)]
    found: dict[str, Any] = {"pairs": sum(map(len, tables)), "right": _right(falls), "mean_fall": mean_figure(falls)}
    right_shown = _right(shown)
    return found if right_shown is None else {**found, "right_shown": right_shown}


def twin_table(patients: Sequence[Array]) -> Table:
    """The same by extent of the breach."""
    tables = [np.asarray(pairs, float).reshape(-1, 4) for pairs in patients]
    rows = []
    for low_mm, high_mm in EXTENTS_MM:
        own = [pairs[(pairs[:, EXTENT] >= low_mm) & (pairs[:, EXTENT] < high_mm)] for pairs in tables]
        falls = [pairs[:, WITH] - pairs[:, WITHOUT] for pairs in own]
        name = f"{low_mm:g} to {high_mm:g} mm" if np.isfinite(high_mm) else f"{low_mm:g} mm and more"
        rows.append((name, sum(map(len, own)), _right(falls), mean_figure(falls)))
    columns = ("Extent beyond the capsule", "pairs", "higher with the breach", "mean fall without it")
    return Table("twins", "Counterfactual twins", columns, rows, decimals=3)


def _right(falls: Sequence[Array]) -> dict | None:
    return mean_figure([(fall > 0).astype(float) for fall in falls])
