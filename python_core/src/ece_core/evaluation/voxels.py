"""The voxels that matter to an evaluation: those of a lymph node in the truth, in the prediction or in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.geometry import Array, Volume


@dataclass(frozen=True, eq=False)
class LabeledVoxels:
    """Two label maps without their common background: some 50 thousand of 42 million voxels of a scan.

    Attributes
    ----------
    index_kji
        (n, 3) int, in the order of the array.
    truth, predicted
        (n,) int labels, 0 is background.
    voxels
        Of the whole scan.
    affine
        (4, 4), (i, j, k) to LPS mm.
    """

    index_kji: Array
    truth: Array
    predicted: Array
    voxels: int
    affine: Array

    @classmethod
    def of(cls, true_map: Volume, predicted_map: Volume) -> LabeledVoxels:
        """From two label maps on one grid."""
        truth, predicted = true_map.array, predicted_map.array
        where = np.flatnonzero((truth > 0) | (predicted > 0))
        index = np.stack(np.unravel_index(where, truth.shape), axis=-1).astype(np.int32)
        labels = [array.ravel()[where].astype(int) for array in (truth, predicted)]
        return cls(index, labels[0], labels[1], truth.size, true_map.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Along (k, j, i)."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(k), float(j), float(i)

    def true_mask(self, label: int) -> Volume:
        """One true lymph node in its bounding box, bool."""
        index = self.index_kji[self.truth == label]
        low = index.min(axis=0)
        mask = np.zeros(np.ptp(index, axis=0) + 1, bool)
        mask[tuple((index - low).T)] = True
        affine = self.affine.copy()
        affine[:3, 3] += self.affine[:3, :3] @ low[::-1]
        return Volume(mask, affine)
