"""Airway and larynx, tongue, glands, the inside of head and chest."""

from __future__ import annotations

import numpy as np

from ece_core.simulate.builder import Builder, Structure
from ece_core.simulate.shapes import SweptEllipse

LUNG = [(-74, 30, 50, 10, 12), (-84, 37, 49, 22, 22), (-100, 47, 50, 34, 34), (-125, 58, 49, 44, 48),
        (-155, 67, 46, 51, 58), (-195, 70, 44, 56, 66)]  # fmt: skip


def build_chest(build: Builder) -> None:
    """Pleura, lungs, mediastinal fat. Vessels and bones come later."""
    build.swept("mediastinum", [(-190, 0, 30, 42, 60), (-130, 0, 30, 34, 44), (-100, 0, 26, 24, 34),
                                (-80, 0, 22, 20, 26)], "mediastinum")  # fmt: skip
    for sign in (1, -1):
        knots = [(z, sign * x, y, a, b) for z, x, y, a, b in LUNG]
        lung = build.swept("lung", knots, "lung", "left" if sign > 0 else "right", jitter=0.04)
        build.structures.pop()
        wall = lung.knots.copy()
        wall[:, 3:5] += 5.0
        build.add("muscle", SweptEllipse(wall), "intercostal", "left" if sign > 0 else "right")
        build.add("lung", lung, "lung", "left" if sign > 0 else "right")


def build_head(build: Builder) -> None:
    build.swept("tongue", [(-4, 0, -24, 17, 20), (8, 0, -30, 24, 30), (22, 0, -30, 26, 34), (36, 0, -30, 25, 32),
                           (44, 0, -28, 20, 24)], "tongue", power=2.3, jitter=0.03)  # fmt: skip
    build.swept("fat", [(2, 0, -32, 0.9, 20), (30, 0, -32, 0.9, 24)], "lingual septum", jitter=0.02)
    build.chain("fat", [(22, -44, 6), (25, -26, 5), (25, -14, 8)], 2.4, stretch_z=2.0, name="sublingual space")
    build.swept("mucosa", [(42, 0, 0, 12, 6), (50, 0, -8, 15, 10)], "soft palate")
    skull = build.swept("cortical", [(64, 0, 46, 26, 22), (72, 0, 38, 50, 42), (88, 0, 22, 67, 76),
                                     (120, 0, 18, 70, 85), (150, 0, 20, 66, 81), (178, 0, 22, 46, 58),
                                     (190, 0, 22, 20, 26)], "skull", jitter=0.02, taper=False)  # fmt: skip
    inner = skull.knots.copy()
    inner[:, 3:5] = np.maximum(inner[:, 3:5] - float(build.rng.uniform(5, 8)), 1.0)
    inner[:, 0] += np.linspace(7, -6, len(inner))
    build.structures.append(Structure("brain", SweptEllipse(inner), "brain"))
    build.ellipsoid("brain", (0, 46, 66), (13, 14, 16), name="foramen magnum")
    _midface(build)
    for sign in (1, -1):
        build.ellipsoid("cortical", (sign * 40, 22, 72), (22, 11, 9))  # petrous bone
        build.ellipsoid("cortical", (sign * 55, 30, 62), (9, 13, 14))  # mastoid
        for _ in range(6):
            cell = (sign * (54 + build.rng.normal(0, 4)), 30 + build.rng.normal(0, 6), 64 + build.rng.normal(0, 6))
            build.ellipsoid("airway", cell, build.rng.uniform(1.5, 3.2, 3))
        build.chain("airway", [(sign * 48, 14, 68), (sign * 74, 12, 68)], 3.0, mirror=False)


def _midface(build: Builder) -> None:
    """Maxilla with its sinuses, nose with septum and turbinates, orbits, sphenoid."""
    build.swept("trabecular", [(40, 0, -48, 27, 22), (50, 0, -46, 36, 26), (66, 0, -40, 40, 26), (80, 0, -40, 36, 22),
                               (92, 0, -44, 30, 16)], "maxilla", taper=False)  # fmt: skip
    build.swept("airway", [(50, 0, -42, 12, 26), (64, 0, -40, 13, 30), (78, 0, -39, 11, 24), (92, 0, -40, 9, 16)],
                "nasal cavity")  # fmt: skip
    build.swept("cortical", [(48, 0, -44, 0.9, 24), (88, 0, -40, 0.9, 22)], "nasal septum", jitter=0.01)
    for sign in (1, -1):
        build.ellipsoid("cortical", (sign * 27, -38, 64), (14, 17, 17), name="maxillary wall")
        filled = build.rng.random() < 0.12  # a swollen or full sinus is common
        build.ellipsoid("mucosa" if filled else "airway", (sign * 27, -38, 64), (12.5, 15.5, 15.5))
        build.chain("mucosa", [(sign * 7, -58, 57), (sign * 8, -30, 57)], 3.2, stretch_z=1.3, mirror=False)
        build.chain("mucosa", [(sign * 6, -54, 71), (sign * 6, -34, 70)], 2.4, stretch_z=1.3, mirror=False)
        build.ellipsoid("cortical", (sign * 33, -41, 98), (21, 24, 20), name="orbital wall")
        build.ellipsoid("fat", (sign * 33, -43, 98), (19.5, 24, 18.5), name="orbit")
        build.ellipsoid("eye", (sign * 32, -48, 98), (12, 12, 12), jitter=0.03, name="eye")
        build.chain("muscle", [(sign * 29, -38, 98), (sign * 22, -20, 98)], 2.2, mirror=False, name="optic nerve")
        for side in (-10, 10):
            build.chain("muscle", [(sign * 33 + side, -42, 98), (sign * 24, -22, 98)], 1.8, stretch_z=2, mirror=False)
        build.chain("cortical", [(sign * 50, -44, 72), (sign * 63, -28, 73), (sign * 66, -6, 72)], 2.6, mirror=False)
    build.ellipsoid("cortical", (0, -8, 76), (20, 15, 12), name="sphenoid")
    build.ellipsoid("airway", (0, -11, 78), (13, 10, 8), name="sphenoid sinus")
    build.chain("cortical", [(8, -14, 66), (14, -16, 50)], 2.2, stretch_z=1.5, name="pterygoid plate")
    build.chain("cortical", [(0, -56, 45), (0, -20, 45)], 2.0, mirror=False, name="hard palate")
    build.chain("cortical", [(12, -54, 45), (12, -22, 45)], 2.0, name="hard palate")


def build_airway(build: Builder) -> None:
    path = [(-190, 0, 46, 9.5, 8), (-150, 0, 37, 9, 8.5), (-90, 0, 19, 9, 9), (-58, 0, 9, 8.5, 9.5),
            (-40, 0, 5, 8, 9.5), (-26, 0, 0, 4, 11), (-16, 0, -2, 6, 10), (-4, 0, 2, 11, 7), (14, 0, 5, 13, 6),
            (34, 0, 6, 11, 6), (56, 0, 0, 12, 8), (63, 0, -4, 9, 7)]  # fmt: skip
    grow = build.rng.uniform(0.8, 1.2, 2)
    path = [(z, x, y, a * grow[0], b * grow[1]) for z, x, y, a, b in path]
    wall = [(z, x, y, a + (1.8 if z < -45 else 4.5), b + (1.8 if z < -45 else 4.0)) for z, x, y, a, b in path]
    wall_shape = build.swept("mucosa", wall, "pharynx", shift=0.0, jitter=0.01)
    build.swept("mucosa", [(-30, 0, 12, 15, 4.5), (-5, 0, 14, 17, 4), (40, 0, 14, 16, 4), (60, 0, 10, 14, 4)],
                "constrictor", jitter=0.05)  # fmt: skip
    _larynx(build)
    airway = build.swept("airway", path, "airway", shift=0.0, jitter=0.01)
    # The lumen keeps the course of its wall.
    airway.knots[:, 1:3] = wall_shape.knots[:, 1:3]
    for sign in (1, -1):
        build.ellipsoid("airway", (sign * 13, 5, -10), (4.5, 3.5, 9), jitter=0.2, name="piriform sinus")
        build.ellipsoid("airway", (sign * 7, -8, 4), (5, 3.5, 4), jitter=0.25, name="vallecula")
        build.ellipsoid("tonsil", (sign * 17, 2, 27), (5.5, 8, 12), jitter=0.18, name="tonsil")
    build.swept("mucosa", [(-10, 0, -5, 8, 1.6), (0, 0, -4, 10, 1.6), (10, 0, -4, 9, 1.4)], "epiglottis", shift=0.5)
    build.swept("airway", [(-190, 26, 50, 7, 7), (-165, 13, 45, 7, 7), (-152, 6, 40, 6, 6)], "bronchus")
    build.swept("airway", [(-190, -26, 50, 7, 7), (-165, -12, 45, 7, 7), (-152, -6, 40, 6, 6)], "bronchus")
    swallow = float(build.rng.normal(4, 3))
    build.swept("mucosa", [(z, swallow * (z < -60), y, 8, 5) for z, y in
                           ((-190, 62), (-150, 54), (-90, 34), (-60, 23), (-42, 17))], "esophagus")  # fmt: skip
    if build.rng.random() < 0.4:
        build.swept("airway", [(-120, swallow, 43, 2.5, 2), (-80, swallow, 30, 2.2, 1.6)], "esophageal air")


def _larynx(build: Builder) -> None:
    build.swept("muscle", [(-30, 0, -2, 11, 13), (-20, 0, -4, 11, 14), (-10, 0, -6, 10, 12)], "vocal muscle")
    build.pair("fat", [(-20, 8.5, -4, 1.6, 6), (-8, 9, -6, 2.4, 7)], "paraglottic space")
    build.pair("cartilage", [(-32, 13, 1, 1.6, 10, 0.5), (-20, 12, -5, 1.7, 14, 0.6), (-8, 14, -4, 1.5, 13, 0.5)],
               "thyroid cartilage", shift=0.3)  # fmt: skip
    build.pair("cartilage", [(-12, 18, 5, 1.6, 2), (2, 19, 6, 1.4, 1.8)], "superior horn", shift=0.3)
    build.arc("cartilage", [(-42, 0, 5, 11, 12, 1.8, -np.pi, np.pi), (-36, 0, 5, 11, 12, 2.2, -np.pi, np.pi),
                            (-30, 0, 5, 11, 12, 2.4, 0.0, np.pi)], "cricoid", jitter=0.02, shift=0.2)  # fmt: skip
    calcified = build.person.calcified
    for sign in (1, -1):
        for _ in range(build.rng.poisson(5 * calcified)):
            z = float(build.rng.uniform(-32, -8))
            along = float(build.rng.uniform(-10, 9))
            build.ellipsoid("calcification", (sign * (12.5 - 0.5 * along), -5 + along, z), (1.6, 3.5, 3.5), jitter=0.2)
        build.ellipsoid("cartilage", (sign * 5, 8, -26), (2.5, 3, 5), name="arytenoid")


def build_glands(build: Builder) -> None:
    full = 1 + 0.02 * (build.person.fat_mm - 5)
    parotid = [(8, 53, 19, 6, 9, 0.2), (20, 56, 18, 9.5, 15, 0.15), (36, 58, 15, 11, 18, 0.1),
               (50, 60, 10, 9, 16, 0.1), (58, 61, 6, 5, 10, 0.1)]  # fmt: skip
    build.pair("parotid", [(z, x, y, a * full, b * full, t) for z, x, y, a, b, t in parotid], "parotid", jitter=0.1,
               shift=1.5)  # fmt: skip
    build.pair("parotid", [(20, 46, 17, 8, 9), (44, 46, 17, 8, 9)], "parotid", jitter=0.15)
    build.pair("submandibular", [(-16, 29, -4, 6, 9, -0.3), (-7, 32, -6, 10, 15, -0.35), (4, 33, -6, 8.5, 14, -0.35),
                                 (11, 32, -7, 4, 8, -0.3)], "submandibular", jitter=0.1, shift=1.5)  # fmt: skip
    build.chain("submandibular", [(24, -30, 8), (20, -46, 9)], 3.2, stretch_z=1.4, name="sublingual")
    build.pair("thyroid", [(-72, 15, 11, 6, 8, 0.3), (-56, 16, 6, 8.5, 11, 0.3), (-40, 16, 3, 6.5, 9, 0.3),
                           (-26, 16.5, 2, 2.8, 5, 0.2)], "thyroid", jitter=0.14)  # fmt: skip
    build.swept("thyroid", [(-62, 0, -3, 12, 2.6), (-50, 0, -6, 11, 2.6)], "isthmus")
    for sign in (1, -1):
        _lobules(build, sign)
        if build.rng.random() < 0.2:  # thyroid nodules are common
            at = (sign * 16, 6 + build.rng.normal(0, 3), float(build.rng.uniform(-64, -44)))
            build.ellipsoid("muscle", at, build.rng.uniform(2, 5, 3), jitter=0.1, name="thyroid nodule")


def _lobules(build: Builder, sign: int) -> None:
    """Glands are lobulated: bumps outside, clefts of fat inside. A bump alone in a slice looks like a lymph node."""
    rng = build.rng
    for _ in range(int(rng.integers(4, 8))):
        at = (sign * (57 + rng.normal(0, 4)), 14 + rng.normal(0, 11), float(rng.uniform(10, 55)))
        build.ellipsoid("parotid", at, rng.uniform(3, 6, 3), name="lobule")
    for _ in range(int(rng.integers(8, 14))):
        at = (sign * (57 + rng.normal(0, 6)), 15 + rng.normal(0, 10), float(rng.uniform(8, 58)))
        build.ellipsoid("fat", at, rng.uniform(0.6, 2.2, 3) * (1, 1, 2.0), name="cleft")
    for _ in range(int(rng.integers(2, 5))):
        at = (sign * (32 + rng.normal(0, 5)), -6 + rng.normal(0, 9), float(rng.uniform(-14, 8)))
        build.ellipsoid("submandibular", at, rng.uniform(3, 5.5, 3), name="lobule")
