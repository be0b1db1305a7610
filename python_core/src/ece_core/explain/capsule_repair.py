"""Counterfactual "capsule repair": the probability of ENE (also ECE), were the capsule whole in a sector.

Outside the capsule fat is painted over what is neither fat nor a structure of its own (muscle, vessel); what of the
outline sticks out of the smooth body is taken back. Of a simulated lymph node the true twin is known, so that the
repair itself can be judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage, special

from ece_core.explain.faithfulness.repeatability import scan_noise
from ece_core.explain.faithfulness.shell import OUTSIDE_MM, perinodal_shell
from ece_core.explain.sectors import SECTORS, sectors
from ece_core.geometry import Volume
from ece_core.preprocessing.node_block import signed_distance

Array = np.ndarray

FAT_HU, FAT_SD_HU = -100.0, 12.0  # clinical reference, 5.2; taken where the block shows too little fat to measure it
FAT_RANGE_HU = (-150.0, -60.0)
LEAST_FAT_VOXELS = 50
SOFT_TISSUE_HU = -30.0
REACH_MM = 8.0  # strands lie within 8 mm of a breach (clinical reference, 5.5)
BODY = 0.5  # of the largest inscribed ball's radius: what a ball of that size cannot fill sticks out of the body
STRUCTURE_MM = 2.5  # soft tissue that holds a ball of this radius is muscle or vessel, no strand or tongue
EDGE_MM = 0.9  # softness of an intact margin on the scan
UNUSUAL = 2.0  # standard deviations of fat
NOISE_SEED = 20261122
LEAST_FALL = 0.05  # a map of smaller falls would show what painting alone does


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What a repair paints, found once for a lymph node.

    Attributes
    ----------
    body
        (K, J, I) bool: the lymph node without what sticks out.
    painted
        (K, J, I) float32 HU: the scan, were the capsule whole everywhere.
    changed
        (K, J, I) bool: where that differs from the scan.
    sector
        (K, J, I) int8, index into SECTORS.
    """

    body: Array
    painted: Array
    changed: Array
    sector: Array


@dataclass(frozen=True)
class CapsuleRepair:
    """Probabilities of ENE.

    Attributes
    ----------
    as_is
        Of the lymph node as scanned, 0 to 1.
    whole
        With the capsule repaired all around.
    by_sector
        By name, with that sector alone repaired; a sector in which there was nothing to repair has ``as_is``.
    """

    as_is: float
    whole: float
    by_sector: dict[str, float]

    def fall(self, sector: str) -> float:
        """By how much the probability falls when the sector is repaired; 0 if it rises."""
        return max(0.0, self.as_is - self.by_sector[sector])

    def to_json(self) -> dict[str, Any]:
        """{as_is, whole, sectors: {name: probability}}."""
        by_sector = {name: round(value, 4) for name, value in self.by_sector.items()}
        return {"as_is": round(self.as_is, 4), "whole": round(self.whole, 4), "sectors": by_sector}


def capsule_repair(
    probability_of: Callable[[Array, Array], float], hu: Volume, mask: Array, seen: Array
) -> tuple[CapsuleRepair, Array]:
    """The probability with each sector repaired, and where it falls.

    Parameters
    ----------
    probability_of
        Of a CT (K, J, I) in HU and a lymph node (K, J, I) bool on its grid.
    hu
        (K, J, I) HU in LPS.
    mask, seen
        (K, J, I) bool: the lymph node, and where the CT is known.

    Returns
    -------
    CapsuleRepair
    Array
        (K, J, I) float32 in [0, 1]: over the perinodal shell how far the probability falls with its sector repaired,
        the largest fall being 1; zero everywhere if that is less than LEAST_FALL.
    """
    around = surroundings(hu, mask, seen)
    as_is = probability_of(hu.array, mask)
    by_sector = {}
    for index, name in enumerate(SECTORS):
        here = around.sector == index
        touched = (around.changed | (mask != around.body)) & here
        by_sector[name] = probability_of(*_repaired(hu.array, mask, around, here)) if touched.any() else as_is
    whole = probability_of(*_repaired(hu.array, mask, around, np.ones(mask.shape, bool)))
    found = CapsuleRepair(as_is, whole, by_sector)
    falls = np.array([found.fall(name) for name in SECTORS], np.float32)
    heat = (falls / falls.max() if falls.max() >= LEAST_FALL else 0 * falls)[around.sector]
    shell = perinodal_shell(signed_distance(mask, _kji(hu), REACH_MM), 0.0, OUTSIDE_MM) & seen
    return found, np.where(shell, heat, 0).astype(np.float32)


def surroundings(hu: Volume, mask: Array, seen: Array) -> Surroundings:
    """What is to be painted around a lymph node. Parameters as for :func:`capsule_repair`."""
    body = smooth_body(mask, _kji(hu))
    away_mm = signed_distance(body, _kji(hu), REACH_MM)
    fat_hu, fat_sd = _fat(hu.array, seen & (signed_distance(mask, _kji(hu), REACH_MM) > 2 * EDGE_MM))
    expected = _whole_margin(hu.array, away_mm, body, fat_hu, min(_kji(hu)))
    outside = seen & ~body & (away_mm <= REACH_MM) & ~_structures(hu, mask, seen)
    unusual = outside & ((hu.array > expected + UNUSUAL * fat_sd) | mask)
    changed = ndimage.binary_dilation(unusual) & outside  # a strand's blurred edge is less unusual than its middle
    texture = scan_noise(mask.shape, NOISE_SEED, fat_sd)
    painted = np.where(changed, expected + texture, hu.array).astype(np.float32)
    return Surroundings(body, painted, changed, sectors(Volume(mask, hu.affine)))


def smooth_body(mask: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """The lymph node without what sticks out of it: opened by a ball half as wide as the largest that it holds."""
    padded = np.pad(mask, 1)
    depth = ndimage.distance_transform_edt(padded, spacing_mm)
    radius = BODY * depth.max()
    reach = radius + min(spacing_mm) / 2  # distances end at voxel centers; the balls end between two
    opened = ndimage.distance_transform_edt(depth < radius, spacing_mm) < reach
    return np.asarray(opened[1:-1, 1:-1, 1:-1] & mask)


def _repaired(hu: Array, mask: Array, around: Surroundings, here: Array) -> tuple[Array, Array]:
    return np.where(here, around.painted, hu), np.where(here, around.body, mask)


def _fat(hu: Array, where: Array) -> tuple[float, float]:
    """Mean and standard deviation of the fat that is there."""
    low, high = FAT_RANGE_HU
    fat = hu[where & (hu > low) & (hu < high)]
    if len(fat) < LEAST_FAT_VOXELS:
        return FAT_HU, FAT_SD_HU
    return float(np.median(fat)), float(np.clip(fat.std(), FAT_SD_HU / 2, 2 * FAT_SD_HU))


def _whole_margin(hu: Array, away_mm: Array, body: Array, fat_hu: float, voxel_mm: float) -> Array:
    """HU around an intact capsule: from the lymph node's edge to fat, as soft as a scan makes it."""
    edge = body & (away_mm > -2.0)
    edge_hu = float(np.median(hu[edge])) if edge.any() else fat_hu
    beyond_mm = away_mm - voxel_mm / 2  # distances are between voxel centers; the surface lies between two
    return np.asarray(fat_hu + (edge_hu - fat_hu) * special.erfc(beyond_mm / (np.sqrt(2) * EDGE_MM)) / 2)


def _structures(hu: Volume, mask: Array, seen: Array) -> Array:
    """Muscles, vessels and glands beside the lymph node, with their blurred edge; what is not seen counts as solid."""
    solid = (ndimage.gaussian_filter(hu.array, 0.5) > SOFT_TISSUE_HU) & ~mask | ~seen
    spacing = _kji(hu)
    depth = ndimage.distance_transform_edt(np.pad(solid, 1, constant_values=True), spacing)[1:-1, 1:-1, 1:-1]
    cores = depth >= STRUCTURE_MM
    if not cores.any():
        return np.zeros(mask.shape, bool)
    return np.asarray(ndimage.distance_transform_edt(~cores, spacing) < STRUCTURE_MM + EDGE_MM)


def _kji(volume: Volume) -> tuple[float, float, float]:
    k, j, i = volume.spacing_mm
    return k, j, i
