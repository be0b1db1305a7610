"""Where lymph nodes lie: in fat, by level, clear of bone, airway and arteries, and of one another."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.simulate.anatomy import SOLID, Anatomy, Structure
from ece_core.simulate.capsule import SimulatedLymphNode

Array = np.ndarray

# Standard neck, left side, mm: x, y, z ranges of the levels that are not tied to the jugular vein.
LEVEL_BOX = {
    "IA": ((-9, 9), (-42, -24), (-12, -2)),
    "IB": ((14, 44), (-34, 2), (-16, 10)),
    "V": ((32, 66), (34, 78), (-72, 22)),
    "VI": ((-16, 16), (-10, 14), (-74, -44)),
}
ALONG_JUGULAR = {"II": (2, 52), "III": (-34, -2), "IV": (-74, -38)}
CLEARANCE_MM = 0.8


@dataclass(frozen=True)
class Room:
    """How much of a lymph node's surface may lie in tissue that gives way, and how often to look for such a place.

    A lymph node pushes veins, glands and muscle aside; bone, airway and carotid never. Large ones must: there is
    no gap of fat 30 mm wide in a neck.
    """

    vessel: float
    gland: float
    muscle: float
    tries: int
    skin_mm: float = -1.5


# From the freest place to the tightest [own choice]. A lymph node looks at its own level in every way before it
# goes to another one, so that levels keep their shares; and it is never left out for its size, so that sizes do.
FREE = (Room(0.06, 0.05, 0.12, 60), Room(0.15, 0.15, 0.30, 30))
CROWDED = (Room(0.15, 0.15, 0.45, 40), Room(0.30, 0.35, 0.65, 40), Room(0.60, 0.70, 1.0, 60, -0.5))
LAST = Room(1.0, 1.0, 1.0, 80, 0.0)
LARGE_MM = 12.0


class _Obstacles:
    """What lymph nodes must keep clear of, with the boxes of all at hand so that only near ones are measured."""

    def __init__(self, structures: list[Structure]) -> None:
        self.structures = structures
        bounds = [s.shape.bounds() for s in structures]
        self.low = np.array([low for low, _ in bounds]) - 3
        self.high = np.array([high for _, high in bounds]) + 3

    def near(self, points: Array) -> list[Structure]:
        """Those whose box comes within 3 mm of the box of the (n, 3) points, in painting order."""
        touching = (self.low < points.max(axis=0)) & (self.high > points.min(axis=0))
        return [self.structures[n] for n in np.flatnonzero(touching.all(axis=1))]


def place_all(
    rng: np.random.Generator, anatomy: Anatomy, lymph_nodes: list[SimulatedLymphNode], priors: dict
) -> list[SimulatedLymphNode]:
    """Give each lymph node a level, a side and a place of its own.

    The largest come first, as they need the most room. One for which there is no place in any level is left out;
    this is rare (fewer than 1 in 200, a test holds it), or sizes would be biased.
    """
    obstacles = _Obstacles([s for s in anatomy.structures if s.name not in ("skin", "fat")])
    sick_side = "left" if rng.random() < 0.5 else "right"
    placed: list[SimulatedLymphNode] = []
    for node in sorted(lymph_nodes, key=lambda n: -n.short_axis_mm):
        found = _place(rng, anatomy, obstacles, placed, node, priors[node.class_name], sick_side)
        if found is not None:
            placed.append(found)
    return placed


def _place(rng, anatomy, obstacles, placed, node, prior, sick_side) -> SimulatedLymphNode | None:
    levels = rng.choice(list(prior), len(prior), replace=False, p=np.array(list(prior.values())) / sum(prior.values()))
    ipsilateral = 0.5 if node.class_name == "N" else 0.78  # contralateral involvement is about a quarter to a third
    other_side = "right" if sick_side == "left" else "left"
    side = sick_side if rng.random() < ipsilateral else other_side
    rooms = CROWDED if node.short_axis_mm > LARGE_MM else FREE + CROWDED
    first, *others = [str(level) for level in levels]
    places = [(first, side, room) for room in rooms]
    places += [(level, s, CROWDED[-1]) for level in others for s in ("left", "right")]
    places += [(level, s, LAST) for level in (first, *others) for s in ("left", "right")]
    for level, where, room in places:
        for _ in range(room.tries):
            center = _sample_center(rng, anatomy, level, where)
            candidate = replace(node.moved_to(center), level=level, side=_side_of(center, level, where))
            if _is_free(anatomy, obstacles, placed, candidate, room):
                return candidate
    return None


def _side_of(center: Array, level: str, side: str) -> str:
    if level in ("IA", "VI"):  # levels that span the midline
        return "left" if center[0] > 0 else "right"
    return side


def _sample_center(rng: np.random.Generator, anatomy: Anatomy, level: str, side: str) -> Array:
    sign = 1 if side == "left" else -1
    if level in LEVEL_BOX:
        x, y, z = (rng.uniform(*span) for span in LEVEL_BOX[level])
        return anatomy.frame.point(sign * x, y, z)
    z = anatomy.frame.point(0, 0, rng.uniform(*ALONG_JUGULAR[level]))[2]
    x, y = anatomy.named("jugular", side).center(z)
    reach, angle = rng.uniform(5, 20), rng.uniform(-np.pi / 3, np.pi)  # lateral, behind and in front, seldom medial
    return np.array([x + sign * reach * np.cos(angle), y + reach * np.sin(angle), z])


def _is_free(
    anatomy: Anatomy, obstacles: _Obstacles, placed: list, node: SimulatedLymphNode, room: Room
) -> bool:
    points = _probe_points(node)
    if (anatomy.outside_mm(*points.T) > room.skin_mm).any():
        return False
    tissue = np.full(len(points), "fat", dtype=object)
    for structure in obstacles.near(points):
        inside = structure.shape.distance(*points.T) < (CLEARANCE_MM if structure.tissue in SOLID else 0.3)
        if structure.tissue in SOLID and inside.any():
            return False
        tissue[inside] = structure.tissue
    in_vessel = np.isin(tissue, ["jugular", "vessel"]).mean()
    in_gland = np.isin(tissue, ["parotid", "submandibular", "thyroid", "tonsil"]).mean()
    in_muscle = np.isin(tissue, ["muscle", "tongue"]).mean()
    if in_vessel > room.vessel or in_gland > room.gland or in_muscle > room.muscle:
        return False
    return _clear_of_others(placed, node, points)


def _probe_points(node: SimulatedLymphNode) -> Array:
    index = np.arange(64) + 0.5
    polar, turn = np.arccos(1 - 2 * index / 64), np.pi * (1 + 5**0.5) * index
    sphere = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1)
    shell = (sphere * node.radii_mm) @ node.axes.T
    return np.concatenate([shell * (1 + 2 * node.lobulation), shell * 0.5, np.zeros((1, 3))]) + node.center_lps


def _clear_of_others(placed: list[SimulatedLymphNode], node: SimulatedLymphNode, points: Array) -> bool:
    """Metastases may touch one another (coalescence); all others keep a gap."""
    for other in placed:
        if np.linalg.norm(other.center_lps - node.center_lps) > other.radii_mm.max() + node.radii_mm.max() + 6:
            continue
        gap = 0.0 if "N" not in (other.class_name, node.class_name) else 1.5
        if (other.field(*points.T)[1] < gap + 0.01).any():
            return False
        reverse = _probe_points(other)
        if (node.field(*reverse.T)[1] < gap + 0.01).any():
            return False
    return True
