"""Collects the structures of a neck in painting order: mirrors pairs, follows posture, jitters every measure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from ece_core.simulate.person import Frame, Person
from ece_core.simulate.shapes import Ellipsoid, SweptArc, SweptEllipse, Tube

Array = np.ndarray


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


class Builder:
    """``knots`` are rows (z, x, y, a, b[, angle]) on the standard neck, sorted or not; left is +x."""

    def __init__(self, rng: np.random.Generator, frame: Frame, person: Person) -> None:
        self.rng, self.frame, self.person = rng, frame, person
        self.structures: list[Structure] = []
        self.metal: list[tuple[Array, float]] = []

    def add(self, tissue: str, shape: Shape, name: str = "", side: str = "") -> None:
        self.structures.append(Structure(tissue, shape, name, side))

    def _rows(self, knots, jitter: float, shift: float) -> Array:
        scale = self.rng.normal(1, jitter, 2)
        offset = self.rng.normal(0, shift, 2)
        rows = []
        for z, x, y, a, b, *angle in sorted(knots):
            px, py, pz = self.frame.point(x, y, z)
            grow = self.rng.normal(1, jitter / 2, 2) * scale * self.frame.size[:2]
            turned = (angle[0] if angle else 0.0) + self.frame.angle(z)
            rows.append([pz, px + offset[0], py + offset[1], max(a * grow[0], 0.4), max(b * grow[1], 0.4), turned])
        return np.array(rows)

    def swept(self, tissue, knots, name="", side="", power=2.0, jitter=0.05, shift=1.0, taper=True) -> SweptEllipse:
        rows = self._rows(knots, jitter, shift)
        shape = SweptEllipse(rounded(rows) if taper else rows, power)
        self.add(tissue, shape, name, side)
        return shape

    def pair(self, tissue, knots, name="", **options) -> None:
        """The same on both sides: given for the left, mirrored for the right."""
        self.swept(tissue, knots, name, "left", **options)
        self.swept(tissue, mirrored(knots), name, "right", **options)

    def muscle(self, knots, name="", *, tissue="muscle", gap=True, **options) -> None:
        """A pair of muscles, each in its fascia: a thin plane of fat that keeps it apart from its neighbors."""
        bulk = self.person.muscle
        bulky = [(z, x, y, a * (0.5 + 0.5 * bulk), b * bulk, *angle) for z, x, y, a, b, *angle in knots]
        for side, rows in (("left", bulky), ("right", mirrored(bulky))):
            before = len(self.structures)
            shape = self.swept(tissue, rows, name, side, **options)
            if gap:
                wider = shape.knots.copy()
                wider[:, 3:5] += self.person.gap_mm
                self.structures.insert(before, Structure("fat", SweptEllipse(wider, shape.power), "fascia", side))

    def arc(self, tissue, knots, name="", side="", jitter=0.03, shift=0.5) -> None:
        """``knots``: rows (z, x, y, a, b, half thickness, from angle, to angle) of a bent sheet."""
        rows = []
        scale = self.rng.normal(1, jitter, 2) * self.frame.size[:2]
        offset = self.rng.normal(0, shift, 2)
        for z, x, y, a, b, half, start, stop in sorted(knots):
            px, py, pz = self.frame.point(x, y, z)
            turn = self.frame.angle(z)
            rows.append([pz, px + offset[0], py + offset[1], a * scale[0], b * scale[1], half, start + turn,
                         stop + turn])  # fmt: skip
        self.add(tissue, SweptArc(np.array(rows)), name, side)

    def chain(self, tissue, points, radius, stretch_z=1.0, mirror=True, name="", side="") -> None:
        """Tubes from point to point, on both sides when ``mirror``."""
        for sign in (1, -1) if mirror else (1,):
            places = [self.frame.point(sign * x, y, z) for x, y, z in points]
            for start, end in pairwise(places):
                self.add(tissue, Tube(start, end, radius, stretch_z), name, side)

    def ellipsoid(self, tissue, center, radii, jitter=0.06, name="") -> None:
        radii = np.array(radii, float) * self.frame.size * self.rng.normal(1, jitter, 3)
        self.add(tissue, Ellipsoid(self.frame.point(*center), radii), name)


def mirrored(knots) -> list[tuple]:
    """Left to right: x and angles change sign."""
    return [(z, -x, y, a, b, *[-t for t in angle]) for z, x, y, a, b, *angle in knots]


def rounded(knots: Array) -> Array:
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
