"""Attribution on the breach against that on the intact capsule, where the breach is known voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ece_core.explain.faithfulness.shell import perinodal_shell, region_focus

Array = np.ndarray

BESIDE_BREACH_MM = 2.0  # capsule nearer to a sign than this is neither breached nor surely intact


@dataclass(frozen=True, eq=False)
class BreachRegions:
    """Where a simulated lymph node is breached, and where its capsule is whole.

    Attributes
    ----------
    breach
        (K, J, I) bool: voxels that the breach changed on the scan.
    intact
        (K, J, I) bool: the shell about the whole capsule, away from these.
    """

    breach: Array
    intact: Array

    @property
    def can_be_compared(self) -> bool:
        return bool(self.breach.any() and self.intact.any())


def breach_regions(
    signs: Array, capsule_mm: Array, seen: Array, spacing_mm: tuple[float, float, float]
) -> BreachRegions:
    """Both regions, as far as the network sees them.

    Parameters
    ----------
    signs
        (K, J, I) bool: where the scan differs from that of the twin with its capsule whole by more than noise would.
    capsule_mm
        (K, J, I) signed distance to the surface of that twin, negative inside.
    """
    away = np.full(signs.shape, np.inf)
    if signs.any():
        away = ndimage.distance_transform_edt(~signs, spacing_mm)
    intact = perinodal_shell(capsule_mm) & (away > BESIDE_BREACH_MM) & seen
    return BreachRegions(signs & seen, intact)


@dataclass(frozen=True)
class BreachDensity:
    """Attribution per voxel, that of all voxels seen being 1.

    Attributes
    ----------
    breach, intact
        On either region; a map without any opinion has 1 on both.
    share
        Of all attribution that lies on the breach.
    """

    breach: float
    intact: float
    share: float


def breach_density(heatmap: Array, regions: BreachRegions, seen: Array) -> BreachDensity | None:
    """How much more attribution lies on the breach than on the intact capsule.

    Returns
    -------
    BreachDensity or None
        None without a region to compare. A map that is zero everywhere has 0 on both: it found nothing.
    """
    if not regions.can_be_compared:
        return None
    on_breach, on_intact = (region_focus(heatmap, region, seen) for region in (regions.breach, regions.intact))
    if on_breach is None or on_intact is None:
        return BreachDensity(0.0, 0.0, 0.0)
    return BreachDensity(on_breach.focus, on_intact.focus, on_breach.share)
