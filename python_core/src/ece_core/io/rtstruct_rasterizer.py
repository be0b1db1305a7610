"""Contours to voxels: a voxel belongs to the region if its center lies inside an odd number of contours.

Even-odd makes a hole of a contour within a contour, of a keyhole (a contour that runs inwards, around the hole and
back along its own path), and of nothing else. The contour is taken where it is drawn: no half voxel is added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.geometry import Array

# Of a voxel. Contours of some programs run exactly through voxel centers; whether such a center is inside must not
# depend on the last bit of a matrix product. 1e-6 of a voxel is a nanometer: far below what any file states.
SNAP_DECIMALS = 6
CROSSINGS_AT_ONCE = 1_000_000  # bounds the memory that a contour of very many long edges takes


def even_odd(contours: Sequence[Array], shape: tuple[int, int]) -> Array:
    """Fill closed contours of one slice.

    Parameters
    ----------
    contours
        (n, 2) each, finite: corners (j, i) in voxel indices, voxel centers at whole numbers. The last corner is
        joined with the first.
    shape
        (J, I) of the slice. What lies outside of it is cut off.

    Returns
    -------
    Array
        (J, I) bool. A center exactly on a contour counts as inside where the region lies towards larger indices, and
        as outside where it lies towards smaller ones: regions that share a border share no voxel, and w x h voxels
        lie in a rectangle of w x h.
    """
    rows, columns = shape
    flips = np.zeros((rows, columns + 1), np.uint8)  # the last column takes what lies beyond the slice
    for contour in contours:
        corners = np.round(np.asarray(contour, np.float64), SNAP_DECIMALS)
        _flip_where_edges_cross(flips, corners, np.roll(corners, -1, axis=0))
    return np.bitwise_xor.accumulate(flips & 1, axis=1)[:, :-1].astype(bool)


def _flip_where_edges_cross(flips: Array, start: Array, end: Array) -> None:
    """Add 1, in each row that an edge crosses, to the first voxel at or behind the crossing (modulo 256: even is even).

    An edge has its lower end and not its upper one, so that a corner counts once. Ends are put in order first: the
    same edge run in both directions (a keyhole) crosses at bitwise the same place, and cancels.
    """
    upwards = (start[:, 0] <= end[:, 0])[:, None]
    low, high = np.where(upwards, start, end), np.where(upwards, end, start)
    first = np.clip(np.ceil(low[:, 0]), 0, len(flips)).astype(np.intp)
    stop = np.clip(np.ceil(high[:, 0]), 0, len(flips)).astype(np.intp)
    total = np.cumsum(stop - first)
    begin = 0
    while begin < len(total):
        done = total[begin - 1] if begin else 0
        end_ = max(begin + 1, int(np.searchsorted(total, done + CROSSINGS_AT_ONCE, side="right")))
        part = slice(begin, end_)
        _flip(flips, low[part], high[part], first[part], stop[part])
        begin = end_


def _flip(flips: Array, low: Array, high: Array, first: Array, stop: Array) -> None:
    counts = stop - first
    edge = np.repeat(np.arange(len(counts)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    (low_j, low_i), (high_j, high_i) = low[edge].T, high[edge].T
    crossing = low_i + (row - low_j) * (high_i - low_i) / (high_j - low_j)
    column = np.clip(np.ceil(np.round(crossing, SNAP_DECIMALS)), 0, flips.shape[1] - 1).astype(np.intp)
    np.add.at(flips, (row, column), np.uint8(1))
