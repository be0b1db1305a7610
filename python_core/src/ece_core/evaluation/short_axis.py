"""How far the measured short axis is from the true one, beside the repeatability of readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.evaluation.bootstrap import mean_figure
from ece_core.evaluation.lymph_node_rows import TrueRows
from ece_core.evaluation.strata import Stratum
from ece_core.geometry import Array

# Coefficient of variation between readings of one lymph node's smallest axial diameter, PMID 27569854 (clinical.md).
REPEATABILITY_CV = 0.078
LIMITS_95 = 1.96  # of one reading around the lymph node's mean reading, as standard deviations


def errors_mm(rows: TrueRows, stratum: Stratum) -> Array:
    """(n, 2): true short axis and measured minus true, of the lymph nodes with a counterpart of their own."""
    kept = stratum(rows) & np.isfinite(rows.predicted_short_axis_mm)
    true = rows.short_axis_mm[kept]
    return np.stack([true, rows.predicted_short_axis_mm[kept] - true], axis=-1)


def short_axis_figures(true: Sequence[TrueRows], stratum: Stratum) -> dict[str, dict | None]:
    """``bias_mm``: mean error. ``absolute_mm``: mean of its size. ``relative``: mean of its size over the true axis.

    ``inside_repeatability``: share with an error of at most 1.96 times 7.8 % of the true axis, where 95 % of a
    reader's readings lie around the reader's mean. ``outline_bias_mm``: mean error of our measure on the truth's own
    outlines, of all lymph nodes.
    """
    patients = [errors_mm(rows, stratum) for rows in true]
    relative = [np.abs(rows[:, 1]) / rows[:, 0] for rows in patients]
    return {
        "bias_mm": mean_figure([rows[:, 1] for rows in patients]),
        "absolute_mm": mean_figure([np.abs(rows[:, 1]) for rows in patients]),
        "relative": mean_figure(relative),
        "inside_repeatability": mean_figure([(r <= LIMITS_95 * REPEATABILITY_CV).astype(float) for r in relative]),
        "outline_bias_mm": mean_figure([(r.outline_short_axis_mm - r.short_axis_mm)[stratum(r)] for r in true]),
    }
