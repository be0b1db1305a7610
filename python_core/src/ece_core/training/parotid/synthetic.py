"""The paper's synthetic heads: a sphere ("parotid") folded round one end of a rod ("mandible"), in six variations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

HEAD, ROD = 0.1, 1.0
SAME, FAINT, CLEAR = 1.0, 1.05, 5.0  # density of the sphere over that of the head


@dataclass(frozen=True)
class Variation:
    """``has_rod``: whether the rod can be seen; ``sphere``: the sphere's density over the head's."""

    has_rod: bool
    sphere: float


VARIATIONS = {
    "S1": Variation(False, SAME),
    "S2": Variation(True, SAME),
    "S3": Variation(False, FAINT),
    "S4": Variation(True, FAINT),
    "S5": Variation(False, CLEAR),
    "S6": Variation(True, CLEAR),
}


@dataclass(frozen=True, eq=False)
class Head:
    """A case.

    Attributes
    ----------
    image
        (k, j, i) float32: density less the head's, over the head's: air -1, head 0, rod 9.
    truth
        (k, j, i) bool: the sphere without what the rod takes of it, whether the rod can be seen or not.
    rod
        (k, j, i) bool, likewise.
    """

    image: np.ndarray
    truth: np.ndarray
    rod: np.ndarray


def draw_head(variation: str, seed: int, number: int, edge: int, noise: float) -> Head:
    """Case ``number``: the same place and shape in all variations, and the same noise.

    Head size, the rod's place, orientation and thickness, and the sphere's size and end of the rod differ from case to
    case; nothing tells at which of its two ends the sphere lies.

    Parameters
    ----------
    edge
        Of the grid, in voxels.
    noise
        Standard deviation, in densities (head 0.1), of noise that is smoothed over about a voxel.
    """
    chosen = VARIATIONS[variation]
    rng = np.random.default_rng([seed, number])
    grid = (np.indices((edge,) * 3) + 0.5) / edge - 0.5  # the unit cube around 0
    head = sum((axis / radius) ** 2 for axis, radius in zip(grid, rng.uniform(0.42, 0.49, 3), strict=True)) < 1
    center, direction = rng.uniform(-0.08, 0.08, 3), _direction(rng)
    half, thickness = rng.uniform(0.14, 0.2), rng.uniform(0.03, 0.05)
    end = center + direction * half * rng.choice([-1, 1])
    along = np.tensordot(direction, grid - center[:, None, None, None], 1)
    across = np.sqrt(np.maximum(((grid - center[:, None, None, None]) ** 2).sum(0) - along**2, 0))
    rod = (np.abs(along) <= half) & (across <= thickness)
    sphere = ((grid - end[:, None, None, None]) ** 2).sum(0) <= rng.uniform(0.1, 0.14) ** 2
    truth = sphere & ~rod & head
    density = np.where(head, HEAD, 0.0)
    density[truth] = HEAD * chosen.sphere
    if chosen.has_rod:
        density[rod] = ROD
    density += noise * _smooth_noise(rng, edge)
    return Head(((density - HEAD) / HEAD).astype(np.float32), truth, rod & head)


def _direction(rng: np.random.Generator) -> np.ndarray:
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector)


def _smooth_noise(rng: np.random.Generator, edge: int) -> np.ndarray:
    """Of deviation 1, as a scanner's: neighbors are alike."""
    noise = ndimage.gaussian_filter(rng.normal(size=(edge,) * 3), 0.5, mode="wrap")
    return noise / noise.std()
