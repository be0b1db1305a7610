"""Whether class sets miss no more lymph nodes than they say, and how often they say something."""

from __future__ import annotations

from typing import Any

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.bootstrap import mean_figure
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.judged_rows import CLASS, COVERED, RIGHT_ALONE, SET_SIZE
from ece_core.geometry import Array


def conformal_figures(patients: list[Array], target: float | None) -> dict[str, Any] | None:
    """{target, coverage {class: figure}, mean_set_size, singletons, singletons_right}; None without sets.

    Parameters
    ----------
    patients
        Rows of each patient, :func:`~ece_core.evaluation.judged_rows.judged_rows`.
    target
        What the sets were fitted for; None if it is not known.

    Returns
    -------
    dict or None
        ``coverage``: share of each class whose set holds it. ``singletons``: share of sets of one class;
        ``singletons_right``: share of these that are right. Intervals by patient.
    """
    known = [rows[np.isfinite(rows[:, SET_SIZE])] for rows in patients]
    if not any(len(rows) for rows in known):
        return None
    single = [rows[rows[:, SET_SIZE] == 1] for rows in known]
    found: dict[str, Any] = {} if target is None else {"target": target}
    found["coverage"] = {
        name: figure
        for number, name in enumerate(CLASS_NAMES)
        if (figure := mean_figure([rows[rows[:, CLASS] == number, COVERED] for rows in known])) is not None
    }
    found["mean_set_size"] = mean_figure([rows[:, SET_SIZE] for rows in known])
    found["singletons"] = mean_figure([(rows[:, SET_SIZE] == 1).astype(float) for rows in known])
    right = mean_figure([rows[:, RIGHT_ALONE] for rows in single])
    return found if right is None else {**found, "singletons_right": right}


def class_sets_table(patients: list[Array]) -> Table:
    """A row per true class: coverage, size, and what the sets are."""
    rows = []
    for number, name in enumerate(CLASS_NAMES):
        own = [table[(table[:, CLASS] == number) & np.isfinite(table[:, SET_SIZE])] for table in patients]
        rows.append(
            (
                name,
                sum(len(table) for table in own),
                mean_figure([table[:, COVERED] for table in own]),
                mean_figure([table[:, SET_SIZE] for table in own]),
                mean_figure([table[:, RIGHT_ALONE] for table in own]),
            )
        )
    return Table(
        "class_sets",
        "Class sets by true class",
        ("True class", "lymph nodes", "covered", "mean set size", "the class alone"),
        rows,
        "Covered: the set holds the true class. The class alone: the set holds nothing else.",
        decimals=3,
    )
