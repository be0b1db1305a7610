"""The voxels that matter to an evaluation: those of a lymph node in the truth, in the prediction or in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.geometry import Array


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
    spacing_mm
        Along (k, j, i).
    """

    index_kji: Array
    truth: Array
    predicted: Array
    voxels: int
    spacing_mm: tuple[float, float, float]

    @classmethod
    def of(cls, truth: Array, predicted: Array, spacing_mm: tuple[float, float, float]) -> LabeledVoxels:
        """From two label arrays (K, J, I) on one grid."""
        where = np.flatnonzero((truth > 0) | (predicted > 0))
        index = np.stack(np.unravel_index(where, truth.shape), axis=-1).astype(np.int32)
        return cls(
            index, truth.ravel()[where].astype(int), predicted.ravel()[where].astype(int), truth.size, spacing_mm
        )
