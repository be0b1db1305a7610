"""Dice per image slice and per volume, of all lymph node tissue and of each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.evaluation.cohort import EvaluatedCase
from ece_core.evaluation.surface import SurfaceDistance, surface_distance
from ece_core.geometry import Array


@dataclass(frozen=True, eq=False)
class Tissue:
    """Which voxels of a scan are of some classes, in the truth and in the prediction; (n,) bool as LabeledVoxels."""

    case: EvaluatedCase
    truth: Array
    predicted: Array

    @classmethod
    def of(cls, case: EvaluatedCase, true_classes: tuple[str, ...], predicted_classes: tuple[str, ...]) -> Tissue:
        """A voxel has the class of its lymph node; one that only the map has is of no class."""
        truth = [label for label, row in case.truth.items() if row["class"] in true_classes]
        predicted = [label for label, node in case.nodes.items() if node.class_name in predicted_classes]
        voxels = case.voxels
        return cls(case, np.isin(voxels.truth, truth), np.isin(voxels.predicted, predicted))

    @classmethod
    def any(cls, case: EvaluatedCase) -> Tissue:
        return cls(case, case.voxels.truth > 0, case.voxels.predicted > 0)

    def counts(self) -> Array:
        """(2,): twice the shared voxels, and those of both; their quotient is Dice."""
        return np.array([2 * (self.truth & self.predicted).sum(), self.truth.sum() + self.predicted.sum()], float)

    def volume_dice(self) -> Array:
        """(1,), or (0,) where neither truth nor prediction has a voxel."""
        shared, both = self.counts()
        return np.array([shared / both]) if both else np.zeros(0)

    def slice_dice(self) -> Array:
        """(s,): of each image slice on which truth or prediction has a voxel."""
        slices = self.case.voxels.index_kji[:, 0]
        length = int(slices.max(initial=0)) + 1
        shared, truth, predicted = (
            np.bincount(slices[where], minlength=length)
            for where in (self.truth & self.predicted, self.truth, self.predicted)
        )
        both = truth + predicted
        return 2 * shared[both > 0] / both[both > 0]

    def mean_slice_dice(self) -> Array:
        """(1,): the mean over the scan's slices, as the seed paper averages; or (0,)."""
        values = self.slice_dice()
        return np.array([values.mean()]) if len(values) else values

    def surface(self) -> SurfaceDistance | None:
        """Of the whole tissue, every lymph node together; None where one of the two is empty."""
        index = self.case.voxels.index_kji
        return surface_distance(index[self.truth], index[self.predicted], self.case.voxels.spacing_mm)
