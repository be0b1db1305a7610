"""Where the network looks: tiles of a grid, and the sum of their answers while memory holds only one tile's depth.

A sliding window over a whole scan usually keeps the answers of every voxel until the last tile is done. Tiles that
come in order of depth leave planes behind that no later tile touches; those are handed on at once, and their memory
is used again (a ring along the slices).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

Array = np.ndarray
Three = tuple[int, int, int]

PLANES_AT_ONCE = 16  # handed on together: enough to amortize the calls, few against the depth of a tile


@dataclass(frozen=True)
class Tile:
    """A box of the padded grid. ``inner`` is the part (start, stop) whose answers count; None: all of it."""

    start: Three
    size: Three
    inner: tuple[Three, Three] | None = None

    @property
    def box(self) -> tuple[slice, slice, slice]:
        k, j, i = (slice(a, a + n) for a, n in zip(self.start, self.size, strict=True))
        return k, j, i


def tile_starts(length: int, size: int, overlap: float) -> list[int]:
    """Starts of overlapping tiles that cover [0, length); the last one ends at the end."""
    if length <= size:
        return [0]
    count = int(np.ceil((length - size) / (size * (1 - overlap)))) + 1
    return [round(float(n)) for n in np.linspace(0, length - size, count)]


def every_tile(shape: Sequence[int], size: Three, overlap: float) -> list[Tile]:
    """Tiles of one size over a whole grid, in order of depth."""
    axes = [tile_starts(n, s, overlap) for n, s in zip(shape, size, strict=True)]
    return [Tile((k, j, i), size) for k, j, i in itertools.product(*axes)]


class TileSum:
    """The weighted mean of what tiles say, for the planes that are still open.

    Parameters
    ----------
    shape
        Of the padded grid (K, J, I).
    tiles
        All that will come, by rising start along k.
    weight
        (k, j, i) float32 of a tile of that size, above zero.
    """

    def __init__(
        self, channels: int, shape: Three, tiles: Sequence[Tile], weight: Callable[[Three], Array], device: str,
    ) -> None:
        import torch

        self._torch = torch
        self._shape, self._device = shape, device
        self._weight_of = weight
        self._weights: dict[tuple, torch.Tensor] = {}
        self._depth = min(shape[0], max((tile.size[0] for tile in tiles), default=1))
        self._sums = torch.zeros((channels, self._depth, *shape[1:]), device=device)
        self._first = 0  # the plane up to which all has been handed on
        self._open: list[Tile] = []

    def add(self, tile: Tile, scores: torch.Tensor) -> None:
        """Scores (c, k, j, i) of the tile. What is before its start must have been taken."""
        weight = self._weight(tile)
        for ring, own, (j, i) in self._pieces(tile):
            self._sums[:, ring, j, i].addcmul_(scores[:, own], weight[own])
        self._open.append(tile)

    def add_background(self, tile: Tile) -> None:
        """As scores of 1 for background and 0 for the rest."""
        weight = self._weight(tile)
        for ring, own, (j, i) in self._pieces(tile):
            self._sums[0, ring, j, i] += weight[own]
        self._open.append(tile)

    def take(self, stop: int) -> Iterator[torch.Tensor]:
        """The means (c, n, J, I) of all planes before ``stop``, a few at a time; each is valid until the next.

        Zero, which is no class, where no tile has been.
        """
        while self._first < stop:
            at = self._first % self._depth
            count = min(stop - self._first, self._depth - at, PLANES_AT_ONCE)
            planes = self._sums[:, at : at + count]
            planes /= self._norm(self._first, self._first + count)
            yield planes
            planes.zero_()
            self._first += count
        self._open = [tile for tile in self._open if tile.start[0] + tile.size[0] > stop]

    def _pieces(self, tile: Tile) -> Iterator[tuple[slice, slice, tuple[slice, slice]]]:
        """Planes of the ring, planes of the tile, rows and columns: in two pieces where the ring begins anew."""
        k, j, i = tile.box
        first = k.start
        while first < k.stop:
            at = first % self._depth
            count = min(k.stop - first, self._depth - at)
            yield slice(at, at + count), slice(first - k.start, first - k.start + count), (j, i)
            first += count

    def _weight(self, tile: Tile) -> torch.Tensor:
        key = (tile.size, tile.inner)
        if key not in self._weights:
            weight = self._torch.from_numpy(self._weight_of(tile.size))
            if tile.inner is not None:
                inside = tuple(slice(a, b) for a, b in zip(*tile.inner, strict=True))
                counts = self._torch.zeros_like(weight)
                counts[inside] = weight[inside]
                weight = counts
            self._weights[key] = weight.to(self._device)
        return self._weights[key]

    def _norm(self, first: int, stop: int) -> torch.Tensor:
        norm = self._torch.zeros((stop - first, *self._shape[1:]), device=self._device)
        for tile in self._open:
            k, j, i = tile.box
            low, high = max(k.start, first), min(k.stop, stop)
            if low < high:
                norm[low - first : high - first, j, i] += self._weight(tile)[low - k.start : high - k.start]
        return norm.clamp_(min=1e-12)
