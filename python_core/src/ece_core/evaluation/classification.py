"""Does the ECE probability tell ENE (also ECE) from the rest, and does it mean what it says?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.bootstrap import LEVEL, RESAMPLES, SEED, figure, mean_of_column
from ece_core.evaluation.calibration import brier, calibration_bins, calibration_error
from ece_core.evaluation.cohort import EvaluatedCase, read_cases
from ece_core.evaluation.page import Page, Picture, Section, write_evaluation
from ece_core.evaluation.plots import line_plot
from ece_core.evaluation.roc import auc, roc_curve
from ece_core.evaluation.table import metrics_table_html
from ece_core.geometry import Array

THRESHOLD = 0.5
N, P, ENE = range(3)
PROBABILITY, CLASS, SHORT_AXIS, MEAN_HU, PREDICTED_CLASS = range(5)  # columns of a case's table of matched lymph nodes


def evaluate_classification(predictions: Path, reference: Path, out: Path) -> dict[str, Any]:
    """Compare ECE probabilities with a cohort's truth and write ``metrics.json`` and ``index.html`` into ``out``.

    A true lymph node is judged by the predicted one that shares most voxels with it, among those whose own best match
    it is. Lymph nodes that were not found have no probability and are not judged here (``matched`` counts them;
    detection is the segmentation's figure).

    ``auc``, ``accuracy``, ``sensitivity``, ``specificity`` (at 0.5), ``brier``, ``calibration_error``: ENE against P,
    the clinical question. The same names with ``_all``: ENE against N and P. ``size_only_auc`` and ``mean_hu_auc``:
    the same lymph nodes ranked by the truth's short axis or mean HU alone; ``auc_above_size_only``: the paired
    difference. ``patient_auc``: the patient's probability against the patient's truth.

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
    metrics = classification_metrics(cases)
    write_evaluation(out, metrics, _page(metrics, np.concatenate([_matched_rows(case) for case in cases])))
    return metrics


def classification_metrics(cases: list[EvaluatedCase]) -> dict[str, Any]:
    """The figures of :func:`evaluate_classification`, without files."""
    tables = [_matched_rows(case) for case in cases]
    everything = np.concatenate(tables)
    metrics: dict[str, Any] = {
        "task": "classification",
        "cases": len(cases),
        "lymph_nodes": {name: _number_of(cases, name) for name in CLASS_NAMES},
        "matched": {name: int((everything[:, CLASS] == c).sum()) for c, name in enumerate(CLASS_NAMES)},
    }
    notes: list[str] = []
    metastatic = [table[table[:, CLASS] >= P] for table in tables]
    for suffix, patients in (("", metastatic), ("_all", tables)):
        for name, statistic in STATISTICS.items():
            _add(metrics, name + suffix, figure(statistic, patients), notes)
    _add(metrics, "class_accuracy", figure(_class_accuracy, tables), notes)
    _add(metrics, "patient_auc", figure(_auc_of(0, 1), [_patient_row(case) for case in cases]), notes)
    metrics["notes"] = notes
    metrics["bootstrap"] = {"resamples": RESAMPLES, "seed": SEED, "unit": "patient", "level": LEVEL}
    metrics["research_use_only"] = RESEARCH_USE_ONLY
    return metrics


def _matched_rows(case: EvaluatedCase) -> Array:
    """(n, 5) float: probability, class, short axis, mean HU (NaN if unknown), predicted class of each judged node."""
    nodes = {node.label: node for node in case.result.lymph_nodes}
    rows = []
    for label, best in zip(case.overlap.true_labels.tolist(), case.overlap.best_prediction().tolist(), strict=True):
        node = nodes.get(int(case.overlap.predicted_labels[best])) if best >= 0 else None
        if node is None or node.ece_probability is None:
            continue
        truth = case.truth[label]
        rows.append(
            (
                node.ece_probability,
                CLASS_NAMES.index(truth["class"]),
                truth["short_axis_mm"],
                float(truth.get("mean_hu", np.nan)),
                CLASS_NAMES.index(node.class_name),
            )
        )
    return np.array(rows, float).reshape(-1, 5)


def _patient_row(case: EvaluatedCase) -> Array:
    """(1, 2) probability and truth of the patient, or (0, 2) if one of them is unknown."""
    probability = case.result.patient.get("ece_probability")
    if probability is None or case.patient_ece is None:
        return np.zeros((0, 2))
    return np.array([[probability, case.patient_ece]], float)


def _number_of(cases: list[EvaluatedCase], name: str) -> int:
    return sum(row["class"] == name for case in cases for row in case.truth.values())


def _is_ene(rows: Array) -> Array:
    return rows[:, CLASS] == ENE


def _auc_of(score: int, truth: int | None = None) -> Callable[[Array], float | None]:
    """AUC of one column; against ENE, or against the column ``truth``."""

    def statistic(rows: Array) -> float | None:
        known = rows[np.isfinite(rows[:, score])]
        return auc(known[:, score], _is_ene(known) if truth is None else known[:, truth] > 0)

    return statistic


def _above_size_only(rows: Array) -> float | None:
    model, size = _auc_of(PROBABILITY)(rows), _auc_of(SHORT_AXIS)(rows)
    return None if model is None or size is None else model - size


def _of_probability(statistic: Callable[[Array, Array], float]) -> Callable[[Array], float | None]:
    return lambda rows: statistic(rows[:, PROBABILITY], _is_ene(rows)) if len(rows) else None


def _right_at_threshold(among: bool | None) -> Callable[[Array], float | None]:
    """Share of right calls at 0.5: among ENE (True), among the others (False), or among all (None)."""

    def statistic(rows: Array) -> float | None:
        right = (rows[:, PROBABILITY] >= THRESHOLD) == _is_ene(rows)
        if among is not None:
            right = right[_is_ene(rows) == among]
        return mean_of_column(right[:, None])

    return statistic


def _class_accuracy(rows: Array) -> float | None:
    return mean_of_column((rows[:, CLASS] == rows[:, PREDICTED_CLASS])[:, None])


STATISTICS: dict[str, Callable[[Array], float | None]] = {
    "auc": _auc_of(PROBABILITY),
    "size_only_auc": _auc_of(SHORT_AXIS),
    "auc_above_size_only": _above_size_only,
    "mean_hu_auc": _auc_of(MEAN_HU),
    "accuracy": _right_at_threshold(None),
    "sensitivity": _right_at_threshold(True),
    "specificity": _right_at_threshold(False),
    "brier": _of_probability(brier),
    "calibration_error": _of_probability(calibration_error),
}


def _add(metrics: dict[str, Any], name: str, value: Any, notes: list[str]) -> None:
    if value is None:
        notes.append(f"{name}: not computed, since one of the two classes has no judged case.")
    else:
        metrics[name] = value


def _page(metrics: dict[str, Any], rows: Array) -> Page:
    plots = []
    metastatic = rows[rows[:, CLASS] >= P]
    if "auc" in metrics:
        curves = [
            (f"{title}, AUC {metrics[key]['value']:.2f}", _curve(metastatic, column))
            for title, key, column in (("model", "auc", PROBABILITY), ("short axis alone", "size_only_auc", SHORT_AXIS))
        ]
        labels = ("1 - specificity", "Sensitivity")
        title = "ROC, ENE (also ECE) against metastatic without"
        words = "; ".join(name for name, _ in curves)
        plots.append(Picture("roc", title, line_plot(curves, labels, diagonal=True), f"{words}."))
    if len(metastatic):
        bins = calibration_bins(metastatic[:, PROBABILITY], _is_ene(metastatic))
        points = [(mean, share) for mean, share, _ in bins]
        labels = ("ECE probability", "Share with ENE")
        image = line_plot([("10 bins", points)], labels, diagonal=True, dots=True)
        plots.append(Picture("calibration", "Calibration", image))
    sections = [Section("Plots", pictures=plots)] if plots else []
    counts = ", ".join(f"{metrics['matched'][name]} of {metrics['lymph_nodes'][name]} {name}" for name in CLASS_NAMES)
    summary = f"{metrics['cases']} cases; lymph nodes judged: {counts}. Intervals: 95 %, bootstrap by patient."
    return Page("ENE (also ECE) per lymph node", summary, metrics_table_html(metrics), sections, metrics["notes"])


def _curve(rows: Array, column: int) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(*roc_curve(rows[:, column], _is_ene(rows)), strict=True)]
