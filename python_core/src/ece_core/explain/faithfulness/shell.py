"""Perinodal shell: the capsule and the fat beside it, where extension (ENE, also ECE) is looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray

# Fat 1 to 5 mm outside is searched for extension (clinical reference, criterion 10); the capsule itself is added, one
# and a half voxels to each side of an outline that no reader draws to the voxel.
INSIDE_MM, OUTSIDE_MM = 1.5, 5.0


def perinodal_shell(distance_mm: Array, inside_mm: float = INSIDE_MM, outside_mm: float = OUTSIDE_MM) -> Array:
    """(K, J, I) bool: from ``inside_mm`` within the outline to ``outside_mm`` beyond it.

    Parameters
    ----------
    distance_mm
        (K, J, I) signed distance to the outline, negative inside.
    """
    return (distance_mm >= -inside_mm) & (distance_mm <= outside_mm)


@dataclass(frozen=True)
class RegionFocus:
    """How much of a map lies in a region.

    Attributes
    ----------
    share
        Of all attribution, 0 to 1.
    focus
        Attribution per voxel of the region over that of all voxels seen: 1 is what a map without any opinion has.
    """

    share: float
    focus: float


def region_focus(heatmap: Array, region: Array, seen: Array) -> RegionFocus | None:
    """How much of a map lies in a region.

    Parameters
    ----------
    heatmap
        (K, J, I), >= 0.
    region, seen
        (K, J, I) bool; only what is ``seen`` counts.

    Returns
    -------
    RegionFocus or None
        None where the region is not seen at all, or the map is zero everywhere.
    """
    counted = region & seen
    total = float(heatmap[seen].sum())
    if not counted.any() or total <= 0:
        return None
    share = float(heatmap[counted].sum()) / total
    return RegionFocus(share, share / (counted.sum() / seen.sum()))
