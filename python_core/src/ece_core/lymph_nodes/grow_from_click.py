"""A lymph node that the analysis missed, outlined from one click: tissue like that at the point."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ece_core.errors import InputError
from ece_core.geometry import Array, Volume
from ece_core.lymph_nodes.instances import FULL, MINIMUM_VOLUME_MM3, split_instances

RADIUS_MM = 20.0  # no further from the click: larger masses are conglomerates that a reader has to paint
SOFT_TISSUE_HU = (0.0, 150.0)  # a lymph node in contrast CT; fat, air, filled vessels and bone are outside
CLICK_MM = 1.5  # the tissue is what lies this near the click: a single noisy voxel says nothing
SMOOTHING_MM = 0.8
# Half widths of the window around the tissue's HU, tried from wide to narrow until the region no longer runs into its
# surroundings. Enhanced muscle lies 30 HU below a lymph node (reference/clinical.md 5.2).
WINDOWS_HU = (60.0, 45.0, 34.0, 26.0, 20.0, 15.0)
# A region that crosses this share of the ball's surface has leaked for good: cutting it would take seconds, in vain.
LEAKED = 0.05
OPENING_MM = 1.0  # bridges thinner than twice this are cut before the region is followed


def grow_from_click(
    ct: Volume, point_lps: tuple[float, float, float], taken: Array | None = None, radius_mm: float = RADIUS_MM
) -> tuple[tuple[int, int, int], Array]:
    """The lymph node around a point: connected tissue of similar HU in a ball, cut where it is narrowest.

    The widest window of HU is taken whose region ends inside the ball; holes (a necrotic core) are filled.

    Parameters
    ----------
    ct
        (K, J, I) HU.
    point_lps
        Where the reader clicked, LPS mm.
    taken
        (K, J, I), not 0 where other lymph nodes are; their voxels are left to them.
    radius_mm
        Of the ball, > 0.

    Returns
    -------
    start_kji, block
        Where the block begins on the grid of ``ct``, and (k, j, i) bool.

    Raises
    ------
    InputError
        The point is outside of the scan, in another lymph node, or not in soft tissue; nothing of a lymph node's size
        is there, or it has no border within the ball.
    """
    if radius_mm <= 0:
        raise ValueError(f"radius_mm must be > 0, got {radius_mm}")
    seed = np.rint(ct.to_index(point_lps)).astype(int)
    if (seed < 0).any() or (seed >= ct.shape).any():
        raise InputError("The point is outside of the scan.", "Click inside the neck.")
    if taken is not None and taken[tuple(seed)]:
        raise InputError("A lymph node is outlined there already.", "Select it in the table and edit its outline.")
    start, hu, distance_mm = _block(ct, seed, radius_mm)
    free = distance_mm <= radius_mm
    if taken is not None:
        free &= taken[tuple(slice(a, a + n) for a, n in zip(start, hu.shape, strict=True))] == 0
    at = tuple(int(value) for value in seed - start)
    mask = _region(hu, free, distance_mm, at, ct.spacing_mm, radius_mm)
    k, j, i = (int(value) for value in start)
    return (k, j, i), mask


def _block(ct: Volume, seed: Array, radius_mm: float) -> tuple[Array, Array, Array]:
    """First voxel of the box around the ball, its HU, and the distance of its voxels from the click in mm."""
    reach = np.ceil(radius_mm / np.array(ct.spacing_mm)).astype(int) + 1
    start, stop = np.maximum(seed - reach, 0), np.minimum(seed + reach + 1, ct.shape)
    block = ct.array[tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))].astype(np.float32)
    axes = [((np.arange(a, b) - c) * mm) ** 2 for a, b, c, mm in zip(start, stop, seed, ct.spacing_mm, strict=True)]
    distance = np.sqrt(axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :])
    return start, block, distance


def _region(
    hu: Array, free: Array, distance_mm: Array, at: tuple[int, ...], spacing_mm: tuple, radius_mm: float
) -> Array:
    smooth = ndimage.gaussian_filter(hu, [SMOOTHING_MM / mm for mm in spacing_mm], mode="nearest")
    tissue = float(np.median(smooth[(distance_mm <= CLICK_MM) & free])) if free[at] else float(smooth[at])
    low, high = SOFT_TISSUE_HU
    if not low <= tissue <= high:
        raise InputError(
            f"There is no lymph node tissue at this point ({tissue:.0f} HU).",
            "Click into the lymph node's soft tissue, not into fat, air, bone or a filled vessel.",
        )
    edge = distance_mm > radius_mm - max(spacing_mm)
    too_small = False
    for window in WINDOWS_HU:
        inside = (np.abs(smooth - tissue) <= window) & free
        inside[at] = True
        piece = _without_bridges(_component(inside, at), at, spacing_mm)
        if np.count_nonzero(piece & edge) > LEAKED * np.count_nonzero(edge):
            continue
        mask = _lymph_node_at(piece, at, spacing_mm)
        if not mask.any():
            too_small = True
        elif not (mask & edge).any():
            return mask
    if too_small:
        raise InputError(
            f"Less than {MINIMUM_VOLUME_MM3:.0f} mm³ of similar tissue lies around this point.",
            "Click nearer to the middle of the lymph node, or paint it with the Segment Editor.",
        )
    raise InputError(
        f"The tissue at this point has no border within {radius_mm:.0f} mm.",
        "Click nearer to the middle of the lymph node, or paint it with the Segment Editor.",
    )


def _without_bridges(piece: Array, at: tuple[int, ...], spacing_mm: tuple) -> Array:
    """What of the piece hangs together with the click by more than thin bridges; empty: nothing is that thick."""
    depth = ndimage.distance_transform_edt(np.pad(piece, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    cores = depth > OPENING_MM
    if not cores.any():
        return cores
    nearest = ndimage.distance_transform_edt(~cores, sampling=spacing_mm, return_distances=False, return_indices=True)
    core = _component(cores, tuple(int(axis[at]) for axis in nearest))
    around = ndimage.distance_transform_edt(~core, sampling=spacing_mm) <= OPENING_MM + min(spacing_mm) / 2
    return around & piece


def _lymph_node_at(piece: Array, at: tuple[int, ...], spacing_mm: tuple) -> Array:
    """The click's part of the filled piece, cut from its neighbors where it is narrowest; empty: it is too small."""
    labels = split_instances(_volume(ndimage.binary_fill_holes(piece), spacing_mm)).array
    label = _label_near(labels, at)
    return labels == label if label else np.zeros_like(piece)


def _label_near(labels: Array, at: tuple[int, ...]) -> int:
    """The label at the click, or of the voxels around it: smoothing may have taken its own away."""
    if labels[at]:
        return int(labels[at])
    around = labels[tuple(slice(max(0, a - 1), a + 2) for a in at)]
    found = np.bincount(around[around > 0].ravel(), minlength=1)
    return int(found.argmax()) if found.any() else 0


def _component(mask: Array, at: tuple[int, ...]) -> Array:
    labels, _ = ndimage.label(mask, FULL)
    return labels == labels[at]


def _volume(mask: Array, spacing_mm: tuple) -> Volume:
    affine = np.diag([*spacing_mm[::-1], 1.0])
    return Volume(mask, affine)
