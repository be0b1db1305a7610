"""From scores on the network's grid to labels on the scan's grid, worked out only where there is something to see.

The way back is linear: every voxel of the scan is a mix, without negative weights, of a few voxels of the network's
grid. Where background wins in all of those, it wins in the mix. So boxes around the foreground of the network's grid
are all that has to be interpolated, and the labels are those of interpolating everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    import torch

Array = np.ndarray
Matrices = tuple[Array, Array, Array]
Range = tuple[int, int]

BLOCK = 4  # foreground is looked for in blocks of so many voxels; it only decides how tight the boxes are
FULL = np.ones((3, 3, 3), bool)


class Axis:
    """One axis of the way back: which voxels of the network's grid each voxel of the scan is made of."""

    def __init__(self, matrix: Array, device: str) -> None:
        import torch

        touched = matrix != 0
        self.first = touched.argmax(axis=1)
        self.last = matrix.shape[1] - 1 - touched[:, ::-1].argmax(axis=1)
        self.nearest = torch.from_numpy(matrix.argmax(axis=1)).to(device)
        self.weights = torch.from_numpy(np.ascontiguousarray(matrix, np.float32)).to(device)

    def outputs(self, source: Range) -> Range:
        """Voxels of the scan that take something from these of the network's grid."""
        return int(np.searchsorted(self.last, source[0])), int(np.searchsorted(self.first, source[1]))

    def sources(self, output: Range) -> Range:
        """Voxels of the network's grid that make up these of the scan."""
        return int(self.first[output[0]]), int(self.last[output[1] - 1]) + 1


class LabelWriter:
    """Takes planes of scores in order; has the labels on the scan's grid, and the scores where there is foreground.

    Parameters
    ----------
    matrices
        Per axis (voxels of the scan, voxels of the network's grid): rows that are never negative, their positions
        rising. As `Recipe.back` gives them.
    device
        Where the planes are.
    """

    def __init__(self, matrices: Matrices, device: str) -> None:
        import torch

        self._axes = tuple(Axis(matrix, device) for matrix in matrices)
        self._labels = torch.zeros([len(matrix) for matrix in matrices], dtype=torch.uint8, device=device)
        self._kept: torch.Tensor | None = None  # planes that later slices still need
        self._begin = self._end = 0  # of the planes that are here
        self._done = 0  # slices of the scan that are written
        self._found: list[tuple[Array, Array]] = []

    def add(self, planes: torch.Tensor) -> None:
        """The next planes (c, n, J, I); they are not kept beyond the call."""
        import torch

        here = planes if self._kept is None else torch.cat((self._kept, planes), 1)
        self._end += planes.shape[1]
        along_k = self._axes[0]
        ready = int(np.searchsorted(along_k.last, self._end))
        if ready > self._done:
            for box in foreground_boxes(here):
                self._write(here, box, (self._done, ready))
            self._done = ready
        # What comes next may skip planes that are not here yet: these are not ours to leave out.
        needed = min(int(along_k.first[ready]), self._end) if ready < len(along_k.first) else self._end
        self._kept = here[:, needed - self._begin :].clone()
        self._begin = needed

    def labels(self) -> Array:
        """(K, J, I) uint8 on the scan's grid: the class with the highest score, of equal ones the first."""
        return self._labels.cpu().numpy()

    def foreground(self) -> tuple[Array, Array]:
        """Voxels (n, 3) that are not background, and their scores (c, n) at the nearest voxel of the network's grid."""
        if not self._found:
            return np.zeros((0, 3), np.int64), np.zeros((0, 0), np.float32)
        return (
            np.concatenate([index for index, _ in self._found]),
            np.concatenate([scores for _, scores in self._found], axis=1),
        )

    def _write(self, here: torch.Tensor, box: tuple[Range, Range, Range], slices: Range) -> None:
        import torch

        box = ((box[0][0] + self._begin, box[0][1] + self._begin), box[1], box[2])
        k, j, i = (axis.outputs(part) for axis, part in zip(self._axes, box, strict=True))
        k = (max(k[0], slices[0]), min(k[1], slices[1]))
        if any(start >= stop for start, stop in (k, j, i)):
            return
        mixed = self._mixed(here, (k, j, i))
        into = self._labels[slice(*k), slice(*j), slice(*i)]
        found = highest(mixed)
        new = torch.nonzero((found > 0) & (into == 0))
        into.copy_(torch.maximum(into, found))  # boxes overlap, and agree there
        if len(new):
            index = new + torch.tensor([k[0], j[0], i[0]], device=new.device)
            near = [axis.nearest[column] for axis, column in zip(self._axes, index.T, strict=True)]
            scores = here[:, near[0] - self._begin, near[1], near[2]]
            self._found.append((index.cpu().numpy(), scores.cpu().numpy()))

    def _mixed(self, here: torch.Tensor, output: tuple[Range, Range, Range]) -> torch.Tensor:
        """Scores (c, k, j, i) on these voxels of the scan."""
        import torch

        sources = [axis.sources(part) for axis, part in zip(self._axes, output, strict=True)]
        wk, wj, wi = (
            axis.weights[slice(*part), slice(*source)]
            for axis, part, source in zip(self._axes, output, sources, strict=True)
        )
        k, j, i = sources
        block = here[:, k[0] - self._begin : k[1] - self._begin, slice(*j), slice(*i)]
        return wj @ torch.tensordot(wk, block, dims=([1], [1])).movedim(0, 1) @ wi.T


def highest(scores: torch.Tensor) -> torch.Tensor:
    """(k, j, i) uint8: the class with the highest score, of equal ones the first. Far faster than argmax."""
    import torch

    best = scores[0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8, device=best.device)
    for value in range(1, len(scores)):
        labels.masked_fill_(scores[value] > best, value)
        torch.maximum(best, scores[value], out=best)
    return labels


def foreground_boxes(scores: torch.Tensor) -> Iterator[tuple[Range, Range, Range]]:
    """Boxes (start, stop) along k, j, i that hold all voxels where a class beats background, in whole blocks."""
    import torch

    shape = scores.shape[1:]
    whole = [-(-n // BLOCK) * BLOCK for n in shape]
    beaten = torch.zeros(whole, dtype=torch.bool, device=scores.device)
    inside = beaten[: shape[0], : shape[1], : shape[2]]
    for value in range(1, len(scores)):
        inside |= scores[value] > scores[0]
    k, j, i = (n // BLOCK for n in whole)
    # Four bools are one integer: the first step is the one over all voxels.
    blocks = beaten.view(torch.int32).ne(0).view(k, BLOCK, j, BLOCK, i).any(dim=3).any(dim=1)
    labels, _ = ndimage.label(blocks.cpu().numpy(), FULL)
    for found in ndimage.find_objects(labels):
        box = [(part.start * BLOCK, min(part.stop * BLOCK, n)) for part, n in zip(found, shape, strict=True)]
        yield box[0], box[1], box[2]
