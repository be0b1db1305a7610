"""Sectors around a lymph node, named as a radiologist points: eight in the axial plane, one above, one below."""

from __future__ import annotations

import numpy as np

from ece_core.geometry import Volume

Array = np.ndarray

# Clockwise on an axial image, whose left is the patient's right; the angle runs from anterior over the patient's left.
AROUND = (
    "anterior",
    "left anterior",
    "left",
    "left posterior",
    "posterior",
    "right posterior",
    "right",
    "right anterior",
)
ABOVE, BELOW = "above", "below"
SECTORS = (*AROUND, ABOVE, BELOW)


def sectors(mask: Volume) -> Array:
    """(K, J, I) int8: index into SECTORS, by the direction from the lymph node's center.

    Above and below begin where a direction is steeper than the diagonal of the lymph node's box, so that a long one has
    no larger caps than a round one.

    Parameters
    ----------
    mask
        (K, J, I) bool in LPS, at least one voxel set.
    """
    inside = np.argwhere(mask.array)
    center = mask.to_lps(inside.mean(axis=0))
    half_mm = np.maximum(np.ptp(mask.to_lps(inside), axis=0) / 2, min(mask.spacing_mm))
    left, posterior, up = np.moveaxis(mask.to_lps(np.moveaxis(np.indices(mask.shape), 0, -1)) - center, -1, 0)
    steep = np.abs(up) / half_mm[2] > np.hypot(left / half_mm[0], posterior / half_mm[1])
    angle = np.arctan2(left, -posterior)  # 0 is anterior
    around = np.rint(angle / (2 * np.pi / len(AROUND))).astype(int) % len(AROUND)
    caps = np.where(up > 0, SECTORS.index(ABOVE), SECTORS.index(BELOW))
    return np.where(steep, caps, around).astype(np.int8)
