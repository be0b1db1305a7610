"""Simulated lymph nodes in any CT, a real one too: found a place in fat, then seen as that scan would see them.

Partial volume comes from samples about 0.4 mm apart; then the scan's own resolution; then, where the lymph node
took the place of tissue and of its noise, noise of the same SD and grain as around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.simulate.capsule import SimulatedLymphNode
from ece_core.simulate.insertion_places import Places, free_places, placed, places_in
from ece_core.simulate.matte import Matte, box_of, compose, matte_of
from ece_core.simulate.scan_look import FWHM, ScanLook, look_of, matched_noise, robust_sd, uniform_residual

__all__ = ["Insertion", "Places", "ScanLook", "fitted", "free_places", "insert", "insert_pair", "look_of", "placed",
           "places_in"]  # fmt: skip

Array = np.ndarray
LEAST_SHARE = 0.004  # below it a voxel keeps its value bit for bit; 0.4 % of 200 HU between node and fat is 0.8 HU
LOCAL_MM = 12.0  # noise is measured in tissue up to this far from a lymph node's box
VENOUS_SOLID_HU = 104.0  # mean of population.sample_lymph_node, for muscle of 65 HU in the venous phase


@dataclass(frozen=True, eq=False)
class Insertion:
    """A CT with lymph nodes and their truth.

    Attributes
    ----------
    ct
        The input's grid and type.
    instances
        uint16, 0 background, 1..n in the order of ``lymph_nodes``: the voxels whose centers lie inside.
    changed
        bool: every other voxel is bit for bit what it was.
    lymph_nodes
        As inserted, with the attenuation fitted to the scan.
    look
        What was measured in the scan.
    """

    ct: Volume
    instances: Volume
    changed: Volume
    lymph_nodes: tuple[SimulatedLymphNode, ...]
    look: ScanLook


def insert(
    ct: Volume,
    lymph_nodes: Sequence[SimulatedLymphNode],
    rng: np.random.Generator,
    *,
    noise: bool = True,
    look: ScanLook | None = None,
    fit_attenuation: bool = True,
) -> Insertion:
    """Put lymph nodes where their ``center_lps`` says; :func:`placement_in` finds such places.

    Parameters
    ----------
    ct
        HU, any size and orientation; a patch of 48 voxels along each axis is enough to measure the scan in.
    lymph_nodes
        Where two meet, the first keeps its voxels.
    noise
        False keeps what is left of the scan's noise and adds none.
    look
        Measurements to use instead of this CT's own: for patches of one scan, measure that scan once.
    fit_attenuation
        Move the solid part's attenuation to what lymph nodes have in this scan's contrast phase.

    Raises
    ------
    InputError
        There is nothing to insert, or a lymph node lies outside the CT.
    """
    return _insert(ct, lymph_nodes, _boxes(ct, lymph_nodes), rng, noise, look, fit_attenuation)


def insert_pair(
    ct: Volume, lymph_nodes: Sequence[SimulatedLymphNode], rng: np.random.Generator, **options
) -> tuple[Insertion, Insertion]:
    """The CT with the lymph nodes as they are, and its twin in which every capsule is whole.

    Both have the same noise, so they differ only where a breach, its strands or its blur are. Options as in
    :func:`insert`.
    """
    seed = int(rng.integers(2**63))
    boxes = _boxes(ct, lymph_nodes)
    options = {"noise": True, "look": None, "fit_attenuation": True, **options}
    options["look"] = options["look"] or look_of(ct)
    as_is, repaired = (
        _insert(ct, nodes, boxes, np.random.default_rng(seed), **options)
        for nodes in (lymph_nodes, [node.repaired() for node in lymph_nodes])
    )
    return as_is, repaired


def _boxes(ct: Volume, lymph_nodes: Sequence[SimulatedLymphNode]) -> list:
    if not lymph_nodes:
        raise InputError("There is no lymph node to insert.", "Give at least one, placed in this CT.")
    # As far as the blur reaches: 3 SDs of the coarsest resolution that is measured (8 mm).
    margin = int(np.ceil(6.0 / min(ct.spacing_mm)))
    boxes = []
    for number, node in enumerate(lymph_nodes, 1):
        index = ct.to_index(node.center_lps)
        if (index < -0.5).any() or (index > np.array(ct.shape) - 0.5).any():
            raise InputError(
                f"Lymph node {number} of {len(lymph_nodes)} has its center outside the CT.",
                "Place it inside, for example with free_places.",
            )
        boxes.append(box_of(node, ct, margin))
    return boxes


def _insert(ct, lymph_nodes, boxes, rng, noise, look, fit_attenuation) -> Insertion:
    look = look_of(ct) if look is None else look
    if fit_attenuation:
        lymph_nodes = [fitted(node, look) for node in lymph_nodes]
    seeds = rng.integers(2**63, size=len(lymph_nodes))
    hu = ct.array.copy()
    instances, changed = np.zeros(ct.shape, np.uint16), np.zeros(ct.shape, bool)
    for label, (node, box, seed) in enumerate(zip(lymph_nodes, boxes, seeds, strict=True), 1):
        matte = matte_of(node, ct, box)
        before = hu[box].astype(np.float32)
        after, share = compose(before, _as_seen(matte, ct, look))
        touched = share > LEAST_SHARE
        if noise:
            sd = _local_sd(ct, box, look)
            # What is left of the scan's noise has the SD sd * (1 - share); both together have sd again.
            lost = np.sqrt(1 - (1 - share) ** 2)
            after += sd * lost * matched_noise(np.random.default_rng(int(seed)), after.shape, look.correlation)
        if np.issubdtype(hu.dtype, np.integer):
            after = np.rint(after)
        hu[box] = np.where(touched, after, hu[box]).astype(hu.dtype)
        changed[box] |= touched
        block = instances[box]
        block[matte.inside & (block == 0)] = label
    return Insertion(
        Volume(hu, ct.affine), Volume(instances, ct.affine), Volume(changed, ct.affine), tuple(lymph_nodes), look
    )


def _as_seen(matte: Matte, ct: Volume, look: ScanLook) -> Matte:
    """The matte at the scan's resolution, of which the voxel's width is a part already."""
    spacing = np.array(ct.spacing_mm)
    beyond = np.maximum((np.array(look.fwhm_mm) / FWHM) ** 2 - spacing**2 / 12, 0)
    sigma = np.sqrt(beyond) / spacing
    cover, content, strands = (
        ndimage.gaussian_filter(layer, sigma, truncate=3, mode="nearest")
        for layer in (matte.cover, matte.content, matte.strands)
    )
    return Matte(matte.box, cover, content, strands, matte.inside)


def _local_sd(ct: Volume, box, look: ScanLook) -> float:
    """SD of the noise in uniform tissue around the box; the scan's where there is too little."""
    reach = np.ceil(LOCAL_MM / np.array(ct.spacing_mm)).astype(int)
    around = tuple(slice(max(0, s.start - r), min(n, s.stop + r)) for s, r, n in zip(box, reach, ct.shape, strict=True))
    residual, uniform = uniform_residual(ct.array[around].astype(np.float32), ct.spacing_mm)
    return robust_sd(residual[uniform], look.noise_hu)


def fitted(node: SimulatedLymphNode, look: ScanLook) -> SimulatedLymphNode:
    """The same lymph node in this scan's contrast phase.

    Plain: a little below muscle (30 to 60 HU). Venous: 40 HU above it (clinical reference 5.2). Between them in
    proportion, and with the spread between patients shrunk to half without contrast.
    """
    mean = look.muscle_hu - 8 + look.enhancement * 48
    spread = (node.solid_hu - VENOUS_SOLID_HU) * (0.5 + 0.5 * look.enhancement)
    return replace(node, solid_hu=float(mean + spread))
