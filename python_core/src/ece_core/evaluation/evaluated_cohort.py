"""A whole cohort, counted: what the figures, tables and plots of the segmentation are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.evaluation.bootstrap import mean_figure, ratio_figure
from ece_core.evaluation.cohort import EvaluatedCase
from ece_core.evaluation.froc import Froc
from ece_core.evaluation.lymph_node_rows import PredictedRows, TrueRows, names_told_apart, predicted_rows, true_rows
from ece_core.evaluation.overlap import Overlap
from ece_core.evaluation.strata import METASTATIC, STRATA, Stratum
from ece_core.evaluation.voxel_dice import Tissue
from ece_core.geometry import Array

Figure = dict | None  # {value, low, high}, or not defined
SCORE, STAND_IN = "detection_probability", "short_axis_mm"
ALL = "all"
GROUPS = {  # which predicted classes count as right for which true ones
    "N": (("N",), ("N",)),
    "P": (("P",), ("P",)),
    "ENE": (("ENE",), ("ENE",)),
    "P or ENE": (METASTATIC, (*METASTATIC, "metastatic")),
}


@dataclass(frozen=True, eq=False)
class EvaluatedCohort:
    """Rows of every patient in the order of the cases.

    Attributes
    ----------
    score
        Attribute of LymphNode by which predictions are ranked: what the network gave, or the short axis where
        results do not hold that.
    """

    cases: list[EvaluatedCase]
    true: list[TrueRows]
    predicted: list[PredictedRows]
    score: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, cases: list[EvaluatedCase]) -> EvaluatedCohort:
        nodes = [node for case in cases for node in case.result.lymph_nodes]
        score = SCORE if nodes and all(node.detection_probability is not None for node in nodes) else STAND_IN
        predicted = [predicted_rows(case, score) for case in cases]
        return cls(cases, [true_rows(case) for case in cases], predicted, score, names_told_apart(cases))

    def groups(self) -> tuple[str, ...]:
        """Groups of classes that the predictions can tell."""
        return tuple(name for name, (_, told) in GROUPS.items() if set(told) & set(self.names))

    def number(self, stratum: Stratum) -> int:
        return sum(int(stratum(rows).sum()) for rows in self.true)

    def detection(self, stratum: Stratum, above: float = 0.0) -> Figure:
        """Share of the lymph nodes of which more than ``above`` is covered."""
        return mean_figure([rows.covered[stratum(rows)] > above for rows in self.true])

    def mean(self, column: str, stratum: Stratum) -> Figure:
        """Mean of a column of TrueRows over the detected lymph nodes."""
        values = [getattr(rows, column)[stratum(rows)] for rows in self.true]
        return mean_figure([v[np.isfinite(v)] for v in values])

    def overlaps(self, group: str) -> list[Overlap]:
        """True and predicted lymph nodes of a group of classes, each scan as if there were no others."""
        true_names, predicted_names = GROUPS[group]
        return [
            case.overlap.among(_is(true.class_names, true_names), _is(predicted.class_names, predicted_names))
            for case, true, predicted in zip(self.cases, self.true, self.predicted, strict=True)
        ]

    def tissues(self, group: str) -> list[Tissue]:
        if group == ALL:
            return [Tissue.any(case) for case in self.cases]
        return [Tissue.of(case, *GROUPS[group]) for case in self.cases]

    def false_positives(self, counted=lambda rows: np.ones(len(rows.labels), bool)) -> Figure:
        """Per scan, among the predictions that ``counted(PredictedRows) -> (P,) bool`` chooses."""
        numbers = [(rows.is_false_positive & counted(rows)).sum() for rows in self.predicted]
        return ratio_figure(np.array(numbers, float), np.ones(len(numbers)))

    def froc(self, stratum: Stratum = STRATA[ALL]) -> Froc:
        """Detection of a stratum against the false positives of all sizes and classes."""
        found = [self._found_at(n)[stratum(rows)] for n, rows in enumerate(self.true)]
        return Froc(found, [rows.score[rows.is_false_positive] for rows in self.predicted])

    def _found_at(self, number: int) -> Array:
        """(R,): the highest score among the predictions that overlap each true lymph node; -inf without any."""
        shared = self.cases[number].overlap.shared > 0
        scores = np.where(shared, self.predicted[number].score[None], -np.inf)
        return scores.max(axis=1, initial=-np.inf)

    def matches(self, above_iou: float) -> Array:
        """(n_patient, 3): true positives, false positives and false negatives of a one-to-one matching by IoU."""
        rows = []
        for case in self.cases:
            pairs = len(case.overlap.pairs(above_iou))
            rows.append((pairs, len(case.overlap.predicted_labels) - pairs, len(case.overlap.true_labels) - pairs))
        return np.array(rows, float).reshape(-1, 3)


def _is(names: Array, wanted: tuple[str, ...]) -> Array:
    return np.isin(names.astype(str), wanted)


def aggregated_f1(matches: Array) -> Figure:
    """2 TP / (2 TP + FP + FN), the counts summed over all patients first.

    Parameters
    ----------
    matches
        (n_patient, 3): TP, FP, FN.

    References
    ----------
    F1agg of HECKTOR 2025, arXiv 2606.20143; its match is IoU > 0.3.
    """
    tp, fp, fn = matches.T
    return ratio_figure(2 * tp, 2 * tp + fp + fn)
