"""Where lymph nodes lie: in fat, by level, clear of bone, airway and arteries, and of one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ece_core.simulate.anatomy import SOLID, Anatomy, Structure
from ece_core.simulate.capsule import SimulatedLymphNode
from ece_core.simulate.population import MATTED, THIN_PLANE

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

    A lymph node pushes veins, glands and muscle aside; bone and airway never. Large ones must: there is no gap of fat
    30 mm wide in a neck. Only the very largest may reach round a carotid.
    """

    vessel: float
    gland: float
    muscle: float
    tries: int
    skin_mm: float = -1.5
    carotid: float = 0.0
    checked: int = 12  # of the promising places; the rest would seldom be better


# From the freest place to the tightest [own choice]. A lymph node looks at its own level in every way before it
# goes to another one, so that levels keep their shares; and it is never left out for its size, so that sizes do.
FREE = (Room(0.06, 0.05, 0.12, 60), Room(0.15, 0.15, 0.30, 30))
CROWDED = (Room(0.15, 0.15, 0.45, 40), Room(0.30, 0.35, 0.65, 40), Room(0.60, 0.70, 0.80, 80, -0.5))
LAST = Room(1.0, 1.0, 1.0, 250, 0.0, 0.12)
# A lymph node of 40 mm fits into one place of a hundred that look promising.
EVERYWHERE = Room(1.0, 1.0, 1.0, 600, 0.0, 0.12, checked=600)
LARGE_MM = 12.0
VESSELS = ("jugular", "vessel", "unopacified vein", "thrombus")
GLANDS = ("parotid", "submandibular", "thyroid", "tonsil")
MUSCLES, CAROTID = ("muscle", "tongue"), ("carotid", "calcification")
INVADED = (*VESSELS, *GLANDS, *MUSCLES)

# Share of metastases that grow together with another of the same side. Matting predicts ENE, so more of them have it;
# Chin 2022 names coalescence, without a share for us to use [own choice].
FUSED_SHARE = {"P": 0.12, "ENE": 0.30}
AIMED_SHARE = 0.35  # of breaches close to muscle, vein, gland or skin that grow into it [own choice]
AIM_REACH_MM = 1.5
FAT_MM = 2.0  # the others grow into fat this thick where there is some
THIN_PLANE_MM = 1.5  # a fat plane that a slice of 1 to 3 mm can lose
THIN_PLANE_SHARE = 0.12  # of the surface, for the name "thin fat plane"


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
        found = _fuse(rng, anatomy, obstacles, placed, node)
        if found is None:
            found = _place(rng, anatomy, obstacles, placed, node, priors[node.class_name], sick_side)
        if found is not None:
            placed.append(_beside_structures(rng, anatomy, obstacles, found))
    return placed


def _fuse(rng, anatomy, obstacles, placed, node) -> SimulatedLymphNode | None:
    """Set a metastasis against one that is there already, as a coalescent pair; ``None``: not this one, or no room."""
    if rng.random() >= FUSED_SHARE.get(node.class_name, 0.0):
        return None
    partners = [n for n, other in enumerate(placed) if other.class_name != "N" and not other.fused]
    for index in rng.permutation(partners):
        other = placed[int(index)]
        for _ in range(12):
            direction = rng.normal(size=3)
            direction /= np.linalg.norm(direction)
            reach = _reach_mm(other, direction) + _reach_mm(node, -direction)
            center = other.center_lps + direction * (reach - rng.uniform(0.0, 1.0))
            candidate = replace(node.moved_to(center), level=other.level, side=other.side)
            rest = [p for p in placed if p is not other]
            if _is_free(anatomy, obstacles, rest, candidate, CROWDED[-1]):
                matted = MATTED if not (node.breach or other.breach) else ""
                placed[int(index)] = _fused(other, candidate, matted)
                return _fused(candidate, other, matted)
    return None


def _fused(node: SimulatedLymphNode, other: SimulatedLymphNode, hard_negative: str) -> SimulatedLymphNode:
    return replace(
        node, fused=(replace(other, breach=None, fused=()),), hard_negative=hard_negative or node.hard_negative
    )


def _reach_mm(node: SimulatedLymphNode, direction: Array) -> float:
    """Distance from the center to the surface of the ellipsoid in a direction."""
    return float(1 / np.linalg.norm((direction @ node.axes) / node.radii_mm))


def _beside_structures(rng, anatomy, obstacles, node: SimulatedLymphNode) -> SimulatedLymphNode:
    """Aim some breaches at the muscle, vein, gland or skin nearby; name the thin fat plane of a node on a muscle."""
    sphere = _sphere()
    shell = node.center_lps + sphere * [[_reach_mm(node, direction)] for direction in sphere]
    gap = anatomy.outside_mm(*shell.T) * -1.0
    to_muscle = np.full(len(shell), np.inf)
    for structure in obstacles.near(shell):
        if structure.tissue in INVADED:
            distance = structure.shape.distance(*shell.T)
            gap = np.minimum(gap, distance)
            if structure.tissue in MUSCLES:
                to_muscle = np.minimum(to_muscle, distance)
    if node.breach:
        nearest, free = int(gap.argmin()), np.flatnonzero(gap > FAT_MM)
        toward = nearest if gap[nearest] < AIM_REACH_MM and rng.random() < AIMED_SHARE else int(gap.argmax())
        if toward != nearest and len(free):
            toward = int(rng.choice(free))
        return replace(node, breach=node.breach.turned(_rotation(node.breach.directions[0], sphere[toward])))
    if not node.hard_negative and (to_muscle > 0).all() and (to_muscle < THIN_PLANE_MM).mean() > THIN_PLANE_SHARE:
        return replace(node, hard_negative=THIN_PLANE)
    return node


def _rotation(start: Array, end: Array) -> Array:
    """(3, 3) rotation that takes one unit vector to another by the shortest way (Rodrigues)."""
    cross, cosine = np.cross(start, end), float(start @ end)
    if cosine < -0.999:  # opposite: half a turn about any axis across
        axis = np.cross(start, [1.0, 0, 0] if abs(start[0]) < 0.9 else [0, 1.0, 0])
        axis /= np.linalg.norm(axis)
        return 2 * np.outer(axis, axis) - np.eye(3)
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + cosine))


def _place(rng, anatomy, obstacles, placed, node, prior, sick_side) -> SimulatedLymphNode | None:
    """In the level that was drawn wherever there is room; then in the other levels; then wherever tissue gives way."""
    levels = rng.choice(list(prior), len(prior), replace=False, p=np.array(list(prior.values())) / sum(prior.values()))
    ipsilateral = 0.5 if node.class_name == "N" else 0.78  # contralateral involvement is about a quarter to a third
    other_side = "right" if sick_side == "left" else "left"
    side = sick_side if rng.random() < ipsilateral else other_side
    rooms = CROWDED if node.short_axis_mm > LARGE_MM else FREE + CROWDED
    first, *others = [str(level) for level in levels]
    places = [(first, side, room) for room in rooms]
    places += [(level, s, CROWDED[-1]) for level in others for s in ("left", "right")]
    places += [(level, s, room) for room in (LAST, EVERYWHERE) for level in (first, *others) for s in ("left", "right")]
    for level, where, room in places:
        centers = np.array([_sample_center(rng, anatomy, level, where) for _ in range(room.tries)])
        for center in _promising(anatomy, obstacles, placed, node, centers, room):
            candidate = replace(node.moved_to(center), level=level, side=_side_of(center, level, where))
            if _is_free(anatomy, obstacles, placed, candidate, room):
                return candidate
    return None


def _promising(anatomy, obstacles, placed, node, centers: Array, room: Room) -> Array:
    """Centers that have some room around them, judged all at once; where it is crowded, the freest come first.

    Only in the last resort may a center lie where a muscle, vein or gland was: these are pushed aside.
    """
    least = float(node.radii_mm.min())
    good = anatomy.outside_mm(*centers.T) < room.skin_mm - 0.5 * least
    pressed = np.zeros(len(centers))
    for structure in obstacles.near(centers):
        distance = structure.shape.distance(*centers.T)
        if room not in (LAST, EVERYWHERE) or (structure.tissue in SOLID and structure.tissue not in CAROTID):
            good &= distance > (0.5 * least if structure.tissue in SOLID else 0.0)
        pressed += np.clip(least - distance, 0, None) * (2.0 if structure.tissue in SOLID else 1.0)
    for other in placed:
        good &= np.linalg.norm(centers - other.center_lps, axis=1) > 0.8 * (least + other.radii_mm.min())
    order = np.argsort(pressed[good], kind="stable") if room in (*CROWDED, LAST, EVERYWHERE) else np.arange(good.sum())
    return np.asarray(centers[good][order][: room.checked])


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


def _is_free(anatomy: Anatomy, obstacles: _Obstacles, placed: list, node: SimulatedLymphNode, room: Room) -> bool:
    points = _probe_points(node)
    if (anatomy.outside_mm(*points.T) > room.skin_mm).any():
        return False
    tissue = np.full(len(points), "fat", dtype=object)
    for structure in obstacles.near(points):
        inside = structure.shape.distance(*points.T) < (CLEARANCE_MM if structure.tissue in SOLID else 0.3)
        allowed = room.carotid if structure.tissue in CAROTID else 0.0
        if structure.tissue in SOLID and inside.mean() > allowed:
            return False
        tissue[inside] = structure.tissue
    in_vessel, in_gland, in_muscle = (np.isin(tissue, names).mean() for names in (VESSELS, GLANDS, MUSCLES))
    if in_vessel > room.vessel or in_gland > room.gland or in_muscle > room.muscle:
        return False
    return _clear_of_others(placed, node, points)


@cache
def _sphere() -> Array:
    """(64, 3) unit directions, evenly spread (Fibonacci)."""
    index = np.arange(64) + 0.5
    polar, turn = np.arccos(1 - 2 * index / 64), np.pi * (1 + 5**0.5) * index
    return np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1)


def _probe_points(node: SimulatedLymphNode) -> Array:
    shell = (_sphere() * node.radii_mm) @ node.axes.T
    return np.concatenate([shell * (1 + 2 * node.lobulation), shell * 0.5, np.zeros((1, 3))]) + node.center_lps


def _clear_of_others(placed: list[SimulatedLymphNode], node: SimulatedLymphNode, points: Array) -> bool:
    """Metastases may touch one another; all others keep a gap."""
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
