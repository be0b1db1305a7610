"""Turn any stack (sagittal, feet first, flipped) into axial slices by permuting and flipping, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.geometry import Volume


@dataclass(frozen=True)
class Orientation:
    """How the array was turned: new axis n was old axis ``order[n]``, reversed where ``flipped[n]``."""

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array (K, J, I) turned; a view."""
        return np.transpose(array, self.order)[tuple(slice(None, None, -1 if f else 1) for f in self.flipped)]

    def undo(self, array: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`apply`; a view."""
        turned = array[tuple(slice(None, None, -1 if f else 1) for f in self.flipped)]
        return np.transpose(turned, np.argsort(self.order))

    def undo_index(self, index_kji: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Where voxels (n, 3) of a turned array of that shape lie in the array that it was made from."""
        ends = np.array(shape) - 1
        turned = np.where(self.flipped, ends - index_kji, index_kji)
        return turned[:, np.argsort(self.order)]


def to_axial(volume: Volume, toward: str = "LPS") -> tuple[Volume, Orientation]:
    """The same voxels with k nearest to superior, j to posterior and i to left; nothing is resampled.

    Parameters
    ----------
    toward
        Where i, j and k point to: ``"LPS"`` as DICOM has it, or ``"RAS"``, ``"LAS"`` and the like.

    Returns
    -------
    Volume, Orientation
        The turned volume (a view with its own affine) and how to turn back.
    """
    direction = volume.direction[:, ::-1]  # columns in array order k, j, i
    order: list[int] = []
    for target in (2, 1, 0):  # S, P, L
        scores = np.abs(direction[target])
        scores[order] = -1
        order.append(int(scores.argmax()))
    signs = [1 if letter in "LPS" else -1 for letter in reversed(toward)]
    flipped = tuple(
        bool(direction[target, axis] * sign < 0) for target, axis, sign in zip((2, 1, 0), order, signs, strict=True)
    )
    orientation = Orientation((order[0], order[1], order[2]), (flipped[0], flipped[1], flipped[2]))
    start = np.zeros(3)
    columns = volume.affine[:3, :3][:, ::-1]
    new_columns = []
    for axis, flip in zip(order, flipped, strict=True):
        if flip:
            start[axis] = volume.shape[axis] - 1
        new_columns.append(columns[:, axis] * (-1 if flip else 1))
    affine = np.eye(4)
    affine[:3, :3] = np.array(new_columns[::-1]).T
    affine[:3, 3] = volume.to_lps(start)
    return Volume(orientation.apply(volume.array), affine), orientation
