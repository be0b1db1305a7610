"""Arteries, veins, their branches in the fat, and nerves: tubes that look like small lymph nodes in one slice."""

from __future__ import annotations

import numpy as np

from ece_core.simulate.builder import Builder

CAROTID = [(-40, 21, 14, 3.7, 3.7), (0, 23, 16, 3.9, 4.3)]
INTERNAL = [(0, 24, 17, 3.6, 3.6), (16, 27, 18, 2.8, 2.8), (42, 26, 15, 2.7, 2.7), (70, 25, 14, 2.6, 2.6)]
EXTERNAL = [(0, 22, 12, 2.6, 2.6), (14, 25, 8, 2.3, 2.3), (35, 38, 9, 2.0, 2.0), (60, 46, 8, 1.6, 1.6)]
JUGULAR = [(-84, 26, 9, 8, 6.5), (-66, 30, 11, 8, 6.5), (-40, 31, 16, 7, 5.6), (-5, 33, 20, 6.5, 5.4),
           (25, 34, 23, 5.5, 4.8), (62, 31, 21, 4.6, 4.2)]  # fmt: skip


def build_vessels(build: Builder) -> None:
    rng = build.rng
    _aortic_arch(build)
    dominant = float(np.exp(rng.normal(0, 0.22)))  # one jugular usually dominates, the right more often
    for side, sign, size in (("left", 1, 0.95 / dominant**0.5), ("right", -1, 1.05 * dominant**0.5)):
        size *= rng.uniform(0.9, 1.1)
        low = ([(-112, 12, 18, 4, 4), (-88, 18, 15, 4, 4), (-62, 22, 14, 3.8, 3.8)] if sign > 0
               else [(-86, 12, 12, 4.2, 4.2), (-62, 21, 14, 3.8, 3.8)])  # fmt: skip
        kink = rng.normal(0, 1.2)
        for name, path in (("common carotid", low + CAROTID), ("internal carotid", INTERNAL),
                           ("external carotid", EXTERNAL)):  # fmt: skip
            knots = [(z, sign * (x - (2.0 if z > 0 else 0) * abs(kink) / 2), y + kink * (z > 0), a, b)
                     for z, x, y, a, b in path]  # fmt: skip
            build.swept("carotid", knots, name, side, shift=0.7)
        veins = [(z, sign * x, y, a * size, b * size) for z, x, y, a, b in JUGULAR]
        build.swept("jugular", veins, "jugular", side, jitter=0.08, shift=1.2)
        _calcified_bifurcation(build, sign)
        build.chain("carotid", [(sign * 16, 28, -98), (sign * 34, 36, -82), (sign * 62, 36, -78),
                                (sign * 110, 40, -92)], 4.2, mirror=False, name="subclavian artery")  # fmt: skip
        build.chain("jugular", [(sign * 24, 4, -92), (sign * 58, 12, -86), (sign * 110, 28, -96)], 5.6, mirror=False,
                    name="subclavian vein")  # fmt: skip
        build.chain("vessel", [(sign * 24, 34, -86), (sign * 19, 38, -44), (sign * 19, 33, -20), (sign * 19, 33, 30),
                               (sign * 24, 34, 58)], 1.8, mirror=False, name="vertebral artery")  # fmt: skip


def _aortic_arch(build: Builder) -> None:
    build.chain("carotid", [(-12, -2, -190), (-10, -2, -140), (-2, 6, -124), (8, 26, -120), (16, 46, -128),
                            (18, 56, -190)], 12.0, mirror=False, name="aortic arch")  # fmt: skip
    build.chain("carotid", [(-2, 6, -116), (-8, 8, -100), (-13, 11, -86)], 6.0, mirror=False, name="brachiocephalic")
    build.chain("carotid", [(15, 38, -120), (18, 34, -100)], 4.4, mirror=False, name="subclavian artery")
    build.chain("jugular", [(-22, 6, -190), (-21, 4, -118), (-24, 5, -92)], 8.0, mirror=False, name="vena cava")
    build.chain(
        "jugular", [(24, 5, -92), (8, -8, -104), (-18, 0, -114)], 6.2, mirror=False, name="brachiocephalic vein"
    )
    build.chain("carotid", [(6, 0, -190), (8, 4, -160)], 14.0, mirror=False, name="pulmonary trunk")


def _calcified_bifurcation(build: Builder, sign: int) -> None:
    for _ in range(build.rng.poisson(2.5 * build.person.calcified**1.5)):
        turn = build.rng.uniform(0, 2 * np.pi)
        at = (sign * (24 + 3.4 * np.cos(turn)), 15 + 3.6 * np.sin(turn), float(build.rng.uniform(-14, 8)))
        build.ellipsoid("calcification", at, build.rng.uniform(0.7, 1.8, 3), name="plaque")


BRANCHES = {
    "external jugular": (1.9, [(34, 30, -78), (44, 27, -52), (53, 19, -22), (58, 14, 8), (57, 9, 34)]),
    "anterior jugular": (1.4, [(26, -4, -76), (12, -16, -62), (9, -24, -36), (10, -32, -12)]),
    "facial vein": (1.8, [(34, 14, -6), (41, -6, 2), (47, -26, 8), (46, -38, 16), (38, -54, 34)]),
    "facial artery": (1.3, [(25, 6, 6), (29, -8, 10), (33, -24, 4), (44, -33, 6), (42, -44, 22)]),
    "retromandibular vein": (1.9, [(40, 8, -2), (49, 10, 16), (53, 8, 36), (55, 6, 58)]),
    "lingual artery": (1.2, [(25, 10, 10), (20, -2, 8), (16, -24, 6)]),
    "superior thyroid artery": (1.1, [(22, 10, -6), (18, 2, -14), (17, 0, -34)]),
    "superior thyroid vein": (1.3, [(30, 12, -16), (23, 4, -20), (18, 0, -36)]),
    "middle thyroid vein": (1.2, [(29, 11, -52), (22, 8, -52)]),
    "inferior thyroid artery": (1.2, [(30, 32, -84), (28, 26, -60), (19, 16, -50)]),
    "transverse cervical artery": (1.4, [(30, 30, -78), (42, 36, -66), (58, 48, -58), (68, 70, -52)]),
    "transverse cervical vein": (1.6, [(36, 20, -80), (50, 32, -70), (66, 50, -62)]),
    "suprascapular": (1.4, [(32, 26, -82), (60, 24, -76), (96, 48, -68)]),
    "ascending cervical": (1.0, [(27, 28, -70), (26, 28, -30), (24, 26, 10)]),
    "occipital artery": (1.2, [(28, 14, 14), (38, 26, 38), (48, 46, 52), (38, 80, 66)]),
    "posterior auricular": (1.1, [(48, 12, 34), (58, 26, 50), (60, 36, 66)]),
    "deep cervical": (1.4, [(24, 58, -70), (26, 68, -20), (24, 68, 30)]),
    "maxillary artery": (1.3, [(48, 8, 50), (42, -4, 54), (32, -14, 56)]),
    "inferior thyroid vein": (1.3, [(6, 0, -62), (6, -4, -80), (4, -6, -98)]),
}


def build_branches(build: Builder) -> None:
    """Named branches, each with its own course, and a few nameless ones; 1.5 to 5 mm across."""
    rng = build.rng
    for sign in (1, -1):
        for name, (radius, points) in BRANCHES.items():
            if rng.random() < 0.12:
                continue  # variants are the rule
            moved = np.array(points) * (sign, 1, 1) + rng.normal(0, 2.0, (len(points), 3)) + rng.normal(0, 1.5, 3)
            size = float(radius * np.exp(rng.normal(0, 0.25)))
            build.chain("vessel", _smooth(moved), size, mirror=False, name=name, side="left" if sign > 0 else "right")
        _nameless(build, sign)


def _nameless(build: Builder, sign: int) -> None:
    rng = build.rng
    for _ in range(int(rng.integers(10, 18))):
        start = np.array([sign * rng.uniform(20, 58), rng.uniform(-15, 60), rng.uniform(-78, 45)])
        step = rng.normal(size=3) * [10, 10, 12]
        points = [start]
        for _ in range(int(rng.integers(2, 5))):
            step = 0.6 * step + rng.normal(size=3) * [6, 6, 7]
            points.append(points[-1] + step)
        build.chain("vessel", [tuple(p) for p in points], float(rng.uniform(0.5, 1.4)), mirror=False, name="branch")


def _smooth(points) -> list[tuple]:
    """A point between each two, off the straight line, so that a vessel does not look like a rod."""
    course = [tuple(points[0])]
    for before, after, onward in zip(points[:-1], points[1:], [*points[2:], points[-1]], strict=True):
        course += [tuple(0.5 * (before + after) - 0.08 * (onward - 2 * after + before)), tuple(after)]
    return course


def build_nerves(build: Builder) -> None:
    """Brachial plexus between the scalenes, vagus in the carotid sheath, accessory nerve: darker than vessels."""
    for n, root in enumerate((-10, -25, -40, -55, -70)):
        spread = 4.0 * n
        build.chain("nerve", [(20, 38, root), (34, 39, root - 10), (52, 42 - spread / 4, -66 - spread / 3),
                              (96, 44, -86)], 1.5 + 0.15 * n, name="brachial plexus")  # fmt: skip
    build.chain("nerve", [(28, 20, 40), (28, 20, 0), (27, 17, -40), (25, 14, -80)], 1.2, name="vagus")
    build.chain("nerve", [(36, 24, 34), (46, 38, 0), (54, 56, -36), (60, 78, -56)], 0.9, name="accessory nerve")
    build.chain("nerve", [(21, 26, 30), (20, 24, 0), (20, 24, -40)], 1.5, name="sympathetic trunk")
