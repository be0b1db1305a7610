"""Who is in the scanner: sex, age, build, posture, teeth. Everything about a neck that is not a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Person:
    """Traits of one patient.

    Attributes
    ----------
    sex
        ``"F"`` or ``"M"``. Three of four patients with head and neck cancer are men.
    age_years
        35 to 90.
    fat_mm
        Fat under the skin of the neck, 1.2 to 20 mm.
    muscle
        Bulk of the muscles; 1 is an average man of 50. Women have less, and it shrinks with age.
    gap_mm
        Half the width of the fat planes between muscles: wider where muscle has shrunk or fat is plenty.
    shoulders_mm
        (left, right): how much higher than average the shoulder is. Low: arms pulled down; the sides differ.
    shoulder_width
        Relative to the average.
    calcified
        0 to 1: calcified carotid bifurcation and ossified laryngeal cartilage.
    metal_teeth
        Fillings and crowns.
    phase
        Standard normal: contrast from arterial (below 0) to venous (above 0).
    """

    sex: str
    age_years: float
    fat_mm: float
    muscle: float
    gap_mm: float
    shoulders_mm: tuple[float, float]
    shoulder_width: float
    calcified: float
    metal_teeth: int
    phase: float

    @property
    def fat_share(self) -> float:
        """About standard normal: how much fatter than average."""
        return float(np.clip((np.log(self.fat_mm) - np.log(5.0)) / 0.55, -2.5, 2.5))

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Person:
        """One patient out of a head and neck clinic."""
        sex = "M" if rng.random() < 0.74 else "F"
        age = float(np.clip(rng.normal(60, 12), 35, 90))
        fat = float(np.clip(4.6 * np.exp(rng.normal(0, 0.65)), 1.2, 20.0))
        muscle = (1.03 if sex == "M" else 0.92) - 0.004 * (age - 55) + rng.normal(0, 0.06)
        height = rng.normal(0, 14)  # arms beside the body or pulled down for the scan
        lean = rng.normal(0, 6)
        return cls(
            sex=sex,
            age_years=age,
            fat_mm=fat,
            muscle=float(np.clip(muscle, 0.78, 1.15)),
            gap_mm=float(np.clip(0.45 + 0.05 * fat + 0.012 * (age - 50) + rng.normal(0, 0.2), 0.25, 2.2)),
            shoulders_mm=(float(height + lean), float(height - lean)),
            shoulder_width=float(np.clip((1.02 if sex == "M" else 0.92) + rng.normal(0, 0.05), 0.8, 1.2)),
            calcified=float(np.clip((age - 45) / 40 + rng.normal(0, 0.25), 0, 1)),
            metal_teeth=int(rng.integers(1, 7)) if rng.random() < 0.45 else 0,
            phase=float(rng.normal()),
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """Size and posture: maps the standard neck to this patient's. Radii scale with :attr:`size`."""

    size: Array
    flexion: Array
    bend: Array
    turn: float

    @classmethod
    def sample(cls, rng: np.random.Generator, sex: str = "M") -> Frame:
        """A frame for a man or a woman: size, bent neck, turned head (about 4 degrees)."""
        mean = np.array([1.02, 1.04, 1.03] if sex == "M" else [0.93, 0.93, 0.94])
        overall = rng.normal(1.0, 0.04)
        return cls(
            size=np.clip(mean * overall * rng.normal(1.0, 0.035, 3), 0.82, 1.22),
            flexion=np.array([rng.normal(0.07, 0.08), rng.normal(0, 0.0005)]),
            bend=np.array([rng.normal(0, 0.03), rng.normal(0, 0.0002)]),
            turn=float(np.clip(rng.normal(0, 0.07), -0.2, 0.2)),
        )

    def angle(self, z: float) -> float:
        """How far the neck is turned at height z of the standard neck, rad: none at the chest, all at the head."""
        share = float(np.clip((z + 70) / 95, 0, 1))
        return self.turn * share * share * (3 - 2 * share)

    def point(self, x: float, y: float, z: float) -> Array:
        """A point of the standard neck, in this patient (LPS mm)."""
        angle = self.angle(z)
        x, y, z = np.array([x, y, z]) * self.size
        turned_x = x * np.cos(angle) - (y - 30) * np.sin(angle)
        turned_y = x * np.sin(angle) + (y - 30) * np.cos(angle) + 30
        bent = np.clip(z, -110, 90)  # chest and head do not bend
        slope = np.array([1.0, 2 * bent]) * (z - bent)
        lean = np.array([bent, bent * bent]) + slope
        return np.array([turned_x + self.bend @ lean, turned_y + self.flexion @ lean, z])
