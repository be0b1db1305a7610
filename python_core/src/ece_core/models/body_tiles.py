"""Fast mode: a coarse pass finds the body, and the network looks only there, at every place once.

A plain sliding window looks at most places two to eight times, air beside the patient included. A network without a
norm over the tile (batch normalization is none: its numbers are fixed) answers from a neighborhood, so tiles may have
any size, and an answer some voxels off a tile's edge needs no second opinion. A box around the body is divided until
the parts fit into memory, and as long as that leaves out air.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ece_core.models.recipe import Recipe
from ece_core.models.tiles import Three, Tile, tile_starts
from ece_core.preprocessing.resample import apply_weights, weights

if TYPE_CHECKING:
    from torch import nn

Array = np.ndarray
Box = tuple[Array, Array]

COARSE_MM = 4.0  # cells of the coarse pass
BORDER = 16  # voxels at a tile's edge whose answer is not used; figures in docs/performance.md
MOST_VALUES = 80_000_000  # voxels times channels at full resolution; a few such arrays, half a GB of memory each
CUTS = (0.25, 0.375, 0.5, 0.625, 0.75)  # where along an edge a box may be divided
WORTH_IT = 0.9  # it is when the parts are less work than this share of it
OVERLAP = 0.25  # of tiles of a network that is not local, which keep their size


def is_local(network: nn.Module) -> bool:
    """Whether what it says of a voxel depends on a neighborhood alone, not on all of the tile."""
    from torch import nn

    over_the_tile = (
        nn.modules.instancenorm._InstanceNorm, nn.GroupNorm, nn.LayerNorm, nn.MultiheadAttention,
        nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d,
    )  # fmt: skip
    return not any(isinstance(module, over_the_tile) for module in network.modules())


def most_voxels(network: nn.Module) -> float:
    """Of one tile, so that a network with more channels takes no more memory."""
    first = next(iter(network.parameters()), None)
    return MOST_VALUES / (16 if first is None else first.shape[0])


def body_cells(recipe: Recipe, image: Array, spacing_mm: Sequence[float]) -> Array:
    """(k, j, i) bool on cells of about 4 mm of the normalized image: the patient, without couch and cables."""
    shape = [max(1, round(n * mm / COARSE_MM)) for n, mm in zip(image.shape, spacing_mm, strict=True)]
    k, j, i = (weights(n, (np.arange(m) + 0.5) * n / m - 0.5, n / m) for n, m in zip(image.shape, shape, strict=True))
    solid = apply_weights(image, (k, j, i)) > recipe.tissue
    labels, count = ndimage.label(ndimage.binary_opening(solid))
    if count == 0:
        return solid
    sizes = np.bincount(labels.ravel())[1:]
    kept = np.flatnonzero(sizes >= 0.1 * sizes.max()) + 1
    return ndimage.binary_dilation(np.isin(labels, kept), iterations=2)


def body_tiles(
    recipe: Recipe, image: Array, spacing_mm: Sequence[float], size: Three, multiple: Three, local: bool,
    most_voxels: float,
) -> list[Tile]:
    """Tiles of the padded, normalized image (K, J, I) that hold the body, by rising start along k.

    Parameters
    ----------
    size
        The tile of the card, for a network that is not ``local``.
    multiple
        Edges and starts of other tiles are multiples of it; so are those of the image.
    most_voxels
        Of a tile of a local network.
    """
    cells = body_cells(recipe, image, spacing_mm)
    if not cells.any():
        return []
    shape = np.array(image.shape)
    body = _whole_voxels(cells, shape)
    if not local:
        return _tiles_of_one_size(cells, body, shape, size)
    step = np.array(multiple)
    border = np.ceil(BORDER / step).astype(int) * step
    tiles: list[Tile] = []
    _divide(cells, shape, body, step, border, most_voxels, tiles)
    return sorted(tiles, key=lambda tile: tile.start)


def _divide(
    cells: Array, shape: Array, inner: Box, step: Array, border: Array, most_voxels: float, tiles: list[Tile]
) -> None:
    """One tile for the box, or those of its two parts."""

    def work(box: Box) -> int:
        return int(np.prod(_tile(box, shape, step, border).size))

    whole = work(inner)
    cuts = [_cut(cells, shape, inner, axis, share) for axis in range(3) for share in CUTS
            if inner[1][axis] - inner[0][axis] >= 2 * border[axis]]  # fmt: skip  # else borders are most of the work
    parts = min(cuts, key=lambda boxes: sum(map(work, boxes)), default=[inner])
    if len(cuts) and (whole > most_voxels or sum(map(work, parts)) < WORTH_IT * whole):
        for part in parts:
            _divide(cells, shape, part, step, border, most_voxels, tiles)
    else:
        tiles.append(_tile(inner, shape, step, border))


def _cut(cells: Array, shape: Array, box: Box, axis: int, share: float) -> list[Box]:
    """What is left of the box's two parts when air at their sides is left out."""
    at = round(box[0][axis] + share * (box[1][axis] - box[0][axis]))
    parts = []
    for low, high in ((box[0][axis], at), (at, box[1][axis])):
        start, stop = box[0].copy(), box[1].copy()
        start[axis], stop[axis] = low, high
        shrunk = _shrunk(cells, shape, (start, stop))
        if shrunk is not None:
            parts.append(shrunk)
    return parts


def _tile(inner: Box, shape: Array, step: Array, border: Array) -> Tile:
    start = np.maximum(0, (inner[0] - border) // step * step)
    stop = np.minimum(shape, -(-(inner[1] + border) // step) * step)
    return Tile(_three(start), _three(stop - start), (_three(inner[0] - start), _three(inner[1] - start)))


def _whole_voxels(cells: Array, shape: Array) -> Box:
    """The box of voxels around all cells that are set."""
    scale = shape / np.array(cells.shape)
    where = np.argwhere(cells)
    return np.floor(where.min(axis=0) * scale).astype(int), np.ceil((where.max(axis=0) + 1) * scale).astype(int)


def _shrunk(cells: Array, shape: Array, box: Box) -> Box | None:
    """The box without what is not body at its sides; None if there is none in it."""
    scale = shape / np.array(cells.shape)
    first = np.floor(box[0] / scale).astype(int)
    last = np.ceil(box[1] / scale).astype(int)
    inside = cells[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    if not inside.any():
        return None
    low, high = _whole_voxels(inside, np.array(inside.shape) * scale)
    offset = first * scale
    return (
        np.maximum(box[0], np.floor(low + offset).astype(int)),
        np.minimum(box[1], np.ceil(high + offset).astype(int)),
    )


def _tiles_of_one_size(cells: Array, body: Box, shape: Array, size: Three) -> list[Tile]:
    """Overlapping tiles over the body's box, but for those without body."""
    tiles = []
    room = np.minimum(np.maximum(body[1] - body[0], size), shape)
    first = np.minimum(body[0], shape - room)
    axes = [[int(a) + n for n in tile_starts(int(r), s, OVERLAP)] for a, r, s in zip(first, room, size, strict=True)]
    scale = shape / np.array(cells.shape)
    for k in axes[0]:
        for j in axes[1]:
            for i in axes[2]:
                start = np.array((k, j, i))
                box = zip(np.floor(start / scale), np.ceil((start + size) / scale), strict=True)
                if cells[tuple(slice(int(a), int(b)) for a, b in box)].any():
                    tiles.append(Tile((k, j, i), size))
    return tiles


def _three(values: Array) -> Three:
    k, j, i = (int(value) for value in values)
    return k, j, i
