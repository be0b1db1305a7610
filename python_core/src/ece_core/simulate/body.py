"""The outline: skin and the fat under it. Neck, face, head and shoulders are solids that run into one another."""

from __future__ import annotations

import numpy as np

from ece_core.simulate.builder import Builder, Structure
from ece_core.simulate.shapes import SweptEllipse


def build_body(build: Builder) -> None:
    person = build.person
    fat = person.fat_mm
    neck = [
        (-120, 0, 50, 62, 60), (-90, 0, 45, 60 + fat, 68 + fat), (-60, 0, 40, 58 + fat, 65 + fat),
        (-35, 0, 36, 57 + fat, 64 + fat), (-15, 0, 33, 59 + fat, 65 + fat), (10, 0, 31, 63 + fat, 68 + fat),
        (30, 0, 26, 67 + 0.9 * fat, 76 + 0.8 * fat), (55, 0, 20, 69 + 0.7 * fat, 86 + 0.5 * fat),
        (80, 0, 16, 74, 94), (110, 0, 14, 77, 97), (150, 0, 16, 73, 94), (185, 0, 20, 56, 72), (200, 0, 22, 25, 35),
    ]  # fmt: skip
    face = [(-32, 0, -24, 8, 8), (-19, 0, -30, 27 + fat, 23 + fat), (-7, 0, -37, 42 + fat / 2, 42),
            (12, 0, -31, 55 + fat / 2, 55), (35, 0, -17, 62 + fat / 2, 63), (62, 0, -9, 68, 66), (100, 0, -4, 68, 66),
            (125, 0, 0, 62, 66)]  # fmt: skip
    nose = [(38, 0, -76, 8, 6), (46, 0, -79, 15, 15), (60, 0, -74, 11, 12), (80, 0, -64, 10, 12)]
    skins = [
        build.swept("skin", neck, "skin", power=2.0, jitter=0.02, taper=False),
        build.swept("skin", face, "skin", jitter=0.02, shift=0.5, taper=False),
        build.swept("skin", nose, "skin", jitter=0.04, shift=0.5),
        build.swept("skin", _chest(person.shoulder_width, fat), "skin", power=2.4, jitter=0.02, taper=False),
    ]
    for side, sign in (("left", 1), ("right", -1)):
        knots = shoulder(build, sign, 0.0)
        skins.append(build.swept("skin", knots, "skin", side, power=2.4, jitter=0.01, shift=0.5))
    margin = float(build.rng.uniform(1.3, 2.3))
    for skin in skins:
        inner = skin.knots.copy()
        inner[:, 3:5] = np.maximum(inner[:, 3:5] - margin, 0.5)
        build.structures.append(Structure("fat", SweptEllipse(inner, skin.power), "fat"))


def _chest(width: float, fat: float) -> list[tuple]:
    return [
        (-190, 0, 44, 165 * width, 100 + fat), (-150, 0, 44, 150 * width, 97 + fat),
        (-110, 0, 46, 128 * width, 88 + fat), (-88, 0, 48, 105 * width, 77 + fat), (-72, 0, 49, 60, 65 + fat),
        (-60, 0, 52, 20, 30),
    ]  # fmt: skip


def shoulder(build: Builder, sign: int, inset: float) -> list[tuple]:
    """Knots of one shoulder, ``inset`` mm under the skin: it starts behind the neck and widens to the front."""
    person = build.person
    up = person.shoulders_mm[0 if sign > 0 else 1]
    wide = person.shoulder_width
    fat = person.fat_mm * 0.8 - inset
    rows = [(-8, 26, 80, 24, 13), (-24, 38, 77, 39, 23), (-40, 58, 72, 62, 34), (-56, 80, 65, 94, 45),
            (-72, 94, 58, 112, 56), (-97, 98, 50, 117, 69), (-130, 98, 46, 118, 80),
            (-190, 98, 46, 118, 84)]  # fmt: skip
    # Raising a shoulder moves its outer part; what is far below follows less.
    follow = (0.2, 0.4, 0.7, 1.0, 0.9, 0.5, 0.2, 0.0)
    return [
        (z + up * f, sign * x * wide, y, max(a * wide + fat, 4), max(b + fat, 4))
        for (z, x, y, a, b), f in zip(rows, follow, strict=True)
    ]
