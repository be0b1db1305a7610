"""The neck without its lymph nodes: skin to spine, hyoid at z = 0, LPS millimetres.

Positions and proportions were compared with the SPL head and neck atlas (Jakab and Halle 2016); no
voxel of it is used. Attenuations follow the venous neck phase at 120 kVp (Resources: clinical reference).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from ece_core.simulate.shapes import Ellipsoid, SweptEllipse, Tube

Array = np.ndarray

# Hounsfield units: mean, SD between patients. Sources: see docs/simulator.md.
TISSUE_HU: dict[str, tuple[float, float]] = {
    "fat": (-100, 8),
    "skin": (20, 12),
    "muscle": (64, 8),
    "tongue": (70, 8),
    "carotid": (215, 25),
    "jugular": (180, 22),
    "vessel": (150, 30),
    "parotid": (35, 15),
    "submandibular": (95, 12),
    "thyroid": (175, 20),
    "cartilage": (110, 40),
    "cortical": (950, 120),
    "trabecular": (230, 50),
    "airway": (-1000, 0),
    "mucosa": (75, 10),
    "brain": (38, 4),
    "cord": (35, 5),
    "lung": (-860, 20),
    "tonsil": (100, 10),
}
SOLID = frozenset({"carotid", "cartilage", "cortical", "trabecular", "airway", "cord", "brain", "lung", "mucosa"})


class Shape(Protocol):
    def bounds(self) -> tuple[Array, Array]: ...

    def distance(self, x: Array, y: Array, z: Array) -> Array: ...


@dataclass(frozen=True, eq=False)
class Structure:
    """One solid of one tissue. Later structures are painted over earlier ones."""

    tissue: str
    shape: Shape
    name: str = ""
    side: str = ""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Structures in painting order and the attenuation of each tissue in this patient."""

    structures: tuple[Structure, ...]
    hu: dict[str, float]
    frame: Frame

    def outside_mm(self, x: Array, y: Array, z: Array) -> Array:
        """Distance to the inner side of the skin at broadcast coordinates; below zero is inside the body."""
        inside = [s.shape.distance(x, y, z) for s in self.structures if s.name == "fat"]
        return np.minimum.reduce(inside)

    def named(self, name: str, side: str = "") -> SweptEllipse:
        """The swept structure of that name.

        Raises
        ------
        KeyError
            There is none.
        """
        for structure in self.structures:
            if structure.name == name and structure.side == side and isinstance(structure.shape, SweptEllipse):
                return structure.shape
        raise KeyError(f"{name} {side}")

    def levels_z(self) -> dict[str, float]:
        """Heights of the landmarks that bound the cervical levels, mm."""
        return {name: float(self.frame.point(0, 0, z)[2]) for name, z in LANDMARK_Z.items()}


LANDMARK_Z = {"skull_base": 62.0, "hyoid": 0.0, "cricoid": -36.0, "clavicle": -76.0}


@dataclass(frozen=True, eq=False)
class Frame:
    """Size and posture: maps the standard neck to this patient's. Radii scale with :attr:`size`."""

    size: Array
    flexion: Array
    bend: Array
    rotation_per_mm: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Frame:
        overall = rng.normal(1.0, 0.05)
        return cls(
            size=np.clip(overall * rng.normal(1.0, 0.04, 3), 0.85, 1.2),
            flexion=np.array([rng.normal(0, 0.08), rng.normal(0, 0.0006)]),
            bend=np.array([rng.normal(0, 0.03), rng.normal(0, 0.0002)]),
            rotation_per_mm=rng.normal(0, 0.0008),
        )

    def point(self, x: float, y: float, z: float) -> Array:
        """A point of the standard neck, in this patient (LPS mm)."""
        x, y, z = np.array([x, y, z]) * self.size
        angle = self.rotation_per_mm * z
        turned_x = x * np.cos(angle) - (y - 30) * np.sin(angle)
        turned_y = x * np.sin(angle) + (y - 30) * np.cos(angle) + 30
        return np.array([turned_x + self.bend @ [z, z * z], turned_y + self.flexion @ [z, z * z], z])


class _Builder:
    """Collects structures in painting order; mirrors pairs; jitters every measure a little."""

    def __init__(self, rng: np.random.Generator, frame: Frame) -> None:
        self.rng, self.frame = rng, frame
        self.structures: list[Structure] = []

    def swept(self, tissue, knots, name="", side="", power=2.0, jitter=0.05, shift=1.0, taper=True):
        """``knots``: rows (z, x, y, a, b[, angle]) on the standard neck."""
        scale = self.rng.normal(1, jitter, 2)
        offset = self.rng.normal(0, shift, 2)
        rows = []
        for z, x, y, a, b, *angle in sorted(knots):
            px, py, pz = self.frame.point(x, y, z)
            grow = self.rng.normal(1, jitter / 2, 2) * scale * self.frame.size[:2]
            rows.append(
                [pz, px + offset[0], py + offset[1], max(a * grow[0], 0.4), max(b * grow[1], 0.4), *(angle or [0.0])]
            )
        shape = SweptEllipse(_rounded(np.array(rows)) if taper else np.array(rows), power)
        self.structures.append(Structure(tissue, shape, name, side))
        return shape

    def pair(self, tissue, knots, name="", **options) -> None:
        """The same on both sides: given for the left (+x), mirrored for the right."""
        self.swept(tissue, knots, name, "left", **options)
        mirrored = [(z, -x, y, a, b, *[-t for t in angle]) for z, x, y, a, b, *angle in knots]
        self.swept(tissue, mirrored, name, "right", **options)

    def chain(self, tissue, points, radius, stretch_z=1.0, mirror=True) -> None:
        """Bones: tubes from point to point, on both sides when ``mirror``."""
        for sign in (1, -1) if mirror else (1,):
            places = [self.frame.point(sign * x, y, z) for x, y, z in points]
            for start, end in pairwise(places):
                self.structures.append(Structure(tissue, Tube(start, end, radius, stretch_z)))

    def ellipsoid(self, tissue, center, radii, jitter=0.06) -> None:
        radii = np.array(radii, float) * self.frame.size * self.rng.normal(1, jitter, 3)
        self.structures.append(Structure(tissue, Ellipsoid(self.frame.point(*center), radii)))


def _rounded(knots: Array) -> Array:
    """Close both ends by a dome instead of a flat cut."""
    ends = []
    for end, sign in ((knots[0], -1), (knots[-1], 1)):
        depth = 0.7 * min(end[3], end[4])
        for along, scale in ((0.6, 0.8), (1.0, 0.3)):
            row = end.copy()
            row[0] += sign * along * depth
            row[3:5] *= scale
            ends.append(row)
    return np.array([ends[1], ends[0], *knots, ends[2], ends[3]])


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """One patient's neck, from orbit to the apex of the lungs."""
    frame = Frame.sample(rng)
    build = _Builder(rng, frame)
    fat_mm = float(np.clip(rng.gamma(4.0, 1.5), 2.0, 16.0))
    _body(build, fat_mm)
    _muscles(build)
    _head(build)
    _spine(build)
    _airway(build)
    _glands(build)
    _vessels(build)
    _bones(build)
    hu = {tissue: float(rng.normal(mean, sd)) for tissue, (mean, sd) in TISSUE_HU.items()}
    return Anatomy(tuple(build.structures), hu, frame)


def _body(build: _Builder, fat_mm: float) -> None:
    shoulders = float(build.rng.normal(-52, 8))  # height at which the neck widens
    width = float(build.rng.normal(185, 14))
    outline = [
        (-150, 0, 52, width, 92), (shoulders - 38, 0, 50, width * 0.98, 84), (shoulders - 18, 0, 48, width * 0.72, 74),
        (shoulders, 0, 42, 88 + fat_mm, 66 + fat_mm / 2), (shoulders + 18, 0, 36, 64 + fat_mm, 60 + fat_mm / 2),
        (-15, 0, 33, 59 + fat_mm, 60 + fat_mm / 2), (10, 0, 28, 60 + fat_mm, 66 + fat_mm / 2),
        (30, 0, 22, 66 + fat_mm / 2, 78 + fat_mm / 2), (60, 0, 16, 73, 90), (95, 0, 14, 76, 96), (150, 0, 16, 72, 92),
        (190, 0, 18, 55, 70),
    ]  # fmt: skip
    face = [(-16, 0, -24, 20, 18), (-6, 0, -20, 40, 38), (12, 0, -16, 53, 46), (35, 0, -10, 62, 56),
            (62, 0, -6, 68, 62), (100, 0, -4, 66, 66)]  # fmt: skip
    margin = float(build.rng.uniform(1.5, 2.5))
    skins = [
        build.swept("skin", outline, "skin", power=2.2, jitter=0.02, taper=False),
        build.swept("skin", face, "skin", jitter=0.02, shift=0.5),
    ]
    for skin in skins:
        inner = skin.knots.copy()
        inner[:, 3:5] = np.maximum(inner[:, 3:5] - margin, 0.5)
        build.structures.append(Structure("fat", SweptEllipse(inner, skin.power), "fat"))


def _muscles(build: _Builder) -> None:
    build.pair("muscle", [(-110, 26, 76, 30, 26), (-60, 20, 70, 21, 19), (-20, 15, 64, 15, 15), (20, 15, 62, 15, 14),
                          (60, 17, 64, 16, 12)], "multifidus", power=2.4)  # fmt: skip
    build.pair("muscle", [(-110, 30, 100, 34, 12), (-60, 20, 88, 20, 9), (-20, 15, 80, 15, 7), (20, 15, 79, 15, 7.5),
                          (55, 16, 84, 17, 7)], "semispinalis", power=2.2)  # fmt: skip
    build.pair("muscle", [(-60, 34, 84, 10, 6, -0.6), (-20, 32, 76, 11, 5, -0.8), (20, 34, 68, 12, 5, -0.9),
                          (48, 42, 54, 10, 5, -1.0)], "splenius")  # fmt: skip
    build.pair("muscle", [(-50, 28, 52, 6, 9), (-10, 27, 50, 6, 9), (40, 27, 44, 6, 8)], "longissimus")
    build.pair("muscle", [(-100, 95, 80, 62, 16, -0.25), (-60, 66, 86, 42, 10, -0.35), (-20, 42, 90, 24, 6, -0.5),
                          (30, 26, 96, 16, 5, -0.4), (60, 20, 100, 10, 4, -0.3)], "trapezius", taper=False)  # fmt: skip
    build.pair("muscle", [(-64, 48, 62, 10, 14), (-20, 42, 64, 8, 13), (20, 38, 58, 7, 12), (50, 34, 48, 5, 8)],
               "levator scapulae")  # fmt: skip
    build.pair("muscle", [(-90, 52, 46, 12, 10), (-55, 44, 46, 11, 9), (-20, 30, 40, 9, 8), (15, 24, 36, 6, 6)],
               "scalene")  # fmt: skip
    build.pair("muscle", [(-70, 9, 32, 8, 5), (-10, 10, 22, 9, 5), (40, 11, 20, 9, 5)], "prevertebral")
    build.pair("muscle", [(-80, 14, -6, 8, 5, 0.3), (-60, 24, -2, 12, 6, 0.5), (-30, 38, 9, 13, 7, 0.8),
                          (0, 47, 20, 14, 7.5, 1.05), (25, 53, 30, 13, 7, 1.2), (46, 55, 38, 9, 5, 1.3)],
               "sternocleidomastoid")  # fmt: skip
    build.pair("muscle", [(-85, 60, -12, 50, 9, 0.2), (-110, 66, -18, 62, 12, 0.15), (-150, 70, -22, 66, 14, 0.1)],
               "pectoral")  # fmt: skip
    build.pair("muscle", [(-60, 8, -12, 7, 3), (-30, 9, -14, 8, 3), (-4, 9, -10, 7, 3)], "strap")
    build.pair("muscle", [(-12, 8, -32, 5, 8), (-2, 9, -32, 6, 9)], "anterior digastric")
    build.pair("muscle", [(5, 24, 4, 4, 5), (25, 34, 18, 5, 7), (45, 44, 28, 6, 9)], "posterior digastric")


def _head(build: _Builder) -> None:
    build.swept("tongue", [(-4, 0, -18, 20, 22), (12, 0, -22, 26, 30), (30, 0, -24, 26, 32), (48, 0, -24, 22, 28)],
                "tongue", power=2.3)  # fmt: skip
    build.pair("muscle", [(2, 52, -8, 6, 16, -0.3), (25, 54, -12, 7, 18, -0.25), (60, 58, -16, 6, 16, -0.2)],
               "masseter")  # fmt: skip
    build.pair("muscle", [(15, 36, -2, 6, 14, -0.3), (50, 36, -4, 10, 16, -0.2)], "pterygoid")
    skull = build.swept("cortical", [(68, 0, 48, 24, 20), (74, 0, 38, 50, 44), (88, 0, 24, 67, 76),
                                     (120, 0, 20, 70, 84), (150, 0, 22, 66, 80),
                             (182, 0, 24, 40, 50)], "skull", jitter=0.02, taper=False)  # fmt: skip
    inner = skull.knots.copy()
    inner[:, 3:5] = np.maximum(inner[:, 3:5] - float(build.rng.uniform(5, 8)), 1.0)
    inner[:, 0] += np.linspace(6, -6, len(inner))
    build.structures.append(Structure("brain", SweptEllipse(inner), "brain"))
    build.ellipsoid("airway", (0, -38, 66), (11, 30, 18))
    for sign in (1, -1):
        build.ellipsoid("airway", (sign * 26, -36, 72), (12, 15, 16))
        build.ellipsoid("fat", (sign * 32, -48, 100), (18, 22, 17))
        build.ellipsoid("brain", (sign * 32, -56, 100), (12, 12, 12))


def _spine(build: _Builder) -> None:
    heights = [-105, -85, -67, -50, -35, -21, -7, 7, 22, 40, 57]
    for z in heights:
        y = 30 + max(0.0, -z - 25) * 0.42
        wide = 13 if z > -40 else 16
        for radius, tissue in ((0.0, "cortical"), (1.6, "trabecular")):
            build.ellipsoid(tissue, (0, y, z), (wide - radius, 10 - radius, 7.6 - radius), jitter=0.02)
        build.chain("cortical", [(9, y + 6, z), (17, y + 10, z - 1), (13, y + 17, z - 2)], 4.2)
        build.chain("trabecular", [(9, y + 6, z), (17, y + 10, z - 1)], 2.4)
        build.chain("cortical", [(12, y + 17, z - 2), (0, y + 27, z - 5), (0, y + 38, z - 9)], 3.0)
    cord = [(z, 0, 30 + max(0.0, -z - 25) * 0.42 + 16, 9, 7.5) for z in (*heights, 75)]
    build.swept("fat", cord, "canal", shift=0.2)
    build.swept("cord", [(z, x, y, 6.3, 4.4) for z, x, y, _, _ in cord], "cord", shift=0.2)


def _airway(build: _Builder) -> None:
    path = [(-150, 0, 34, 9, 8), (-90, 0, 26, 9, 8.5), (-58, 0, 16, 8.5, 9), (-40, 0, 11, 8, 9), (-24, 0, 4, 5, 11),
            (-14, 0, 2, 7, 9), (-2, 0, 4, 12, 7), (16, 0, 8, 12, 5.5), (36, 0, 9, 10, 6),
            (58, 0, 4, 11, 8)]  # fmt: skip
    grow = build.rng.uniform(0.85, 1.15)
    path = [(z, x, y, a * grow, b * grow) for z, x, y, a, b in path]
    build.swept("mucosa", [(z, x, y, a + (2.4 if z < -45 else 5.5), b + (2.4 if z < -45 else 5)) for z, x, y, a, b
                           in path], "pharynx", shift=0.0, jitter=0.01)  # fmt: skip
    build.pair("cartilage", [(-32, 12, 2, 1.7, 11, 0.35), (-20, 12.5, -1, 1.8, 13, 0.45), (-8, 14, 2, 1.6, 11, 0.4)],
               "thyroid cartilage", shift=0.4)  # fmt: skip
    build.swept("cartilage", [(-42, 0, 12, 11.5, 12), (-33, 0, 12, 11.5, 13)], "cricoid", shift=0.2)
    build.swept("airway", path, "airway", shift=0.0, jitter=0.01)
    if build.rng.random() < 0.5:
        build.swept("mucosa", [(-8, 0, -2, 8, 2.5), (6, 0, 0, 9, 2)], "epiglottis")
    build.swept("mucosa", [(z, 2, y + 12 - z * 0.02, 7, 4.5) for z, y in ((-150, 34), (-90, 27), (-50, 17), (-42, 13))],
                "esophagus")  # fmt: skip
    for sign in (1, -1):
        build.ellipsoid("tonsil", (sign * 16, 4, 28), (5.5, 7, 12), jitter=0.15)
        build.ellipsoid("lung", (sign * 46, 48, -142), (38, 46, 46))


def _glands(build: _Builder) -> None:
    build.pair("parotid", [(8, 52, 14, 6, 10, 0.2), (25, 55, 12, 9, 16, 0.2), (45, 57, 10, 9.5, 18, 0.15),
                           (66, 57, 6, 6, 11, 0.1)], "parotid", jitter=0.1)  # fmt: skip
    build.pair("submandibular", [(-14, 28, -8, 6, 8, -0.3), (-4, 30, -8, 9.5, 14, -0.3), (8, 30, -6, 8, 12, -0.3),
                                 (14, 29, -4, 4, 6, -0.3)], "submandibular", jitter=0.1, shift=1.5)  # fmt: skip
    build.pair("thyroid", [(-70, 15, 14, 6, 8, 0.3), (-55, 16, 11, 8, 11, 0.3), (-38, 15, 8, 6, 8, 0.25),
                           (-28, 15, 6, 3, 4, 0.2)], "thyroid", jitter=0.12)  # fmt: skip
    build.swept("thyroid", [(-62, 0, 4, 12, 3), (-52, 0, 2, 11, 3)], "isthmus")


def _vessels(build: _Builder) -> None:
    big, small = (1.25, 0.85) if build.rng.random() < 0.5 else (0.9, 1.2)  # one jugular usually dominates
    for side, sign, size in (("left", 1, big), ("right", -1, small)):
        size *= build.rng.uniform(0.85, 1.1)
        carotid = [(-110, 14, 22, 4, 4), (-80, 20, 20, 3.8, 3.8), (-40, 21, 21, 3.6, 3.6), (-8, 23, 20, 3.8, 4.2)]
        internal = [(-10, 24, 21, 3.2, 3.2), (10, 27, 21, 2.8, 2.8), (40, 26, 20, 2.7, 2.7), (62, 24, 18, 2.6, 2.6)]
        external = [(-8, 22, 16, 2.6, 2.6), (10, 25, 11, 2.2, 2.2), (35, 38, 12, 1.9, 1.9), (60, 44, 12, 1.6, 1.6)]
        jugular = [(-95, 22, 12, 8, 6), (-70, 29, 14, 8, 6.5), (-40, 31, 17, 7, 5.6), (-5, 32, 21, 6.5, 5.2),
                   (25, 32, 25, 5.5, 4.6), (60, 29, 24, 4.5, 4)]  # fmt: skip
        for name, tissue, path in (("common carotid", "carotid", carotid), ("internal carotid", "carotid", internal),
                                   ("external carotid", "carotid", external)):  # fmt: skip
            build.swept(tissue, [(z, sign * x, y, a, b) for z, x, y, a, b in path], name, side)
        build.swept("jugular", [(z, sign * x, y, a * size, b * size) for z, x, y, a, b in jugular], "jugular", side,
                    jitter=0.1)  # fmt: skip
        build.swept("vessel", [(-70, sign * 34, 30, 1.8, 1.8), (-30, sign * 52, 22, 1.8, 1.8),
                               (20, sign * 60, 12, 1.6, 1.6), (40, sign * 60, 8, 1.4, 1.4)], "external jugular", side,
                    shift=2.5)  # fmt: skip
        build.swept("vessel", [(-70, sign * 9, -14, 1.5, 1.5), (-20, sign * 12, -20, 1.6, 1.6),
                               (-6, sign * 14, -26, 1.3, 1.3)], "anterior jugular", side, shift=2.5)  # fmt: skip
        _branches(build, sign)
        build.chain("jugular", [(sign * 22, 10, -92), (sign * 60, 18, -88), (sign * 110, 34, -84)], 6.0, mirror=False)
        build.chain("carotid", [(sign * 20, 34, -96), (sign * 60, 40, -78), (sign * 110, 46, -88)], 4.0, mirror=False)


def _branches(build: _Builder, sign: int) -> None:
    """Small veins and arteries in the fat: the commonest look-alikes of small lymph nodes."""
    rng = build.rng
    for _ in range(int(rng.integers(8, 15))):
        z = rng.uniform(-75, 45)
        start = np.array([sign * rng.uniform(22, 48), rng.uniform(-15, 50), z])
        step = rng.normal(size=3) * [10, 10, 12]
        points = [start]
        for _ in range(int(rng.integers(2, 5))):
            step = 0.6 * step + rng.normal(size=3) * [6, 6, 7]
            points.append(points[-1] + step)
        build.chain("vessel", [tuple(p) for p in points], float(rng.uniform(0.7, 1.9)), mirror=False)


def _bones(build: _Builder) -> None:
    arch = [(0, -52, -2), (14, -50, -2), (28, -38, 0), (40, -16, 4), (46, -2, 10)]
    build.chain("cortical", arch, 5.4, stretch_z=2.0)
    build.chain("trabecular", arch, 3.2, stretch_z=2.2)
    build.chain("cortical", [(46, -2, 10), (48, 0, 36), (50, 4, 62)], 4.6)
    build.chain("trabecular", [(46, -2, 12), (48, 0, 36)], 2.4)
    teeth = [(0, -46, 20), (12, -44, 20), (24, -34, 21), (33, -18, 23)]
    build.chain("cortical", teeth, 3.6, stretch_z=2.2)
    upper = [(0, -46, 42), (14, -44, 42), (26, -34, 42), (34, -16, 43)]
    build.chain("trabecular", upper, 6.0, stretch_z=1.5)
    build.chain("cortical", upper, 3.4, stretch_z=2.0)
    build.chain("cortical", [(56, 34, 46), (58, 36, 64)], 8.0)
    build.chain("cortical", [(0, -20, 0), (10, -17, 0), (17, -6, 2), (20, 4, 4)], 2.6)
    clavicle = [(16, -8, -86), (50, -4, -78), (90, 26, -66), (125, 50, -60)]
    build.chain("cortical", clavicle, 6.0)
    build.chain("trabecular", clavicle, 4.0)
    for drop, reach in ((0, 50), (18, 66), (36, 78)):
        build.chain("cortical", [(18, 52 + drop * 0.5, -82 - drop), (reach, 60, -92 - drop),
                                 (reach + 6, 20, -108 - drop), (16, -16, -118 - drop)], 3.6)  # fmt: skip
    build.chain("cortical", [(95, 84, -78), (120, 70, -70), (150, 60, -72)], 7.0)
    build.chain("trabecular", [(150, 52, -92), (158, 50, -150)], 16.0)
