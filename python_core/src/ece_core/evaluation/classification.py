"""Does the ECE probability tell ENE (also ECE) from the rest, and does it mean what it says?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.bootstrap import LEVEL, RESAMPLES, SEED, figure, mean_of_column
from ece_core.evaluation.calibration import brier, calibration_error
from ece_core.evaluation.class_sets import conformal_figures
from ece_core.evaluation.classification_page import classification_page
from ece_core.evaluation.cohort import EvaluatedCase, read_cases
from ece_core.evaluation.delong import delong_interval, delong_paired
from ece_core.evaluation.judged_rows import (
    CLASS,
    GIVEN_METASTATIC,
    MEAN_HU,
    PREDICTED_CLASS,
    PROBABILITY,
    SHORT_AXIS,
    VISIBLE,
    P,
    is_ene,
    judged_rows,
    not_evaluable_counts,
)
from ece_core.evaluation.page import write_evaluation
from ece_core.evaluation.patient_figures import answer_rows, first_of, patient_figures, patient_rows
from ece_core.evaluation.roc import auc
from ece_core.geometry import Array

THRESHOLD = 0.5


def evaluate_classification(
    predictions: Path, reference: Path, out: Path, conformal: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Compare ECE probabilities with a cohort's truth and write ``metrics.json`` and ``index.html`` into ``out``.

    A true lymph node is judged by the predicted one that shares most voxels with it, among those whose own best match
    it is. Lymph nodes that were not found have no probability and are not judged here (``matched`` counts them;
    detection is the segmentation's figure), nor are those that are not evaluable (``not_evaluable`` counts them).

    ``auc``, ``accuracy``, ``sensitivity``, ``specificity`` (at 0.5), ``brier``, ``calibration_error``: ENE against P,
    the clinical question. The same names with ``_all``: ENE against N and P. ``size_only_auc`` and ``mean_hu_auc``:
    the same lymph nodes ranked by the truth's short axis or mean HU alone; ``auc_above_size_only``: the paired
    difference. ``_given_metastatic``: ENE against P by p(ENE) / (p(P) + p(ENE)), the probability that is meant there.
    ``_visible``: ENE whose breach the scan shows, against P. ``delong``: the same areas with intervals
    that take lymph nodes as independent. ``patient_auc``: the patient's probability against the patient's truth;
    ``patient_rules``: that of every rule and network. ``conformal``: coverage and size of the class sets.

    Parameters
    ----------
    conformal
        A model card's thresholds for class sets, for results that hold none.

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
    metrics = classification_metrics(cases, conformal)
    page = classification_page(metrics, [judged_rows(case, conformal) for case in cases])
    write_evaluation(out, metrics, page)
    return metrics


def classification_metrics(cases: list[EvaluatedCase], conformal: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The figures of :func:`evaluate_classification`, without files."""
    tables = [judged_rows(case, conformal) for case in cases]
    everything = np.concatenate(tables)
    metrics: dict[str, Any] = {
        "task": "classification",
        "cases": len(cases),
        "lymph_nodes": {name: _number_of(cases, name) for name in CLASS_NAMES},
        "matched": {name: int((everything[:, CLASS] == c).sum()) for c, name in enumerate(CLASS_NAMES)},
        "not_evaluable": not_evaluable_counts(cases),
    }
    notes: list[str] = []
    metastatic = [table[table[:, CLASS] >= P] for table in tables]
    for suffix, patients in (("", metastatic), ("_all", tables)):
        for name, statistic in STATISTICS.items():
            _add(metrics, name + suffix, figure(statistic, patients), notes)
    for name, statistic in GIVEN_STATISTICS.items():
        _add(metrics, name, figure(statistic, metastatic), notes)
    visible = [table[~is_ene(table) | (table[:, VISIBLE] == 1)] for table in metastatic]
    if np.isfinite(everything[:, VISIBLE]).any():  # not every truth says it
        for name in ("auc", "size_only_auc", "mean_hu_auc"):
            _add(metrics, f"{name}_visible", figure(STATISTICS[name], visible), notes)
    metrics["delong"] = _delong(np.concatenate(metastatic))
    _add(metrics, "class_accuracy", figure(_class_accuracy, tables), notes)
    _add(metrics, "patient_auc", figure(_patient_auc, answer_rows(cases)), notes)
    metrics["patient_rules"] = patient_figures(patient_rows(cases))
    metrics["patient_rule_first"] = first_of(metrics["patient_rules"])
    sets = conformal_figures(tables, _target(cases, conformal))
    if sets is None:
        notes.append("conformal: not computed, since the model gives no class sets.")
    else:
        metrics["conformal"] = sets
    metrics["notes"] = notes
    metrics["bootstrap"] = {"resamples": RESAMPLES, "seed": SEED, "unit": "patient", "level": LEVEL}
    metrics["research_use_only"] = RESEARCH_USE_ONLY
    return metrics


def _delong(rows: Array) -> dict[str, Any]:
    """Areas with DeLong's intervals, ENE against P, and the paired difference to the short axis with its p."""
    found: dict[str, Any] = {}
    for name, column in (("auc", PROBABILITY), ("size_only_auc", SHORT_AXIS), ("mean_hu_auc", MEAN_HU)):
        known = rows[np.isfinite(rows[:, column])]
        area = delong_interval(known[:, column], is_ene(known))
        if area is not None:
            found[name] = area.figure()
    above = delong_paired(rows[:, PROBABILITY], rows[:, SHORT_AXIS], is_ene(rows))
    if above is not None:
        found["auc_above_size_only"] = {"value": above.difference, "low": above.low, "high": above.high, "p": above.p}
    return found


def _target(cases: list[EvaluatedCase], conformal: Mapping[str, Any] | None) -> float | None:
    """What the sets were fitted for: as the results' models say, else the card; None if they do not agree."""
    said = {model["conformal_target"] for case in cases for model in case.result.models if "conformal_target" in model}
    if not said and conformal is not None:
        return float(conformal["target"])
    return said.pop() if len(said) == 1 else None


def _number_of(cases: list[EvaluatedCase], name: str) -> int:
    return sum(row["class"] == name for case in cases for row in case.truth.values())


def _auc_of(score: int) -> Callable[[Array], float | None]:
    """AUC of one column against ENE."""

    def statistic(rows: Array) -> float | None:
        known = rows[np.isfinite(rows[:, score])]
        return auc(known[:, score], is_ene(known))

    return statistic


def _patient_auc(rows: Array) -> float | None:
    return auc(rows[:, 0], rows[:, 1] > 0)


def _above_size_only(rows: Array) -> float | None:
    model, size = _auc_of(PROBABILITY)(rows), _auc_of(SHORT_AXIS)(rows)
    return None if model is None or size is None else model - size


def _of_probability(
    statistic: Callable[[Array, Array], float], column: int = PROBABILITY
) -> Callable[[Array], float | None]:
    def of_rows(rows: Array) -> float | None:
        known = rows[np.isfinite(rows[:, column])]
        return statistic(known[:, column], is_ene(known)) if len(known) else None

    return of_rows


def _right_at_threshold(among: bool | None) -> Callable[[Array], float | None]:
    """Share of right calls at 0.5: among ENE (True), among the others (False), or among all (None)."""

    def statistic(rows: Array) -> float | None:
        right = (rows[:, PROBABILITY] >= THRESHOLD) == is_ene(rows)
        if among is not None:
            right = right[is_ene(rows) == among]
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

# The ECE probability is that of a lymph node that may be N, too: among P and ENE alone it is too low.
GIVEN_STATISTICS: dict[str, Callable[[Array], float | None]] = {
    "auc_given_metastatic": _auc_of(GIVEN_METASTATIC),
    "brier_given_metastatic": _of_probability(brier, GIVEN_METASTATIC),
    "calibration_error_given_metastatic": _of_probability(calibration_error, GIVEN_METASTATIC),
}


def _add(metrics: dict[str, Any], name: str, value: Any, notes: list[str]) -> None:
    if value is None:
        notes.append(f"{name}: not computed, since one of the two classes has no judged case.")
    else:
        metrics[name] = value
