"""Where in a CT known only by its HU a lymph node can lie: in fat, clear of vessels, bone, airway and skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.simulate.capsule import SimulatedLymphNode
from ece_core.simulate.scan_look import muscle_hu

Array = np.ndarray
WORKING_MM = 1.5  # finer scans are averaged to about this before places are looked for
AIR_HU, BONE_HU, VESSEL_HU = -250.0, 250.0, 130.0
FAT_HU = -100.0
SKIN_MM = 5.0
CLEARANCE_MM = 1.0
NEAR_SOFT_MM = 8.0  # lymph nodes lie along vessels and muscles, not in the middle of a pad of fat
# Mean share of fat in a node's place, best first. The last steps are for thin patients and for coarse voxels, in
# which no voxel is pure fat: the node then takes the place of the border between fat and muscle.
FAT_SHARES = (0.75, 0.6, 0.45, 0.33)
# Share of fat just beyond the surface: with less, a lymph node cannot be told from the muscle around it.
LEAST_RIM_FAT = 0.4
RIM_MM = 2.0
SHRINK = (1.0, 0.8, 0.65, 0.5)
TRIES = 30


@dataclass(frozen=True, eq=False)
class Places:
    """What the search needs to know of a CT, on its working grid."""

    clear_mm: Volume  # distance to what a lymph node must not touch, and to the scan's end
    fat: Volume  # 0 muscle to 1 fat
    soft_mm: Array  # distance to soft tissue


def free_places(
    ct: Volume,
    radius_mm: float,
    rng: np.random.Generator,
    count: int = 1,
    *,
    where: Volume | None = None,
    apart_mm: float = 2.0,
) -> Array:
    """Centers at which a ball of this radius lies in fat or, failing that, half in fat beside muscle.

    Parameters
    ----------
    ct
        HU, the whole scan or a patch.
    count
        At most this many, their surfaces at least ``apart_mm`` from one another.
    where
        (K, J, I) bool on the CT's grid: the centers lie in it.

    Returns
    -------
    Array
        (n, 3) LPS mm, n from 1 to ``count``.

    Raises
    ------
    InputError
        There is no such place.
    """
    places = places_in(ct)
    found: list[Array] = []
    for _ in range(count):
        taken = [(center, radius_mm + apart_mm) for center in found]
        candidates = _candidates(places, radius_mm, where, taken)
        if len(candidates) == 0:
            break
        found.append(_jittered(places, candidates[rng.integers(len(candidates))], rng))
    if not found:
        raise _no_place(f"a radius of {radius_mm:.1f} mm")
    return np.array(found)


def placed(
    ct: Volume,
    lymph_nodes: Sequence[SimulatedLymphNode],
    rng: np.random.Generator,
    *,
    where: Volume | None = None,
    shrink: bool = True,
) -> tuple[SimulatedLymphNode, ...]:
    """Give lymph nodes free places in a CT, the largest first; those for which there is none are left out.

    Parameters
    ----------
    shrink
        Try a lymph node without a place again at 80, 65 and 50 % of its size (its breach keeps its extent).

    Raises
    ------
    InputError
        There is no place for any of them.
    """
    places = places_in(ct)
    done: list[SimulatedLymphNode] = []
    for node in sorted(lymph_nodes, key=lambda n: -n.short_axis_mm):
        for factor in SHRINK if shrink else (1.0,):
            found = _place(places, replace(node, radii_mm=node.radii_mm * factor), rng, where, done)
            if found is not None:
                done.append(found)
                break
    if not done:
        raise _no_place("any of these lymph nodes")
    return tuple(done)


def _no_place(what: str) -> InputError:
    return InputError(
        f"There is no free place in fat for {what}.",
        "Give smaller lymph nodes, another part of the CT, or a CT in HU that holds more of the neck.",
    )


def places_in(ct: Volume) -> Places:
    """Measure a CT for :func:`free_places`."""
    work = _working(ct)
    spacing = work.spacing_mm
    hu = ndimage.gaussian_filter(work.array, [0.8 / s for s in spacing], truncate=2)
    air = hu < AIR_HU
    body = _largest(~air)
    away = np.minimum(
        _distance(air | ~body, spacing) - SKIN_MM + CLEARANCE_MM, _distance((hu > BONE_HU) | _vessels(hu), spacing)
    )
    away = np.minimum(away, _to_border(hu.shape, spacing))
    muscle = muscle_hu(work.array, spacing)  # planning CT is not always calibrated: it is not 60 HU in all
    fat = np.clip((muscle - hu) / (muscle - FAT_HU), 0, 1).astype(np.float32) * body
    soft = _distance(ndimage.binary_opening(body & (hu > 10)), spacing)
    return Places(Volume(away.astype(np.float32), work.affine), Volume(fat, work.affine), soft)


def _working(ct: Volume) -> Volume:
    """Float HU, averaged over whole voxels to at most about 1.5 mm."""
    parts = [max(1, int(WORKING_MM / s + 0.01)) for s in ct.spacing_mm]
    kept = [n // p * p for n, p in zip(ct.shape, parts, strict=True)]
    if 0 in kept:
        return Volume(ct.array.astype(np.float32), ct.affine)
    k, j, i = kept
    cut = ct.array[:k, :j, :i].astype(np.float32)
    for axis, part in enumerate(parts):
        if part > 1:
            shape = (*cut.shape[:axis], cut.shape[axis] // part, part, *cut.shape[axis + 1 :])
            cut = cut.reshape(shape).mean(axis=axis + 1)
    affine = ct.affine.copy()
    affine[:3, :3] = ct.affine[:3, :3] * np.array(parts)[::-1]
    affine[:3, 3] = ct.to_lps((np.array(parts) - 1) / 2)
    return Volume(cut, affine)


def _largest(mask: Array) -> Array:
    """The body without the table: opened, largest component, grown back."""
    labels, count = ndimage.label(ndimage.binary_opening(mask))
    if count == 0:
        return mask
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return ndimage.binary_dilation(largest) & mask


def _vessels(hu: Array) -> Array:
    """Enhanced vessels and glands; single voxels are noise."""
    return ndimage.binary_opening(hu > VESSEL_HU)


def _distance(mask: Array, spacing) -> Array:
    """Distance to the mask in mm; far everywhere if it is empty."""
    if not mask.any():
        return np.full(mask.shape, 1e3)
    return ndimage.distance_transform_edt(~mask, sampling=spacing)


def _to_border(shape, spacing) -> Array:
    """Distance to the end of the scan, beyond which nothing is known."""
    along = [np.minimum(np.arange(n), n - 1 - np.arange(n)) * s for n, s in zip(shape, spacing, strict=True)]
    return np.minimum(np.minimum(along[0][:, None, None], along[1][None, :, None]), along[2][None, None, :])


def _candidates(places: Places, radius_mm: float, where: Volume | None, taken: list) -> Array:
    """(n, 3) working voxels (k, j, i), from the highest share of fat that any place reaches."""
    spacing = places.fat.spacing_mm
    free = places.clear_mm.array >= radius_mm + CLEARANCE_MM
    free &= places.soft_mm <= radius_mm + NEAR_SOFT_MM
    voxels = np.argwhere(free)
    if len(voxels) == 0:
        return voxels
    side = [max(1, round(1.6 * radius_mm / s)) for s in spacing]  # a cube as large as the ball
    share = ndimage.uniform_filter(places.fat.array, side)[tuple(voxels.T)]
    keep = np.ones(len(voxels), bool)
    points = places.fat.to_lps(voxels)
    for center, reach in taken:
        keep &= np.linalg.norm(points - center, axis=1) > radius_mm + reach
    if where is not None:
        index = np.rint(where.to_index(points)).astype(int)
        inside = ((index >= 0) & (index < where.shape)).all(axis=1)
        keep &= inside
        keep[inside] &= where.array[tuple(index[inside].T)] > 0
    for least in FAT_SHARES:
        enough = keep & (share >= least)
        if enough.any():
            return voxels[enough]
    return voxels[:0]


def _jittered(places: Places, voxel: Array, rng: np.random.Generator) -> Array:
    """Anywhere in the voxel, so that places do not sit on a grid."""
    return places.fat.to_lps(voxel + rng.uniform(-0.5, 0.5, 3))


def _place(places: Places, node: SimulatedLymphNode, rng, where, done) -> SimulatedLymphNode | None:
    radius = node.short_axis_mm / 2
    taken = [(other.center_lps, other.radii_mm.min()) for other in done]
    candidates = _candidates(places, radius, where, taken)
    if len(candidates) == 0:
        return None
    for voxel in candidates[rng.integers(len(candidates), size=TRIES)]:
        moved = node.moved_to(_jittered(places, voxel, rng))
        if _fits(places, moved, done):
            return moved
    return None


def _fits(places: Places, node: SimulatedLymphNode, done) -> bool:
    """The whole surface is clear of what is forbidden, of the scan's end and of other lymph nodes."""
    points = surface_points(node)
    index = np.rint(places.fat.to_index(points)).astype(int)
    if (index < 0).any() or (index >= places.fat.shape).any():
        return False
    if (places.clear_mm.array[tuple(index.T)] < CLEARANCE_MM).any():
        return False
    rim = np.rint(places.fat.to_index(surface_points(node, RIM_MM))).astype(int)
    rim = np.clip(rim, 0, np.array(places.fat.shape) - 1)[: len(rim) // 2]  # the first half lies on the surface
    if places.fat.array[tuple(rim.T)].mean() < LEAST_RIM_FAT:
        return False
    return all(
        (other.field(*points.T)[1] > 0.5).all() and (node.field(*surface_points(other).T)[1] > 0.5).all()
        for other in done
    )


def surface_points(node: SimulatedLymphNode, beyond_mm: float = 0.0, count: int = 80) -> Array:
    """(2 count, 3) points: spread over the surface (or that far beyond it), then half way to the center."""
    index = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * index / count), np.pi * (1 + 5**0.5) * index
    sphere = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1)
    shell = (sphere * (node.radii_mm * (1 + node.lobulation) + beyond_mm)) @ node.axes.T
    return np.concatenate([shell, shell * 0.5]) + node.center_lps
