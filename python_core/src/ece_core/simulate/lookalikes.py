"""Structures that are taken for lymph nodes or for a breach, and are neither: hard negatives of the anatomy.

A small unopacified vein, a thrombosed jugular, a lobule of a salivary gland. They are structures like any other:
painted, kept clear of by lymph nodes, and never part of the truth maps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.simulate.anatomy import Anatomy, Structure
from ece_core.simulate.shapes import Ellipsoid, SweptEllipse

Array = np.ndarray

# Share of patients that have one, mean HU and SD. Shares are ours; clinical reference 5.5 names the structures. Blood
# without contrast 40 to 60 HU, thrombus 30 to 70 HU: textbook values. [own choice]
UNOPACIFIED_VEIN = (0.30, 48.0, 6.0)
THROMBOSED_JUGULAR = (0.06, 45.0, 9.0)
GLAND_LOBULE = (0.30, 0.0, 0.0)  # its attenuation is that of its gland


@dataclass(frozen=True, eq=False)
class LookAlike:
    """Name and center (LPS mm) of a structure that could be taken for a lymph node."""

    name: str
    center_lps: Array
    side: str


def add_lookalikes(rng: np.random.Generator, anatomy: Anatomy) -> tuple[Anatomy, tuple[LookAlike, ...]]:
    """The same neck with some structures more, and where they are.

    Returns
    -------
    Anatomy
        With the tissues ``unopacified vein`` and ``thrombus`` added; structures are appended, so painted last.
    tuple of LookAlike
        Empty in about half of the patients.
    """
    added: list[Structure] = []
    found: list[LookAlike] = []
    for share, make in (
        (UNOPACIFIED_VEIN[0], _unopacified_vein), (THROMBOSED_JUGULAR[0], _thrombus), (GLAND_LOBULE[0], _lobule)
    ):  # fmt: skip
        if rng.random() < share:
            structure, center = make(rng, anatomy, "left" if rng.random() < 0.5 else "right")
            added.append(structure)
            found.append(LookAlike(structure.name, center, structure.side))
    hu = {
        **anatomy.hu,
        "unopacified vein": float(rng.normal(*UNOPACIFIED_VEIN[1:])),
        "thrombus": float(rng.normal(*THROMBOSED_JUGULAR[1:])),
    }
    return replace(anatomy, structures=(*anatomy.structures, *added), hu=hu), tuple(found)


def _unopacified_vein(rng: np.random.Generator, anatomy: Anatomy, side: str) -> tuple[Structure, Array]:
    """A vein that runs up the neck behind and beside the jugular: round in a slice like a small lymph node."""
    sign = 1 if side == "left" else -1
    low, high = np.sort(rng.uniform(-65, 45, 2) + (-12, 12))
    beside, behind, radius = rng.uniform(10, 18), rng.uniform(4, 14), rng.uniform(1.6, 3.2)
    heights = np.linspace(low, high, 5)
    rows = []
    for height in heights:
        z = float(anatomy.frame.point(0, 0, height)[2])
        x, y = anatomy.named("jugular", side).center(z)
        x, y = x + sign * beside + rng.normal(0, 1.2), y + behind + rng.normal(0, 1.2)
        rows.append([z, x, y, radius * rng.uniform(0.8, 1.1), radius * rng.uniform(0.8, 1.1), 0.0])
    middle = rows[2]
    shape = SweptEllipse(np.array(rows))
    return Structure("unopacified vein", shape, "unopacified vein", side), np.array([middle[1], middle[2], middle[0]])


def _thrombus(rng: np.random.Generator, anatomy: Anatomy, side: str) -> tuple[Structure, Array]:
    """A clot that fills 25 to 60 mm of the internal jugular but for its wall, which stays bright."""
    jugular = anatomy.named("jugular", side)
    middle = float(anatomy.frame.point(0, 0, rng.uniform(-45, 20))[2])
    half = rng.uniform(12, 30)
    heights = np.linspace(middle - half, middle + half, 7)
    filled = np.array([0.3, 0.8, 0.84, 0.84, 0.84, 0.8, 0.3])
    sections = np.array([jugular._section(np.clip(z, jugular.knots[0, 0], jugular.knots[-1, 0])) for z in heights])
    sections[:, 2:4] *= filled[:, None]
    shape = SweptEllipse(np.column_stack([heights, sections]), jugular.power)
    return Structure("thrombus", shape, "thrombosed jugular", side), np.array([*jugular.center(middle), middle])


def _lobule(rng: np.random.Generator, anatomy: Anatomy, side: str) -> tuple[Structure, Array]:
    """A lobule of 5 to 12 mm below the parotid or behind the submandibular gland, where lymph nodes lie as well."""
    sign = 1 if side == "left" else -1
    tissue = "parotid" if rng.random() < 0.5 else "submandibular"
    glands = [s for s in anatomy.structures if s.tissue == tissue]
    low, high = (np.array(edge) for edge in zip(*(s.shape.bounds() for s in glands), strict=True))
    center, half = (low + high) / 2, (high - low) / 2
    own = np.flatnonzero(center[:, 0] * sign == np.max(center[:, 0] * sign))[0]
    radii = rng.uniform(2.5, 6.0, 3)
    if tissue == "parotid":  # the tail
        place = center[own] + (0, 0, -(half[own, 2] + rng.uniform(1, 5)))
    else:
        place = center[own] + (sign * rng.uniform(0, 4), half[own, 1] + rng.uniform(1, 5), 0)
    return Structure(tissue, Ellipsoid(place, radii), "gland lobule", side), place
