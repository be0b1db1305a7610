"""What a lymph node classifier sees: the lymph node and the tissue around its surface, and where that surface is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ece_core.preprocessing.window import window

Array = np.ndarray
Box = tuple[slice, slice, slice]

STEP = 8  # edges of a tight block are multiples of it: the classifier halves the grid three times


def tight_block(
    hu: Array,
    mask: Array,
    spacing_mm: tuple[float, float, float],
    windows_hu: Sequence[tuple[float, float]],
    margin_mm: float,
) -> tuple[Array, Box]:
    """Image in each window, and signed distance to the lymph node's surface, in the box that holds what is shown.

    Whether the capsule is breached shows in a shell of a few millimeters. Averaged over a whole block the signs drown
    in vessels and muscles that say nothing, so what is farther off than ``margin_mm`` is left out, and the mask comes
    as a distance: with it the first layers can tell the shell from the inside. Strands in fat differ from it by a
    tenth of a window that is wide enough for vessels, so a narrow one for fat stands beside it.

    Parameters
    ----------
    hu
        (K, J, I) HU.
    mask
        (K, J, I), nonzero inside; its bounding box lies in the middle.
    spacing_mm
        Along (k, j, i).
    margin_mm
        Tissue shown around the mask, and the distance at which the last channel saturates.

    Returns
    -------
    Array
        (windows + 1, k, j, i) float32: windowed images in [0, 1], zero beyond the margin; distance / ``margin_mm`` in
        [-1, 1], negative inside.
    Box
        Where that lies in ``hu``, see :func:`tight_box`.
    """
    distance_mm = signed_distance(mask, spacing_mm, margin_mm)
    box = tight_box(distance_mm, margin_mm)
    return block_of_distance(hu[box], distance_mm[box], windows_hu, margin_mm), box


def block_of_distance(
    hu: Array, distance_mm: Array, windows_hu: Sequence[tuple[float, float]], margin_mm: float
) -> Array:
    """The channels of :func:`tight_block` on the whole grid, of the signed distance (K, J, I) to the surface."""
    distance = np.clip(distance_mm / margin_mm, -1, 1).astype(np.float32)
    near = (distance < 1).astype(np.float32)
    return np.stack([*(window(hu, each) * near for each in windows_hu), distance])


def signed_distance(mask: Array, spacing_mm: tuple[float, float, float], beyond_mm: float) -> Array:
    """(K, J, I) mm from each voxel center to the nearest one on the other side, negative inside.

    An empty mask is ``beyond_mm`` away from everywhere.
    """
    inside = mask > 0
    if not inside.any():
        return np.full(mask.shape, beyond_mm)
    return ndimage.distance_transform_edt(~inside, spacing_mm) - ndimage.distance_transform_edt(inside, spacing_mm)


def tight_box(distance_mm: Array, margin_mm: float) -> Box:
    """The smallest box around the middle of the grid that holds the tissue shown, edges multiples of ``STEP``."""
    shape = np.array(distance_mm.shape)
    near = np.argwhere(distance_mm < margin_mm)
    reach = np.abs(near - (shape - 1) / 2).max(axis=0) + 0.5 if len(near) else np.full(3, STEP / 2)
    return middle(distance_mm.shape, np.ceil(2 * reach / STEP) * STEP)


def middle(shape: tuple[int, ...], size: Array) -> Box:
    """The box of that size, or of the whole grid where it is smaller, around the middle of the grid."""
    start = [max(0, (n - int(s)) // 2) for n, s in zip(shape, size, strict=True)]
    k, j, i = (slice(a, min(n, a + int(s))) for a, n, s in zip(start, shape, size, strict=True))
    return k, j, i
