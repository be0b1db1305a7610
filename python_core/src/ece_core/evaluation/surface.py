"""Distances in millimetres between the surfaces of two sets of voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from ece_core.geometry import Array

PERCENTILE = 95.0


class SurfaceDistance(NamedTuple):
    """HD95 and average symmetric surface distance, millimetres."""

    hd95_mm: float
    assd_mm: float


def surface_distance(
    one_kji: Array, other_kji: Array, spacing_mm: tuple[float, float, float]
) -> SurfaceDistance | None:
    """How far apart two outlines are.

    Parameters
    ----------
    one_kji, other_kji
        (n, 3), (m, 3) int: voxels of each, without repeats.
    spacing_mm
        Along (k, j, i).

    Returns
    -------
    SurfaceDistance or None
        The surface is the centres of the border voxels, those with a face to the outside. ``hd95_mm``: the larger of
        the two directions' 95th percentiles of the distance to the nearest point of the other surface (linear between
        ranks). ``assd_mm``: mean of both directions' distances together. None if one of the two is empty.

    References
    ----------
    Definitions 6 and 8 of Yeghiazaryan and Voiculescu 2018, doi:10.1117/1.JMI.5.1.015006; the choice of the larger
    direction is MONAI's and nnU-Net's.
    """
    if len(one_kji) == 0 or len(other_kji) == 0:
        return None
    one, other = border(one_kji) * spacing_mm, border(other_kji) * spacing_mm
    to_other, to_one = cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]
    hd95 = max(np.percentile(to_other, PERCENTILE), np.percentile(to_one, PERCENTILE))
    return SurfaceDistance(float(hd95), float(np.concatenate([to_other, to_one]).mean()))


def border(index_kji: Array) -> Array:
    """(m, 3) of the (n, 3) voxels: those that lack at least one of their six neighbours."""
    low = index_kji.min(axis=0) - 1  # a rim of one voxel, so that no neighbour is taken from the next row
    shape = index_kji.max(axis=0) - low + 2
    strides = np.array([shape[1] * shape[2], shape[2], 1], dtype=np.int64)
    place = np.sort((index_kji - low).astype(np.int64) @ strides)
    whole = np.ones(len(place), bool)
    for stride in strides:
        for step in (stride, -stride):
            at = np.searchsorted(place, place + step)
            whole &= place[np.minimum(at, len(place) - 1)] == place + step
    return np.stack(np.unravel_index(place[~whole], shape), axis=-1) + low
