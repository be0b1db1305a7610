"""How well a class activation map meets contours that the network has never seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.explain.hottest_region import VolumeOfInterest

Array = np.ndarray

HOT_SHARE = 0.05  # of the voxels that can be hot, as many count as hot


@dataclass(frozen=True)
class HeatOverlap:
    """One patient's map against the contours of its lymph nodes with ENE.

    Attributes
    ----------
    in_box
        Share of the contours' voxels inside the volume of interest.
    in_center_box
        The same of a box in the middle of the head and neck: what needs no network.
    hit
        Whether the hottest voxel lies in a contour (the pointing game).
    dice
        Of the hottest 5 % of the head and neck with the contours.
    enrichment
        Mean heat inside the contours over that of the head and neck; 1 is what a map that knows nothing reaches.
    """

    in_box: float
    in_center_box: float
    hit: bool
    dice: float
    enrichment: float


def heat_overlap(
    voi: VolumeOfInterest, contours: Array, inside: Array, center_start: tuple[int, int, int]
) -> HeatOverlap | None:
    """Overlap of a map with contours.

    Parameters
    ----------
    contours
        (K, J, I) bool, lymph nodes with ENE.
    inside
        (K, J, I) bool, the head and neck.
    center_start
        Of a box as large as the volume of interest in the middle of the head and neck.

    Returns
    -------
    HeatOverlap or None
        None without a contour. A map that is zero everywhere hits nothing, and its enrichment is 0.
    """
    if not contours.any():
        return None
    center = tuple(slice(a, a + n) for a, n in zip(center_start, voi.shape, strict=True))
    in_box, in_center_box = (float(contours[box].sum() / contours.sum()) for box in (voi.box, center))
    if not voi.is_guided:
        return HeatOverlap(in_box, in_center_box, hit=False, dice=0.0, enrichment=0.0)
    hot = inside & (voi.heat > 0) & (voi.heat >= np.quantile(voi.heat[inside], 1 - HOT_SHARE))
    dice = 2 * (hot & contours).sum() / (hot.sum() + contours.sum())
    hottest = np.unravel_index(int(voi.heat.argmax()), voi.heat.shape)
    enrichment = float(voi.heat[contours].mean() / voi.heat[inside].mean())
    return HeatOverlap(in_box, in_center_box, hit=bool(contours[hottest]), dice=float(dice), enrichment=enrichment)
