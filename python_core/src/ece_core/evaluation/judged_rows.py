"""The lymph nodes that a classification is judged by, one row each, patient by patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.cohort import EvaluatedCase
from ece_core.geometry import Array
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.models.conformal import class_set

N, P, ENE = range(3)
# Columns. Of the truth: CLASS, SHORT_AXIS, MEAN_HU, EXTENT, VISIBLE (1 or 0); NaN where it does not say. Of the
# answer: PROBABILITY, PREDICTED_CLASS; COVERED (1 if the class set holds the true class), SET_SIZE, RIGHT_ALONE (1 if
# it holds nothing else), NaN without sets; GIVEN_METASTATIC: share of ENE in the probability of P and ENE, else NaN.
COLUMNS = 11
(PROBABILITY, CLASS, SHORT_AXIS, MEAN_HU, PREDICTED_CLASS, EXTENT, VISIBLE, COVERED, SET_SIZE, RIGHT_ALONE,
 GIVEN_METASTATIC) = range(COLUMNS)  # fmt: skip


def judged_rows(case: EvaluatedCase, conformal: Mapping[str, Any] | None = None) -> Array:
    """(n, 11) float: the true lymph nodes whose counterpart has an ECE probability.

    Parameters
    ----------
    conformal
        Thresholds for class sets where the result holds none.
    """
    rows = []
    for label, node in counterparts(case):
        if node is None or node.ece_probability is None:
            continue
        truth = case.truth[label]
        fits = node.class_set
        if fits is None and set(CLASS_NAMES) <= set(node.class_probabilities):
            fits = class_set(node.class_probabilities, conformal)
        rows.append(
            (
                node.ece_probability,
                CLASS_NAMES.index(truth["class"]),
                truth["short_axis_mm"],
                float(truth.get("mean_hu", np.nan)),
                CLASS_NAMES.index(node.class_name),
                float(truth.get("extent_mm", np.nan)),
                float(truth.get("visible", np.nan)),
                *_of_set(fits, truth["class"]),
                _given_metastatic(node.class_probabilities),
            )
        )
    return np.array(rows, float).reshape(-1, COLUMNS)


def counterparts(case: EvaluatedCase) -> list[tuple[int, LymphNode | None]]:
    """Each true label with the predicted lymph node that shares most, among those whose own best match it is."""
    best = case.overlap.best_prediction().tolist()
    labels = case.overlap.true_labels.tolist()
    return [
        (label, case.nodes.get(int(case.overlap.predicted_labels[column])) if column >= 0 else None)
        for label, column in zip(labels, best, strict=True)
    ]


def not_evaluable_counts(cases: list[EvaluatedCase]) -> dict[str, int]:
    """Per true class, how many found lymph nodes got no ECE probability since they are not evaluable."""
    classes = [
        case.truth[label]["class"]
        for case in cases
        for label, node in counterparts(case)
        if node is not None and node.not_evaluable
    ]
    return {name: classes.count(name) for name in CLASS_NAMES}


def is_ene(rows: Array) -> Array:
    return rows[:, CLASS] == ENE


def _of_set(fits: tuple[str, ...] | None, truth: str) -> tuple[float, float, float]:
    if fits is None:
        return np.nan, np.nan, np.nan
    return float(truth in fits), float(len(fits)), float(fits == (truth,))


def _given_metastatic(probabilities: Mapping[str, float]) -> float:
    metastatic = probabilities.get("P", np.nan) + probabilities.get("ENE", np.nan)
    return probabilities["ENE"] / metastatic if metastatic > 0 else np.nan
