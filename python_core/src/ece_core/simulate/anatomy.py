"""The neck without its lymph nodes: orbit to carina, hyoid at z = 0, LPS millimetres.

Positions and proportions were compared with the SPL head and neck atlas (Jakab and Halle 2016) and with organ
contours of real scans (scripts/compare_anatomy.py); no voxel of them is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ece_core.simulate import muscles, organs, skeleton, vessels
from ece_core.simulate.body import build_body
from ece_core.simulate.builder import Builder, Shape, Structure
from ece_core.simulate.person import Frame, Person
from ece_core.simulate.shapes import SweptEllipse
from ece_core.simulate.tissues import SOLID, TISSUE_HU, sample_hu

Array = np.ndarray

__all__ = ["SOLID", "TISSUE_HU", "Anatomy", "Frame", "Person", "Structure", "sample_anatomy"]

LANDMARK_Z = {"skull_base": 62.0, "hyoid": 0.0, "cricoid": -36.0, "clavicle": -76.0}
NEAR_MM = 25.0  # skins that end farther away than this do not matter for what lies outside of the body


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Structures in painting order and the attenuation of each tissue in this patient.

    Attributes
    ----------
    metal
        Fillings and crowns: (center_lps (3,), radius_mm). They are painted; their streaks are the scanner's.
    """

    structures: tuple[Structure, ...]
    hu: dict[str, float]
    frame: Frame
    person: Person
    metal: tuple[tuple[Array, float], ...] = ()

    def outside_mm(self, x: Array, y: Array, z: Array) -> Array:
        """Distance to the inner side of the skin at broadcast coordinates; below zero is inside the body."""
        low, high = float(np.min(z)) - NEAR_MM, float(np.max(z)) + NEAR_MM
        near = [shape for shape, bottom, top in self._skins if bottom < high and top > low]
        return np.minimum.reduce([shape.distance(x, y, z) for shape in near or [skin[0] for skin in self._skins]])

    @cached_property
    def _skins(self) -> list[tuple[Shape, float, float]]:
        """Shape, bottom and top; looked up once, as placement asks more than a thousand times."""
        shapes = [s.shape for s in self.structures if s.name == "fat"]
        return [(shape, float(shape.bounds()[0][2]), float(shape.bounds()[1][2])) for shape in shapes]

    def named(self, name: str, side: str = "") -> SweptEllipse:
        """The swept structure of that name.

        Raises
        ------
        KeyError
            There is none.
        """
        try:
            return self._swept[name, side]
        except KeyError:
            raise KeyError(f"{name} {side}") from None

    @cached_property
    def _swept(self) -> dict[tuple[str, str], SweptEllipse]:
        """By name and side; of several the first."""
        swept: dict[tuple[str, str], SweptEllipse] = {}
        for structure in self.structures:
            if isinstance(structure.shape, SweptEllipse):
                swept.setdefault((structure.name, structure.side), structure.shape)
        return swept

    def levels_z(self) -> dict[str, float]:
        """Heights of the landmarks that bound the cervical levels, mm."""
        return {name: float(self.frame.point(0, 0, z)[2]) for name, z in LANDMARK_Z.items()}


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """One patient's neck, from the orbits to the carina, with skull cap and arms so that no scan ends in the air."""
    person = Person.sample(rng)
    frame = Frame.sample(rng, person.sex)
    build = Builder(rng, frame, person)
    build_body(build)
    muscles.build_muscles(build)
    organs.build_chest(build)
    organs.build_head(build)
    skeleton.build_spine(build)
    organs.build_airway(build)
    organs.build_glands(build)
    vessels.build_vessels(build)
    vessels.build_branches(build)
    vessels.build_nerves(build)
    skeleton.build_jaws(build)
    skeleton.build_chest_wall(build)
    hu = sample_hu(rng, person.phase, person.fat_share, person.age_years)
    return Anatomy(tuple(build.structures), hu, frame, person, tuple(build.metal))
