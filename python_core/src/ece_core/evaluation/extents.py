"""How sensitivity depends on how far a breach reaches."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ece_core.evaluation.bootstrap import mean_figure
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.judged_rows import EXTENT, PROBABILITY, is_ene
from ece_core.evaluation.plots import interval_plot
from ece_core.evaluation.roc import auc
from ece_core.geometry import Array

THRESHOLD = 0.5
SPECIFICITY = 0.9
BINS_MM = ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 5.0), (5.0, np.inf))


def threshold_at(specificity: float, probabilities: Array) -> float:
    """The least threshold below which at least this share of lymph nodes without ENE stays."""
    ordered = np.sort(probabilities)
    below = int(np.ceil(specificity * len(ordered)))
    if below >= len(ordered):
        return float(np.nextafter(ordered[-1], np.inf))
    return float(np.nextafter(ordered[below - 1], np.inf))


def extent_table(patients: list[Array]) -> Table | None:
    """Sensitivity by extent of the breach, at 0.5 and at 90 % specificity among P; None without extents or P.

    Parameters
    ----------
    patients
        Rows of each patient, P and ENE.
    """
    everything = np.concatenate(patients)
    whole = everything[~is_ene(everything), PROBABILITY]
    if len(whole) == 0 or not np.isfinite(everything[is_ene(everything), EXTENT]).any():
        return None
    high = threshold_at(SPECIFICITY, whole)
    rows = []
    for low_mm, high_mm in BINS_MM:
        own = [table[is_ene(table) & (table[:, EXTENT] >= low_mm) & (table[:, EXTENT] < high_mm)] for table in patients]
        scores = np.concatenate([table[:, PROBABILITY] for table in own])
        area = auc(np.append(whole, scores), np.arange(len(whole) + len(scores)) >= len(whole))
        rows.append(
            (
                f"{low_mm:g} to {high_mm:g} mm" if np.isfinite(high_mm) else f"{low_mm:g} mm and more",
                len(scores),
                mean_figure([(table[:, PROBABILITY] >= THRESHOLD).astype(float) for table in own]),
                mean_figure([(table[:, PROBABILITY] >= high).astype(float) for table in own]),
                area,
            )
        )
    return Table(
        "sensitivity_by_extent",
        "Sensitivity by extent of the breach",
        ("Extent beyond the capsule", "ENE", "at 0.5", "at 90 % specificity", "AUC against all P"),
        rows,
        f"Threshold at 90 % specificity among the P judged here: {high:.3f}. Extent: as drawn by the simulator.",
        decimals=3,
    )


def extent_plot(table: Table) -> Image.Image:
    """The table's sensitivities with their intervals, from the smallest extents to the largest."""
    words = [f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more" for low, high in BINS_MM]
    series = [(f"sensitivity {table.columns[column]}", [row[column] for row in table.rows]) for column in (2, 3)]
    return interval_plot(words, series, (table.columns[0] + ", mm", "Sensitivity"))
