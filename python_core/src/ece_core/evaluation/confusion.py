"""What is taken for what: voxel by voxel, and lymph node by lymph node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.bootstrap import ratio_figure
from ece_core.evaluation.cohort import UNKNOWN_CLASS, EvaluatedCase
from ece_core.evaluation.lymph_node_rows import PredictedRows, TrueRows
from ece_core.geometry import Array

BACKGROUND = "background"
MISSED, INVENTED = "not found", "no lymph node"


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of each patient, (n_patient, rows, columns): true names down, predicted names across."""

    true_names: tuple[str, ...]
    predicted_names: tuple[str, ...]
    counts: Array

    def total(self) -> Array:
        return self.counts.sum(axis=0)

    def share(self, row: int, column: int, of: str) -> dict | None:
        """A cell as a share of its ``"row"`` or ``"column"``, with its interval; None if that is empty."""
        whole = self.counts[:, row].sum(axis=1) if of == "row" else self.counts[:, :, column].sum(axis=1)
        return ratio_figure(self.counts[:, row, column], whole)


def voxel_confusion(cases: list[EvaluatedCase], predicted_names: tuple[str, ...]) -> Confusion:
    """Every voxel of every scan; a voxel has the class of its lymph node."""
    told = _true_names(row["class"] for case in cases for row in case.truth.values())
    true_names, names = (BACKGROUND, *told), (BACKGROUND, *predicted_names)
    tables = [_voxels_of(case, true_names, names) for case in cases]
    return Confusion(true_names, names, np.array(tables).reshape(-1, len(true_names), len(names)))


def lymph_node_confusion(
    true: list[TrueRows], predicted: list[PredictedRows], predicted_names: tuple[str, ...]
) -> Confusion:
    """Every true lymph node by the class of the prediction that shares most with it, and the false positives."""
    told = _true_names(name for rows in true for name in rows.class_names)
    true_names, names = (*told, INVENTED), (*predicted_names, MISSED)
    counts = np.zeros((len(true), len(true_names), len(names)))
    for table, rows, extra in zip(counts, true, predicted, strict=True):
        for truth, answer in zip(rows.class_names, rows.predicted_class, strict=True):
            table[true_names.index(truth), names.index(answer or MISSED)] += 1
        for answer in extra.class_names[extra.is_false_positive]:
            if answer:  # a label that only the map has is of no class
                table[-1, names.index(answer)] += 1
    return Confusion(true_names, names, counts)


def _true_names(seen: Iterable[str]) -> tuple[str, ...]:
    """The classes, and a row for lymph nodes of which nobody says what they are, where there are any."""
    return (*CLASS_NAMES, UNKNOWN_CLASS) if UNKNOWN_CLASS in seen else CLASS_NAMES


def _voxels_of(case: EvaluatedCase, true_names: tuple[str, ...], names: tuple[str, ...]) -> Array:
    voxels = case.voxels
    classes = {label: row["class"] for label, row in case.truth.items()}
    answers = {label: node.class_name for label, node in case.nodes.items()}
    truth = _numbers(voxels.truth, classes, true_names)
    predicted = _numbers(voxels.predicted, answers, names)
    table = np.bincount(truth * len(names) + predicted, minlength=len(true_names) * len(names))
    table = table.reshape(len(true_names), len(names))
    table[0, 0] += voxels.voxels - len(voxels.truth)
    return table


def _numbers(labels: Array, classes: dict[int, str], names: tuple[str, ...]) -> Array:
    numbers = np.zeros(max([int(labels.max(initial=0)), *classes]) + 1, int)  # a label without a class: background
    for label, name in classes.items():
        numbers[label] = names.index(name)
    return numbers[labels]
