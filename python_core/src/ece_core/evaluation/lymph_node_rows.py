"""What became of each true lymph node, and what each predicted one is: the rows from which the figures are counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.cohort import EvaluatedCase
from ece_core.evaluation.surface import surface_distance
from ece_core.geometry import Array
from ece_core.lymph_nodes.measures import short_axis_mm

NOT_FOUND = ""


@dataclass(frozen=True, eq=False)
class TrueRows:
    """One scan's true lymph nodes, (R,) each.

    Attributes
    ----------
    labels, class_names
    short_axis_mm
        Of the truth.
    outline_short_axis_mm
        As our own measure has it on the truth's outline: what is left is the measure's error, not the network's.
    necrotic
        1.0 or 0.0; NaN where the truth does not say.
    covered
        Share that predictions cover, 0 to 1.
    dice, hd95_mm, assd_mm
        Outline against that of the counterparts (:meth:`Overlap.counterparts`); NaN where nothing overlaps it.
    predicted_class
        Of the counterpart that shares most voxels; empty where nothing overlaps it.
    predicted_short_axis_mm
        Of the same one; NaN where several counterparts or several lymph nodes share it (its size is then not one
        lymph node's), or where it was not measured.
    paired
        Matched one to one with an IoU above 0.3, as HECKTOR counts.
    """

    labels: Array
    class_names: Array
    short_axis_mm: Array
    outline_short_axis_mm: Array
    necrotic: Array
    covered: Array
    dice: Array
    hd95_mm: Array
    assd_mm: Array
    predicted_class: Array
    predicted_short_axis_mm: Array
    paired: Array

    @property
    def found(self) -> Array:
        """(R,) bool: at least one voxel is shared."""
        return self.covered > 0


@dataclass(frozen=True, eq=False)
class PredictedRows:
    """One scan's predicted lymph nodes, (P,) each: label, class, size, score, and whether each is a false positive."""

    labels: Array
    class_names: Array
    short_axis_mm: Array
    score: Array
    is_false_positive: Array


PAIRED_ABOVE_IOU = 0.3  # HECKTOR's lesion match


def true_rows(case: EvaluatedCase) -> TrueRows:
    overlap, rows = case.overlap, case.true_rows()
    counterparts = overlap.counterparts()
    distances = np.array([_distances(case, row, own) for row, own in enumerate(counterparts)]).reshape(-1, 2)
    best = [int(own[overlap.shared[row, own].argmax()]) if own.size else -1 for row, own in enumerate(counterparts)]
    paired = np.zeros(len(rows), bool)
    paired[[row for row, _ in overlap.pairs(PAIRED_ABOVE_IOU)]] = True
    found = overlap.covered() > 0
    return TrueRows(
        labels=overlap.true_labels,
        class_names=np.array([row["class"] for row in rows], dtype=object),
        short_axis_mm=np.array([row["short_axis_mm"] for row in rows], float),
        outline_short_axis_mm=np.array(
            [short_axis_mm(case.voxels.true_mask(label)) for label in overlap.true_labels.tolist()], float
        ),
        necrotic=np.array([float(row["necrotic"]) if "necrotic" in row else np.nan for row in rows], float),
        covered=overlap.covered(),
        dice=np.where(found, overlap.dice(), np.nan),
        hd95_mm=distances[:, 0],
        assd_mm=distances[:, 1],
        predicted_class=np.array([_class_of(case, column) for column in best], dtype=object),
        predicted_short_axis_mm=np.array([_size_of(case, own, counterparts) for own in counterparts], float),
        paired=paired,
    )


def predicted_rows(case: EvaluatedCase, score: str) -> PredictedRows:
    """``score``: the attribute of LymphNode by which predictions are ranked."""
    nodes = case.predicted_nodes()
    return PredictedRows(
        labels=case.overlap.predicted_labels,
        class_names=np.array([NOT_FOUND if node is None else node.class_name for node in nodes], dtype=object),
        short_axis_mm=_values(nodes, "short_axis_mm"),
        score=np.nan_to_num(_values(nodes, score)),
        is_false_positive=case.overlap.is_false_positive(),
    )


def names_told_apart(cases: list[EvaluatedCase]) -> tuple[str, ...]:
    """Class names that the predictions use: N, P, ENE, or the joined ones of a network that cannot tell them."""
    nodes = [node for case in cases for node in case.result.lymph_nodes]
    judged = [node for node in nodes if not node.not_evaluable]
    joined = {name for node in judged or nodes for name in (node.class_name, *node.class_probabilities)}
    if "lymph_node" in joined:
        return ("lymph_node",)
    if "metastatic" in joined:
        return ("N", "metastatic")
    apart_but_for_some = any(node.class_name == "metastatic" for node in nodes)  # ENE (also ECE) not evaluable
    return (*CLASS_NAMES, "metastatic") if apart_but_for_some else CLASS_NAMES


def _values(nodes: list, attribute: str) -> Array:
    values = [None if node is None else getattr(node, attribute) for node in nodes]
    return np.array([np.nan if value is None else value for value in values], float)


def _distances(case: EvaluatedCase, row: int, own: Array) -> tuple[float, float]:
    voxels = case.voxels
    truth = voxels.index_kji[voxels.truth == case.overlap.true_labels[row]]
    predicted = voxels.index_kji[np.isin(voxels.predicted, case.overlap.predicted_labels[own])]
    distance = surface_distance(truth, predicted, voxels.spacing_mm)
    return (np.nan, np.nan) if distance is None else (distance.hd95_mm, distance.assd_mm)


def _class_of(case: EvaluatedCase, column: int) -> str:
    node = case.predicted_nodes()[column] if column >= 0 else None
    return NOT_FOUND if node is None else node.class_name


def _size_of(case: EvaluatedCase, own: Array, counterparts: list[Array]) -> float:
    if own.size != 1 or sum(own[0] in other for other in counterparts) != 1:
        return np.nan
    return float(_values([case.predicted_nodes()[own[0]]], "short_axis_mm")[0])
