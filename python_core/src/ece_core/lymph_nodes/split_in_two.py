"""One outline that holds several lymph nodes, cut in parts: at points that the reader gives, or at its waist."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from ece_core.errors import InputError
from ece_core.geometry import Array, Volume
from ece_core.lymph_nodes.instances import FULL


def split_at_points(mask: Volume, points_lps: Sequence[tuple[float, float, float]]) -> Volume:
    """Parts of one lymph node's mask, one around each point; the cut runs where the mask is narrowest between them.

    Parameters
    ----------
    mask
        (K, J, I) bool.
    points_lps
        Two or more, LPS mm; each counts as its nearest voxel of the mask.

    Returns
    -------
    Volume
        (K, J, I) int32 on the same grid: 0 outside, 1..n in the order of the points. Every voxel of the mask has one.

    Raises
    ------
    InputError
        Fewer than two points, two in the same voxel, or a point further than 5 mm from the mask.

    References
    ----------
    Watershed of the distance transform: Soille, Morphological Image Analysis, chapter 9.
    """
    if len(points_lps) < 2:
        raise InputError("Splitting needs two points or more.", "Click into each part of the lymph node.")
    inside = np.argwhere(mask.array)
    places = mask.to_lps(inside)
    seeds = []
    for point in points_lps:
        distance = np.linalg.norm(places - np.asarray(point), axis=1)
        if distance.min() > 5.0:
            raise InputError("A point is not in the lymph node that is to be split.", "Click inside of its outline.")
        seeds.append(tuple(inside[distance.argmin()]))
    if len(set(seeds)) < len(seeds):
        raise InputError("Two of the points are in the same voxel.", "Click into each part of the lymph node.")
    return _parts(mask, seeds)


def split_at_waist(mask: Volume) -> Volume:
    """Two parts of one lymph node's mask, around its two deepest points.

    Parameters
    ----------
    mask
        (K, J, I) bool.

    Returns
    -------
    Volume
        (K, J, I) int32 on the same grid: 0 outside, 1 and 2.

    Raises
    ------
    InputError
        It has one deepest point only, so nothing says where to cut.
    """
    pieces, count = ndimage.label(mask.array, FULL)
    if count == 2:
        return mask.with_array(pieces.astype(np.int32))
    depth = ndimage.gaussian_filter(_depth_mm(mask), 0.5)
    peaks = peak_local_max(depth, min_distance=2, num_peaks=2, labels=mask.array.astype(int), exclude_border=False)
    if len(peaks) < 2:
        raise InputError(
            "The outline has no waist to cut it at.", "Click into each of its parts to say where they are."
        )
    return _parts(mask, [tuple(peak) for peak in peaks])


def _parts(mask: Volume, seeds: Sequence[tuple[int, ...]]) -> Volume:
    markers = np.zeros(mask.shape, np.int32)
    for number, seed in enumerate(seeds, start=1):
        markers[seed] = number
    labels = watershed(-_depth_mm(mask), markers, mask=mask.array != 0, connectivity=FULL)
    left = (mask.array != 0) & (labels == 0)  # a piece without a point goes to the part next to it
    if left.any():
        nearest = ndimage.distance_transform_edt(
            labels == 0, sampling=mask.spacing_mm, return_distances=False, return_indices=True
        )
        labels = np.where(left, labels[tuple(nearest)], labels)
    return mask.with_array(labels.astype(np.int32))


def _depth_mm(mask: Volume) -> Array:
    depth = ndimage.distance_transform_edt(np.pad(mask.array != 0, 1), sampling=mask.spacing_mm)
    return depth[1:-1, 1:-1, 1:-1]
