"""Bones, discs, teeth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ece_core.simulate.builder import Builder
from ece_core.simulate.organs import LUNG

VERTEBRAE_Z = (-177, -156, -136, -117, -98, -80, -63, -47, -31.5, -16, -0.5, 15.5, 33, 52)  # up to C2


def spine_y(z: float) -> float:
    """Center of the vertebral bodies: cervical lordosis, then the thoracic spine leans back."""
    return 30 + max(0.0, -z - 25) * 0.44 - max(0.0, -z - 110) * 0.2 + 0.0012 * max(0.0, z) * (z - 60)


def build_spine(build: Builder) -> None:
    worn = np.clip((build.person.age_years - 45) / 40, 0, 1)
    for low, high in pairwise(VERTEBRAE_Z):
        z = (low + high) / 2
        wide, deep = (11.5, 8.5) if z > -40 else (14.5, 11)
        build.swept("disc", [(z - 4, 0, spine_y(z), wide, deep), (z + 4, 0, spine_y(z), wide, deep)], "disc",
                    jitter=0.02, shift=0.3, taper=False)  # fmt: skip
    for n, z in enumerate(VERTEBRAE_Z):
        _vertebra(build, z, thoracic=n < 6, worn=float(worn))
    _atlas(build)
    levels = [*VERTEBRAE_Z, 70]
    cord = [(z, 0, spine_y(z) + (16.5 if z > -40 else 19), 9, 7.5) for z in levels]
    build.swept("mucosa", [(z, x, y, a + 1.2, b + 1.2) for z, x, y, a, b in cord], "ligaments", shift=0.2, jitter=0.02)
    build.swept("fat", [(z, x, y, a, b - 0.5) for z, x, y, a, b in cord], "canal", shift=0.2, jitter=0.02)
    build.swept("brain", [(z, x, y - 0.6, 8, 6.4) for z, x, y, _, _ in cord], "thecal sac", shift=0.2, jitter=0.02)
    build.swept("cord", [(z, x, y - 0.6, 6.3, 4.2) for z, x, y, _, _ in cord], "cord", shift=0.2, jitter=0.02)


def _vertebra(build: Builder, z: float, thoracic: bool, worn: float) -> None:
    y = spine_y(z)
    wide, deep, half = (15, 12, 8.4) if thoracic else (11.5, 8.8, 6.3)
    for shrink, tissue in ((0.0, "cortical"), (1.5, "trabecular")):
        knots = [(z + h, 0, y - 0.12 * h, wide - shrink, deep - shrink) for h in (-half + shrink, half - shrink)]
        build.swept(tissue, knots, "vertebra", power=4.0, jitter=0.015, shift=0.2, taper=False)
    lamina = y + (25 if thoracic else 23)
    side = 15 if thoracic else 19
    build.chain("cortical", [(wide - 2, y + 5, z), (side, y + 11, z - 1), (14, y + 17, z - 2)], 4.4)
    build.chain("trabecular", [(wide - 2, y + 5, z), (side, y + 11, z - 1)], 2.4)
    build.chain("cortical", [(13, y + 17, z - 2), (0, lamina + 3, z - 5)], 2.8)
    reach = (22 if thoracic else 14) * (1.3 if z < -55 else 1.0)
    drop = 14 if thoracic else 7
    build.chain(
        "cortical", [(0, lamina + 3, z - 5), (0, lamina + reach, z - 5 - drop)], 2.6, stretch_z=1.6, mirror=False
    )
    if thoracic:
        build.chain("cortical", [(15, y + 14, z), (30, y + 22, z)], 4.0)
    else:
        build.chain("cortical", [(wide, y + 2, z), (23, y + 5, z - 2)], 2.6)
    if worn > 0 and build.rng.random() < 0.5 * worn:  # spurs
        build.chain("cortical", [(-8, y - deep, z - half), (8, y - deep, z - half)], 1.8, mirror=False)


def _atlas(build: Builder) -> None:
    build.chain("cortical", [(0, 25, 52), (0, 24, 68)], 5.0, mirror=False, name="dens")
    build.arc("cortical", [(58, 0, 40, 25, 23, 3.0, -np.pi, np.pi), (66, 0, 40, 25, 23, 3.0, -np.pi, np.pi)], "atlas")
    build.chain("cortical", [(20, 32, 62), (24, 36, 60)], 8.0, name="lateral mass")
    build.chain("cortical", [(28, 38, 60), (38, 38, 58)], 3.6, name="transverse process")


def build_jaws(build: Builder) -> None:
    arch = [(0, -68, -1), (13, -65, -1), (27, -51, 1), (38, -30, 4), (45, -12, 10)]
    build.chain("cortical", arch, 5.0, stretch_z=2.1, name="mandible")
    build.chain("trabecular", arch, 3.0, stretch_z=2.4, name="mandible marrow")
    ramus = [(2, 45, -12, 4.2, 12), (18, 47, -9, 4.4, 17), (42, 50, -7, 4, 17), (56, 51, -2, 3.4, 14)]
    for shrink, tissue in ((0.0, "cortical"), (2.2, "trabecular")):
        rows = [(z, x, y, a - shrink, b - shrink, -0.12) for z, x, y, a, b in ramus]
        build.pair(tissue, rows, "mandible", shift=0.3, jitter=0.02)
    build.chain("cortical", [(51, 8, 56), (52, 11, 64)], 3.6, name="mandible")
    build.chain("cortical", [(47, 11, 65), (57, 11, 65)], 4.4, name="mandible")
    build.chain("cortical", [(50, -12, 58), (51, -16, 66)], 2.6, name="mandible")
    _teeth(build)
    build.chain("cortical", [(0, -26, 0), (9, -24, 0)], 2.8, stretch_z=1.4, name="hyoid")
    build.chain("cortical", [(9, -24, 0), (16, -14, 2), (20, -2, 5)], 1.7, name="hyoid horn")
    build.chain("cortical", [(38, 14, 60), (34, 6, 44)], 1.3, name="styloid")


def _teeth(build: Builder) -> None:
    """Sockets and teeth; gaps grow with age. Fillings and crowns become metal."""
    rng, person = build.rng, build.person
    missing = np.clip(0.04 + 0.010 * (person.age_years - 40) + rng.normal(0, 0.2), 0, 1)
    crowns = []
    for z_root, z_crown in ((13, 24), (42, 30)):
        build.chain("trabecular", [(0, -66, z_root), (13, -63, z_root), (25, -49, z_root), (34, -28, z_root + 1)], 4.2,
                    stretch_z=1.4)  # fmt: skip
        for share in np.linspace(0.06, 0.94, 8):
            x = float(np.interp(share, [0, 0.33, 0.66, 1], [0, 14, 26, 35]))
            y = float(np.interp(share, [0, 0.33, 0.66, 1], [-67, -63, -48, -26]))
            for sign in (1, -1):
                if rng.random() < missing:
                    continue
                radius = float(np.interp(share, [0, 0.5, 1], [2.3, 2.8, 4.0]))
                root, crown = (sign * x, y, z_root), (sign * x, y, z_crown)
                build.chain("cortical", [root, crown], radius * 0.75, mirror=False, name="root")
                build.ellipsoid("tooth", crown, (radius, radius, 3.4), name="tooth")
                crowns.append((crown, radius))
    for pick in rng.permutation(len(crowns))[: person.metal_teeth]:
        place, radius = crowns[pick]
        size = float(radius * rng.uniform(0.6, 1.1))
        build.ellipsoid("metal", place, (size,) * 3, jitter=0.02, name="metal")
        build.metal.append((build.frame.point(*place), size))


def build_chest_wall(build: Builder) -> None:
    sternum = [(-88, 0, -22, 24, 6), (-108, 0, -30, 27, 6.5), (-132, 0, -38, 17, 5.5), (-190, 0, -48, 18, 5)]
    for shrink, tissue in ((0.0, "cortical"), (2.0, "trabecular")):
        build.swept(tissue, [(z, x, y, a - shrink, b - shrink) for z, x, y, a, b in sternum], "sternum", power=4.0)
    for side, sign in ((0, 1), (1, -1)):
        up = build.person.shoulders_mm[side]
        wide = build.person.shoulder_width
        ends = [(14, -16, -88), (36, -18, -82), (62, -2, -73 + 0.3 * up), (92, 26, -62 + 0.7 * up),
                (124 * wide, 48, -47 + up)]  # fmt: skip
        clavicle = [(sign * x, y, z) for x, y, z in ends]
        build.chain("cortical", clavicle, 6.2, mirror=False, name="clavicle", side="left" if sign > 0 else "right")
        build.chain("trabecular", clavicle, 4.2, mirror=False)
        _shoulder_blade(build, sign, up, wide)
        _ribs(build, sign)


def _shoulder_blade(build: Builder, sign: int, up: float, wide: float) -> None:
    blade = [(-66 + 0.7 * up, 88, 96, 24, 2, -0.45), (-95 + 0.6 * up, 102, 96, 42, 2, -0.5),
             (-140 + 0.3 * up, 100, 104, 34, 2, -0.5), (-190, 92, 112, 20, 2, -0.4)]  # fmt: skip
    rows = [(z, sign * x * wide, y, a, b, sign * t) for z, x, y, a, b, t in blade]
    build.swept("fat", [(z, x, y, a, b + 2.0, t) for z, x, y, a, b, t in rows], "scapular fascia")
    build.swept("cortical", rows, "scapula")
    spine = [(sign * 66 * wide, 112, -84 + 0.7 * up), (sign * 112 * wide, 96, -64 + up),
             (sign * 146 * wide, 68, -52 + up)]  # fmt: skip
    build.chain("cortical", spine, 4.6, mirror=False, name="acromion")
    build.chain("cortical", [(sign * 118 * wide, 40, -74 + up), (sign * 122 * wide, 22, -80 + up)], 5.5, mirror=False)
    build.chain("cortical", [(sign * 124 * wide, 62, -86 + up), (sign * 128 * wide, 60, -96 + up)], 9.0, mirror=False)
    head, shaft = (sign * 150 * wide, 56, -84 + 0.8 * up), (sign * 168 * wide, 54, -190)
    build.chain("cortical", [head, shaft], 13.0, mirror=False, name="humerus")
    build.ellipsoid("cortical", head, (24, 24, 23), jitter=0.03, name="humerus")
    build.ellipsoid("trabecular", head, (21.5, 21.5, 20.5), jitter=0.03)
    build.chain("trabecular", [head, shaft], 8.5, mirror=False)


def _ribs(build: Builder, sign: int) -> None:
    """Each rib starts beside its vertebra, runs round the lung and falls towards the sternum."""
    heights = np.array([row[0] for row in LUNG])[::-1]
    center = {n: np.array([row[n] for row in LUNG])[::-1] for n in (1, 2, 3, 4)}
    first_z, step = -66.0, 17.5
    for n in range(7):
        start = first_z - step * n
        drop = 24 + 9 * min(n, 3)
        turn = np.linspace(0.62 * np.pi, -0.52 * np.pi, 9)  # from the back, over the side, to the front
        points = [(sign * 17, spine_y(start) + 10, start)]
        for share, angle in zip(np.linspace(0.05, 1, 9), turn, strict=True):
            z = start - drop * share**1.1
            x, y, a, b = (float(np.interp(z, heights, center[k])) for k in (1, 2, 3, 4))
            points.append((sign * (x + (a + 3.5) * np.cos(angle)), y + (b + 3.5) * np.sin(angle), z))
        build.chain("rib", points, 3.4, stretch_z=1.5, mirror=False, name="rib", side="left" if sign > 0 else "right")
