"""Topology of a heatmap: the Euler characteristic of what is hotter than a threshold, for all thresholds at once.

The Euler characteristic counts pieces, less tunnels, plus cavities. Voxels are closed cubes (neighbors also across
edges and corners), and a cell of the cubical complex (vertex, edge, face, cube) belongs to a set of voxels as soon as
one voxel that it borders on does. So every cell is born with its hottest voxel, and the whole profile is a histogram
of births: no homology is computed, which takes a hundred times as long and gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray

THRESHOLDS = 100


def euler_thresholds(count: int = THRESHOLDS) -> Array:
    """(count,) float32, ascending to 1. Not 0: everything is at least 0, whatever the map looks like."""
    return (np.arange(1, count + 1) / count).astype(np.float32)


def euler_profile(heatmap: Array, inside: Array | None = None, thresholds: Array | None = None) -> Array:
    """Euler characteristic of {heatmap >= t}, per threshold.

    Parameters
    ----------
    heatmap
        (k, j, i) or (j, i), finite.
    inside
        Same shape, bool: only these voxels exist, such as those of a predicted contour. None: all.
    thresholds
        (t,) strictly ascending. None: :func:`euler_thresholds`.

    Returns
    -------
    Array
        (t,) int64: pieces - tunnels + cavities in 3D, pieces - holes in 2D; 0 where no voxel is that hot.

    Raises
    ------
    ValueError
        The map is not 2D or 3D or not finite, ``inside`` has another shape, or the thresholds do not ascend.

    References
    ----------
    Strijbis et al. 2025 (parotid glands): profile over an intensity filtration; equal to GUDHI's cubical complex of
    the negated map, whose top-dimensional cells are the voxels.
    """
    levels = euler_thresholds() if thresholds is None else np.asarray(thresholds)
    _check(heatmap, inside, levels)
    if inside is not None:
        box = _box_of(inside)
        heatmap, inside = heatmap[box], inside[box]
    births = _births(heatmap, inside, levels)
    counts = np.zeros(len(levels) + 1, np.int64)
    for sign, cells in _cells(births):
        counts += sign * _counted(cells, len(counts))
    return counts[:0:-1].cumsum()[::-1]


def _check(heatmap: Array, inside: Array | None, levels: Array) -> None:
    if heatmap.ndim not in (2, 3):
        raise ValueError(f"heatmap must be (k, j, i) or (j, i), got shape {heatmap.shape}")
    if not np.isfinite(heatmap).all():
        raise ValueError("heatmap holds NaN or infinity")
    if inside is not None and inside.shape != heatmap.shape:
        raise ValueError(f"inside has shape {inside.shape}, the heatmap {heatmap.shape}")
    if levels.ndim != 1 or len(levels) == 0 or (np.diff(levels) <= 0).any():
        raise ValueError("thresholds must be a list of numbers that strictly ascend")


def _box_of(inside: Array) -> tuple[slice, ...]:
    axes = range(inside.ndim)
    ends = [np.flatnonzero(inside.any(axis=tuple(a for a in axes if a != axis))) for axis in axes]
    return tuple(slice(int(end[0]), int(end[-1]) + 1) if end.size else slice(0, 0) for end in ends)


def _births(heatmap: Array, inside: Array | None, levels: Array) -> Array:
    """Per voxel how many thresholds it reaches; 0: none, or it does not exist. Small integers keep the order."""
    kind = np.uint8 if len(levels) < 256 else np.uint16 if len(levels) < 65536 else np.uint32
    births = np.empty(heatmap.shape, kind)
    for k in range(len(heatmap)):  # slice by slice: searchsorted answers in 8 bytes a voxel
        births[k] = np.searchsorted(levels, heatmap[k], side="right")
    if inside is not None:
        births[~inside] = 0
    return births


def _cells(births: Array) -> Iterator[tuple[int, Array]]:
    """Births of vertices, edges, faces and cubes, one kind and direction after the other, with their sign."""
    if 0 in births.shape:
        return
    yield from _along(births, 0, 1)


def _along(births: Array, axis: int, sign: int) -> Iterator[tuple[int, Array]]:
    if axis == births.ndim:
        yield sign, births
        return
    yield from _along(_between(births, axis), axis + 1, sign)
    yield from _along(births, axis + 1, -sign)  # as wide as the voxels along this axis: a dimension more


def _between(births: Array, axis: int) -> Array:
    """One more along the axis: the earlier of both neighbors, at the ends that of the only one."""
    shape = list(births.shape)
    shape[axis] += 1
    between = np.empty(shape, births.dtype)
    before: tuple[Any, ...] = (slice(None),) * axis
    first, last = (*before, 0), (*before, -1)
    between[first], between[last] = births[first], births[last]
    inner, lower, upper = (*before, slice(1, -1)), (*before, slice(None, -1)), (*before, slice(1, None))
    np.maximum(births[lower], births[upper], out=between[inner])
    return between


def _counted(cells: Array, length: int) -> Array:
    values = cells.reshape(-1)
    if values.dtype != np.uint8:
        return np.bincount(values, minlength=length)
    even = len(values) // 2 * 2  # two bytes at a time: half the work
    pairs = np.bincount(values[:even].view(np.uint16), minlength=65536).reshape(256, 256)
    counts = pairs.sum(axis=0) + pairs.sum(axis=1)
    counts[values[even:]] += 1
    return counts[:length]
