"""Are the lymph nodes found, and are their outlines right?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.bootstrap import LEVEL, RESAMPLES, SEED, figure, mean_of_column
from ece_core.evaluation.cohort import EvaluatedCase, read_cases
from ece_core.evaluation.page import Page, write_evaluation
from ece_core.evaluation.plots import line_plot
from ece_core.evaluation.table import metrics_table_html
from ece_core.geometry import Array

SIZES_MM = {"all": 0.0, "ge5mm": 5.0, "ge8mm": 8.0, "ge15mm": 15.0}
FROC_SIZES_MM = (0, 3, 4, 5, 6, 7, 8, 10, 12, 15)
NO_LYMPH_NODES = "not computed: the cohort has no such lymph node"


def evaluate_segmentation(predictions: Path, reference: Path, out: Path) -> dict[str, Any]:
    """Compare results with a cohort and write ``metrics.json`` and ``index.html`` into ``out``.

    Detected: a predicted lymph node shares at least one voxel with the true one (``detection_rate``); more than half
    of its voxels are covered (``detection_rate_half``). By size: the truth's short axis. False positive: a predicted
    lymph node that shares no voxel with any true one. ``dice_detected``: mean over detected lymph nodes of the Dice
    of :meth:`Overlap.dice`.

    Returns
    -------
    dict
        Each figure {value, low, high} with a 95 % bootstrap interval by patient; what is not defined is absent and
        explained in ``notes``.

    Raises
    ------
    InputError
        See :func:`~ece_core.evaluation.cohort.read_cases`. Nothing is written.
    """
    cases = list(read_cases(predictions, reference))
    metrics = segmentation_metrics(cases)
    write_evaluation(out, metrics, _page(metrics))
    return metrics


def segmentation_metrics(cases: list[EvaluatedCase]) -> dict[str, Any]:
    """The figures of :func:`evaluate_segmentation`, without files."""
    tables = [_true_rows(case) for case in cases]
    notes: list[str] = []
    metrics: dict[str, Any] = {
        "task": "segmentation",
        "cases": len(cases),
        "lymph_nodes": sum(len(table) for table in tables),
        "predicted_lymph_nodes": sum(len(case.overlap.predicted_labels) for case in cases),
        "detection_rate": _rates(tables, COVERED, 0.0, "detection_rate", notes),
        "detection_rate_half": _rates(tables, COVERED, 0.5, "detection_rate_half", notes),
    }
    false_positives = [np.array([[case.overlap.is_false_positive().sum()]], float) for case in cases]
    metrics["false_positives_per_scan"] = figure(mean_of_column, false_positives)
    for name, smallest in (("dice_detected", 0.0), ("dice_detected_ge8mm", 8.0)):
        dice = [table[(table[:, COVERED] > 0) & (table[:, SHORT_AXIS] >= smallest)][:, [DICE]] for table in tables]
        _add(metrics, name, figure(mean_of_column, dice), notes, "not computed: no lymph node was detected")
    metrics["froc"] = _froc(cases)
    metrics["notes"] = notes
    metrics["bootstrap"] = {"resamples": RESAMPLES, "seed": SEED, "unit": "patient", "level": LEVEL}
    metrics["research_use_only"] = RESEARCH_USE_ONLY
    return metrics


SHORT_AXIS, CLASS, COVERED, DICE = range(4)  # columns of a case's table of true lymph nodes


def _true_rows(case: EvaluatedCase) -> Array:
    """(R, 4) float: short axis in mm, index of the class, covered share, Dice."""
    rows = [case.truth[label] for label in case.overlap.true_labels.tolist()]
    sizes = [row["short_axis_mm"] for row in rows]
    classes = [CLASS_NAMES.index(row["class"]) for row in rows]
    return np.array([sizes, classes, case.overlap.covered(), case.overlap.dice()], float).T.reshape(-1, 4)


def _rates(tables: list[Array], column: int, above: float, name: str, notes: list[str]) -> dict[str, Any]:
    rates: dict[str, Any] = {}
    wanted = {key: (SHORT_AXIS, smallest, np.inf) for key, smallest in SIZES_MM.items()}
    wanted |= {key: (CLASS, number, number) for number, key in enumerate(CLASS_NAMES)}
    for key, (of, low, high) in wanted.items():
        chosen = [table[(table[:, of] >= low) & (table[:, of] <= high)][:, [column]] > above for table in tables]
        _add(rates, key, figure(mean_of_column, chosen), notes, NO_LYMPH_NODES, prefix=f"{name} ")
    return rates


def _add(into: dict[str, Any], key: str, value: Any, notes: list[str], why_not: str, prefix: str = "") -> None:
    if value is None:
        notes.append(f"{prefix}{key}: {why_not}.")
    else:
        into[key] = value


def _froc(cases: list[EvaluatedCase]) -> list[dict[str, float]]:
    """Detection against false positives as small predictions are left out.

    Not a FROC in the strict sense: the results hold no score of detection, so the predicted short axis stands for it.
    """
    points = []
    for smallest in FROC_SIZES_MM:
        found, true, false = np.sum([_counts(case, smallest) for case in cases], axis=0)
        if true:
            points.append(
                {
                    "minimum_short_axis_mm": float(smallest),
                    "detection_rate_ge8mm": float(found / true),
                    "false_positives_per_scan": float(false / len(cases)),
                }
            )
    return points


def _counts(case: EvaluatedCase, smallest: float) -> tuple[int, int, int]:
    """Found and all lymph nodes of 8 mm and more, and false positives, with predictions of at least that short axis."""
    sizes = {node.label: node.short_axis_mm or 0.0 for node in case.result.lymph_nodes}
    kept = np.array([sizes.get(label, 0.0) >= smallest for label in case.overlap.predicted_labels.tolist()], bool)
    large = _true_rows(case)[:, SHORT_AXIS] >= 8
    found = case.overlap.shared[:, kept].any(axis=1)
    return int((found & large).sum()), int(large.sum()), int((case.overlap.is_false_positive() & kept).sum())


def _page(metrics: dict[str, Any]) -> Page:
    froc = [(p["false_positives_per_scan"], p["detection_rate_ge8mm"]) for p in metrics["froc"]]
    highest = max([1.0, *(x for x, _ in froc)])
    plot = line_plot(
        [("predictions of at least 0 to 15 mm short axis", froc)],
        ("False positives per scan", "Detection rate, short axis at least 8 mm"),
        x_limit=highest,
        dots=True,
    )
    summary = (
        f"{metrics['cases']} cases, {metrics['lymph_nodes']} lymph nodes, "
        f"{metrics['predicted_lymph_nodes']} predicted. Intervals: 95 %, bootstrap by patient."
    )
    return Page(
        "Lymph nodes found and outlined",
        summary,
        metrics_table_html(metrics),
        [("Detection against false positives", plot)] if froc else [],
        metrics["notes"],
    )
