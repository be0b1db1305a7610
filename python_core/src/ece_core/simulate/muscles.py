"""Muscles, each in its fascia, so that thin planes of fat part them."""

from __future__ import annotations

from ece_core.simulate.body import shoulder
from ece_core.simulate.builder import Builder


def build_muscles(build: Builder) -> None:
    _shoulders(build)
    _back_of_neck(build)
    _side_of_neck(build)
    _front_of_neck(build)
    _face(build)


def _shoulders(build: Builder) -> None:
    """The bulk of chest and shoulder under its fat; then the fat over the clavicle and in the armpit."""
    fat = build.person.fat_mm
    for side, sign in (("left", 1), ("right", -1)):
        build.swept(
            "muscle", shoulder(build, sign, 1.25 * fat + 4.0), "shoulder", side, power=2.4, jitter=0.01, shift=0.5
        )
    chest = [(-190, 0, 44, 150, 84), (-150, 0, 45, 138, 82), (-110, 0, 47, 112, 72), (-90, 0, 50, 80, 58),
             (-80, 0, 52, 46, 44)]  # fmt: skip
    build.swept("muscle", chest, "chest wall", power=2.4, jitter=0.02)
    grow = 1 + 0.03 * (fat - 5)
    for sign in (1, -1):
        build.ellipsoid("fat", (sign * 62, 34, -64), (29 * grow, 27 * grow, 22), jitter=0.1)
        build.ellipsoid("fat", (sign * 52, 40, -48), (20 * grow, 22 * grow, 24), jitter=0.1)
        build.ellipsoid("fat", (sign * 112, 30, -120), (17 * grow, 26 * grow, 34), jitter=0.12)
        build.chain("fat", [(sign * 70, 88, -60), (sign * 120, 84, -70)], 2.2 * grow, mirror=False)
    build.muscle([(-75, 62, -16, 20, 6, 0.15), (-95, 66, -28, 48, 8, 0.3), (-120, 70, -34, 62, 9, 0.3),
                  (-190, 76, -40, 66, 10, 0.25)], "pectoral", jitter=0.06)  # fmt: skip
    build.muscle(
        [(-95, 92, -2, 20, 6, 0.5), (-130, 88, -12, 26, 6, 0.5), (-170, 80, -20, 22, 5, 0.4)], "pectoralis minor"
    )
    build.muscle([(-60, 110, 84, 34, 10, -0.35), (-85, 118, 90, 38, 12, -0.4), (-110, 110, 94, 36, 10, -0.4)],
                 "supraspinatus")  # fmt: skip
    build.muscle([(-60, 34, 100, 11, 7, -0.3), (-90, 40, 114, 20, 6, -0.2), (-150, 46, 128, 26, 6, -0.2)], "rhomboid")


def _back_of_neck(build: Builder) -> None:
    build.muscle([(-150, 22, 112, 17, 14), (-110, 20, 92, 17, 15), (-60, 18, 74, 16, 16), (-20, 15, 63, 14, 15),
                  (20, 15, 60, 15, 13.5), (54, 15, 60, 16, 11)], "multifidus", power=2.4)  # fmt: skip
    build.muscle([(-150, 32, 114, 10, 12), (-90, 33, 84, 9, 12), (-50, 28, 58, 8, 11), (-10, 28, 52, 7, 10),
                  (40, 29, 46, 7, 9)], "longissimus")  # fmt: skip
    build.muscle([(-110, 20, 110, 18, 7), (-60, 19, 91, 18, 9), (-20, 16, 81, 16.5, 9), (20, 17, 78, 17, 10.5),
                  (55, 18, 79, 19, 10)], "semispinalis", power=2.2)  # fmt: skip
    build.muscle([(-90, 24, 106, 15, 4, -0.25), (-60, 26, 97, 18, 5, -0.35), (-20, 31, 80, 19, 5.5, -0.65),
                  (20, 38, 71, 20, 6.5, -0.8), (48, 46, 58, 17, 6.5, -0.95), (62, 48, 48, 9, 4, -1.1)],
                 "splenius")  # fmt: skip
    build.muscle([(-130, 24, 122, 24, 5, -0.1), (-95, 52, 108, 48, 6.5, -0.15), (-60, 60, 96, 54, 9, -0.25),
                  (-38, 50, 92, 48, 8, -0.38), (-20, 36, 91, 34, 5.5, -0.5), (5, 27, 92, 27, 5, -0.5),
                  (35, 18, 94, 17, 4, -0.35), (62, 13, 96, 10, 2.8, -0.2)], "trapezius", taper=False)  # fmt: skip
    build.muscle([(46, 20, 55, 16, 6, -0.3), (58, 20, 56, 16, 8, -0.3)], "suboccipital")


def _side_of_neck(build: Builder) -> None:
    build.muscle([(-80, 62, 82, 9, 14, 0.5), (-50, 52, 70, 9, 14, 0.4), (-20, 43, 60, 8, 14, 0.2), (20, 39, 51, 8, 13),
                  (48, 35, 44, 6, 9)], "levator scapulae")  # fmt: skip
    build.muscle([(-92, 46, 34, 10, 8), (-70, 40, 32, 11, 8, 0.2), (-40, 31, 32, 9, 7, 0.3), (-10, 24, 31, 7, 6),
                  (15, 21, 29, 5, 5)], "scalene")  # fmt: skip
    build.muscle([(-92, 54, 52, 12, 10), (-60, 44, 49, 11, 9, 0.3), (-30, 34, 45, 9, 8), (0, 27, 41, 7, 6)],
                 "scalene")  # fmt: skip
    build.muscle([(-90, 8, 44, 8, 5), (-60, 9, 34, 8, 5), (-10, 9, 17.5, 9, 4.5), (40, 9, 17, 9, 4.5),
                  (62, 9, 14, 9, 5)], "prevertebral")  # fmt: skip
    build.muscle([(-84, 13, -14, 8, 4.5, 0.3), (-62, 23, -7, 12, 6, 0.45), (-45, 31, 0, 15, 6.5, 0.6),
                  (-30, 38, 6, 17, 7, 0.75), (-12, 44, 13, 17, 7.5, 0.95), (5, 49, 18, 17, 8.5, 1.1),
                  (25, 55, 26, 15, 8, 1.2), (45, 57, 32, 11, 5.5, 1.3), (56, 58, 35, 8, 5, 1.3)],
                 "sternocleidomastoid", jitter=0.06)  # fmt: skip
    build.muscle([(-80, 34, -10, 12, 3, 0.15), (-62, 33, -1, 11, 3, 0.4), (-45, 36, 8, 8, 3, 0.6)],
                 "sternocleidomastoid clavicular", gap=False)  # fmt: skip


def _front_of_neck(build: Builder) -> None:
    build.muscle([(-84, 9, -14, 8, 2.4), (-60, 9, -12, 10, 2.8), (-34, 10, -17, 10, 2.8, 0.35),
                  (-8, 9, -24, 8, 2.6, 0.3)], "strap", gap=False)  # fmt: skip
    build.muscle([(-84, 12, -6, 9, 2.4, 0.3), (-55, 17, -4, 11, 2.4, 0.6), (-28, 18, -11, 9, 2.2, 0.9)],
                 "sternothyroid", gap=False)  # fmt: skip
    build.muscle([(-24, 15, -4, 3, 11, -0.5), (-4, 15, -8, 3.5, 12, -0.5)], "thyrohyoid", gap=False)
    # Mylohyoid: the floor of the mouth hangs between the halves of the jaw.
    build.muscle(
        [(-6, 10, -40, 12, 14), (6, 24, -30, 4.5, 22, -0.5), (16, 29, -26, 3, 22, -0.5)], "mylohyoid", gap=False
    )
    radius = 3.6 * build.person.muscle
    digastric = [(8, -54, -5), (12, -40, -7), (17, -26, -6)], [(17, -25, -6), (26, -8, 4), (37, 8, 20), (48, 26, 42)]
    for belly in digastric:
        build.chain("muscle", belly, radius, name="digastric")
    build.chain("muscle", [(17, -22, -5), (30, -2, 12), (38, 8, 34)], radius * 0.5, name="stylohyoid")
    build.chain("muscle", [(12, -23, -5), (20, -10, -28), (34, 8, -52), (52, 30, -62), (76, 56, -66)], radius * 0.7,
                stretch_z=1.4, name="omohyoid")  # fmt: skip
    build.arc("muscle", [(-60, 0, 40, 50, 52, 0.8, -2.6, -0.5), (-20, 0, 35, 52, 60, 0.8, -2.8, -0.35),
                         (8, 0, 28, 54, 70, 0.8, -2.8, -0.35)], "platysma")  # fmt: skip


def _face(build: Builder) -> None:
    build.muscle([(10, 51, -18, 6, 14, -0.3), (25, 55, -19, 8, 18, -0.25), (42, 57, -20, 8, 17, -0.2),
                  (58, 59, -22, 5, 12, -0.2)], "masseter")  # fmt: skip
    build.muscle([(12, 40, -6, 6, 13, -0.35), (30, 37, -8, 9, 15, -0.3), (50, 33, -10, 8, 13, -0.2)],
                 "medial pterygoid")  # fmt: skip
    build.muscle([(48, 38, -10, 9, 12, 0.7), (62, 40, -14, 10, 15, 0.7)], "lateral pterygoid")
    build.muscle([(56, 56, -30, 5, 15, -0.1), (75, 62, -28, 5, 20, -0.1), (100, 66, -16, 3.5, 30)], "temporalis")
    build.muscle([(14, 44, -44, 2.5, 12, -0.5), (40, 44, -46, 2.5, 13, -0.5)], "buccinator", gap=False)
    lips = [(12, 0, -70, 24, 5), (30, 0, -73, 25, 4)]
    build.swept("muscle", lips, "lips", jitter=0.03)
