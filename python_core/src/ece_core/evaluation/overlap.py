"""Which predicted lymph node is which true one: by the voxels they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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

    def dice(self) -> Array:
        """(R,) float: Dice of each true lymph node, 0 if nothing overlaps it.

        Compared with the union of the predictions whose best overlap it is (one lymph node found in two pieces is not
        punished twice). If all predictions that overlap it belong to others (several lymph nodes found as one), with
        the one that shares most with it.
        """
        best_truth = self.best_truth()
        values = np.zeros(len(self.true_labels))
        for row, voxels in enumerate(self.true_voxels):
            own = np.flatnonzero(best_truth == row)
            if own.size == 0 and self.shared[row].any():
                own = self.shared[row].argmax(keepdims=True)
            shared, found = self.shared[row, own].sum(), self.predicted_voxels[own].sum()
            values[row] = 2 * shared / (voxels + found)
        return values
