"""A lymph node on a voxel grid: how much of each voxel it fills, and with what.

A matte is independent of what lies beneath, so that the simulated neck and a real CT take the same lymph node.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.geometry import Volume
from ece_core.simulate.capsule import STRANDING_REACH_MM, SimulatedLymphNode

Array = np.ndarray
Box = tuple[slice, slice, slice]
STRAND_HU = 10.0
FINE_MM = 0.4  # a breach finger of 0.5 to 1 mm is then seen by more than one sample
MOST_PARTS = 6
MARGIN_MM = 2.0
AT_ONCE = 400_000  # points; keeps the memory small for a node in thick slices
# Below this volume of a voxel the inside of a lymph node (core, hilum; edges of 1 mm) needs one sample a voxel only.
SMALL_VOXEL_MM3 = 1.0


@dataclass(frozen=True, eq=False)
class Matte:
    """One lymph node on a block of voxels.

    Attributes
    ----------
    box
        Slices (k, j, i) of the block.
    cover
        Share of the voxel filled by the lymph node, 0 to 1.
    content
        ``cover`` times its HU.
    strands
        Share of the voxel filled by strands, wherever it is fat.
    inside
        The voxel's center lies inside: the truth map.
    """

    box: Box
    cover: Array
    content: Array
    strands: Array
    inside: Array


def matte_of(node: SimulatedLymphNode, grid: Volume, box: Box, texture=None) -> Matte:
    """Partial volume of a lymph node by samples about 0.4 mm apart.

    Parameters
    ----------
    grid
        Only its shape and affine count; any orientation.
    box
        Block to fill, as from :func:`box_of`.
    texture
        (x, y, z) -> HU added to the inside, or ``None``.
    """
    shape = tuple(s.stop - s.start for s in box)
    spacing = np.array(grid.spacing_mm)
    parts = np.clip(np.ceil(spacing / FINE_MM), 1, MOST_PARTS).astype(int)
    index = np.indices(shape).reshape(3, -1).T + [s.start for s in box]
    centers = grid.to_lps(index).astype(np.float32)
    _, outer, unit = node.field(*centers.T)
    layers = [np.zeros(len(centers), np.float32) for _ in range(3)]
    half_diagonal = float(np.linalg.norm(spacing)) / 2
    # Each voxel by its own margin: a breach on one side must not change how the other side is sampled.
    border = np.asarray(node.margin_mm(unit)) / 2 + 1.2 * half_diagonal
    small = grid.voxel_volume_mm3 < SMALL_VOXEL_MM3
    plain = small & (outer < -border)
    fine = (outer < border) & ~plain
    if node.stranding > 0:
        fine |= _strands_near(node, outer, unit, half_diagonal) & ~plain
    for chosen, per_voxel in ((plain, np.ones(3, int)), (fine, parts)):
        _sample(node, grid, index, np.flatnonzero(chosen), per_voxel, layers, texture)
    cover, content, strands = (layer.reshape(shape) for layer in layers)
    return Matte(box, cover, content, strands, inside=(outer < 0).reshape(shape))


def box_of(node: SimulatedLymphNode, grid: Volume, margin: int = 2) -> Box | None:
    """Slices (k, j, i) of the voxels that a lymph node can change, or ``None``."""
    low, high = node.bounds()
    if node.stranding <= 0:  # nothing to see beyond the softened margin
        low, high = low + STRANDING_REACH_MM - MARGIN_MM, high - STRANDING_REACH_MM + MARGIN_MM
    corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
    index = grid.to_index(corners)
    start = np.maximum(np.floor(index.min(axis=0)).astype(int) - margin, 0)
    stop = np.minimum(np.ceil(index.max(axis=0)).astype(int) + margin + 1, grid.shape)
    if (start >= stop).any():
        return None
    k, j, i = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return k, j, i


def _strands_near(node: SimulatedLymphNode, outer: Array, unit, reach_mm: float) -> Array:
    """Voxels that strands may cross; sheets are thinner than a voxel, so only their reach and sector decide."""
    near = (outer > -reach_mm) & (outer < STRANDING_REACH_MM + reach_mm)
    if node.breach and node.inflammation <= 0:
        near &= node.breach.nearness(unit) > 0
    return near


def _sample(node, grid: Volume, index: Array, chosen: Array, parts: Array, layers: list, texture) -> None:
    """Mean over ``parts`` samples along each axis of every chosen voxel, written into the layers."""
    steps = [(np.arange(n) + 0.5) / n - 0.5 for n in parts]
    offsets = np.array(np.meshgrid(*steps, indexing="ij")).reshape(3, -1).T
    moves = (offsets[:, ::-1] @ grid.affine[:3, :3].T).astype(np.float32)
    edge = np.float32(np.mean(np.array(grid.spacing_mm) / parts))
    per_run = max(1, AT_ONCE // len(moves))
    for first in range(0, len(chosen), per_run):
        voxels = chosen[first : first + per_run]
        points = (grid.to_lps(index[voxels]).astype(np.float32)[:, None] + moves[None]).reshape(-1, 3).T
        x, y, z = points
        capsule, outer, unit = node.field(x, y, z)
        cover = np.clip(0.5 - outer / (edge + node.margin_mm(unit)), 0, 1).astype(np.float32)
        offset = tuple(p - np.float32(c) for p, c in zip(points, node.center_lps, strict=True))
        content = node.interior_hu(np.minimum(capsule, 0), offset)
        if texture is not None:
            content = content + texture(x, y, z)
        found = [cover, cover * content]
        if node.stranding > 0:
            found.append(node.strand_density(outer, unit, (x, y, z)) * (1 - cover))
        for layer, values in zip(layers, found, strict=False):
            layer[voxels] = values.reshape(len(voxels), -1).mean(axis=1)


def compose(hu: Array, matte: Matte) -> tuple[Array, Array]:
    """HU of a block with the lymph node in it, and the share of each voxel that is new."""
    strands = matte.strands * np.clip((-30 - hu) / 40, 0, 1)
    new = np.clip(matte.cover + strands, 0, 1)
    return hu * (1 - new) + matte.content + STRAND_HU * strands, new
