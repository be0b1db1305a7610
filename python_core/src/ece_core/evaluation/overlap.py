"""Which predicted lymph node is which true one: by the voxels they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ece_core.geometry import Array


@dataclass(frozen=True, eq=False)
class Overlap:
    """Shared voxels of true and predicted lymph nodes.

    Attributes
    ----------
    true_labels, predicted_labels
        (R,), (P,) int, ascending.
    shared
        (R, P) int: voxels with this true and this predicted label.
    true_voxels, predicted_voxels
        (R,), (P,) int: size of each.
    """

    true_labels: Array
    predicted_labels: Array
    shared: Array
    true_voxels: Array
    predicted_voxels: Array

    @classmethod
    def of(cls, truth: Array, predicted: Array) -> Overlap:
        """Count once over two label arrays of the same shape (0 is background)."""
        anywhere = (truth > 0) | (predicted > 0)
        true_labels, t = np.unique(np.append(0, truth[anywhere]), return_inverse=True)
        predicted_labels, p = np.unique(np.append(0, predicted[anywhere]), return_inverse=True)
        counts = np.bincount(t[1:] * len(predicted_labels) + p[1:], minlength=len(true_labels) * len(predicted_labels))
        table = counts.reshape(len(true_labels), len(predicted_labels))
        return cls(
            true_labels[1:].astype(int),
            predicted_labels[1:].astype(int),
            table[1:, 1:],
            table[1:].sum(axis=1),
            table[:, 1:].sum(axis=0),
        )

    def covered(self) -> Array:
        """(R,) float: share of each true lymph node that some prediction covers."""
        return self.shared.sum(axis=1) / self.true_voxels

    def is_false_positive(self) -> Array:
        """(P,) bool: predicted lymph nodes that share no voxel with any true one."""
        return self.shared.sum(axis=0) == 0

    def best_truth(self) -> Array:
        """(P,) int: row of the true lymph node that each prediction shares most voxels with, -1 without any."""
        if self.shared.shape[0] == 0:
            return np.full(self.shared.shape[1], -1)
        return np.where(self.is_false_positive(), -1, self.shared.argmax(axis=0))

    def best_prediction(self) -> Array:
        """(R,) int: of the predictions whose best is this true lymph node, the one that shares most; -1 without any."""
        best_truth = self.best_truth()
        best = np.full(len(self.true_labels), -1)
        for row in range(len(best)):
            own = np.flatnonzero(best_truth == row)
            if own.size:
                best[row] = own[self.shared[row, own].argmax()]
        return best

    def counterparts(self) -> list[Array]:
        """Per true lymph node the columns of the predictions that it is compared with; empty if nothing overlaps it.

        The predictions whose best overlap it is (one lymph node found in two pieces is not punished twice). If all
        predictions that overlap it belong to others (several lymph nodes found as one), the one that shares most.
        """
        best_truth = self.best_truth()
        columns = []
        for row in range(len(self.true_labels)):
            own = np.flatnonzero(best_truth == row)
            if own.size == 0 and self.shared[row].any():
                own = self.shared[row].argmax(keepdims=True)
            columns.append(own)
        return columns

    def dice(self) -> Array:
        """(R,) float: Dice of each true lymph node with its counterparts together, 0 if nothing overlaps it."""
        values = np.zeros(len(self.true_labels))
        for row, own in enumerate(self.counterparts()):
            values[row] = 2 * self.shared[row, own].sum() / (self.true_voxels[row] + self.predicted_voxels[own].sum())
        return values

    def iou(self) -> Array:
        """(R, P) float: intersection over union of every pair."""
        union = self.true_voxels[:, None] + self.predicted_voxels[None] - self.shared
        return self.shared / union

    def pairs(self, above_iou: float) -> list[tuple[int, int]]:
        """(row, column) of as many lymph nodes as can be matched one to one with an IoU above a threshold.

        Among the matchings with most pairs, one with the largest sum of IoU.
        """
        iou = self.iou()
        allowed = iou > above_iou
        if not allowed.any():
            return []
        # A pair more is worth more than all IoU together, which are at most as many as rows or columns.
        gain = np.where(allowed, min(iou.shape) + 1 + iou, 0.0)
        rows, columns = linear_sum_assignment(gain, maximize=True)
        return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if allowed[r, c]]

    def among(self, true: Array, predicted: Array) -> Overlap:
        """Only these true (R,) bool and predicted (P,) bool lymph nodes, as if there were no others."""
        return Overlap(
            self.true_labels[true],
            self.predicted_labels[predicted],
            self.shared[np.ix_(true, predicted)],
            self.true_voxels[true],
            self.predicted_voxels[predicted],
        )
