"""How many lymph nodes, of which class, how large and where: the published distributions.

Sources beside each number; see the clinical reference in docs/simulator.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.simulate.capsule import Breach, SimulatedLymphNode
from ece_core.simulate.shapes import WaveNoise

Array = np.ndarray


@dataclass(frozen=True)
class Difficulty:
    """Log-normal short axis (median mm, sigma) per class, and how often negatives look suspicious."""

    name: str
    short_axis: dict[str, tuple[float, float]]
    stranding_without_breach: float


# N: 3.9 % at least 10 mm; P 55 %; ENE 87 % (clinical reference 5.1). Size alone then separates P from ENE with an
# AUC of Phi(ln(median ratio) / sqrt(sigma_P^2 + sigma_ENE^2)): 0.85, 0.77 and 0.57.
DIFFICULTIES = {
    "easy": Difficulty("easy", {"N": (6.0, 0.29), "P": (10.6, 0.45), "ENE": (20.8, 0.47)}, 0.08),
    "medium": Difficulty("medium", {"N": (6.0, 0.29), "P": (10.6, 0.45), "ENE": (17.0, 0.47)}, 0.15),
    "hard": Difficulty("hard", {"N": (6.0, 0.29), "P": (13.5, 0.45), "ENE": (15.1, 0.47)}, 0.30),
}

# Share of lymph nodes by level. N: dissected counts per side (lyDATA); metastases: involvement by level in
# oropharyngeal and oral cancer (lyDATA, CLB and Bern), rounded.
LEVEL_PRIOR = {
    "N": {"IA": 0.06, "IB": 0.14, "II": 0.30, "III": 0.17, "IV": 0.14, "V": 0.16, "VI": 0.03},
    "P": {"IA": 0.02, "IB": 0.13, "II": 0.47, "III": 0.20, "IV": 0.08, "V": 0.08, "VI": 0.02},
}
LEVEL_PRIOR["ENE"] = LEVEL_PRIOR["P"]

NEGATIVE_COUNT = (22.0, 6.0)  # 19.5 +- 14.9 visible at 5 mm and more; 29 in cancer, 4.4 of them metastatic
METASTASES_MEAN = 4.4
ECE_POSITIVE_SHARE = 0.5  # 91 of 182 pN+ patients (lyDATA Bern)
NECROSIS_SHARE = {"N": 0.0, "P": 0.35, "ENE": 0.45}
HILUM_SHARE = {"N": 0.35, "P": 0.04, "ENE": 0.0}


def sample_classes(rng: np.random.Generator) -> list[str]:
    """Classes of one patient's lymph nodes; half of the metastatic patients have at least one ENE."""
    negatives = int(np.clip(rng.normal(*NEGATIVE_COUNT), 8, 40))
    metastases = 1 + int(rng.poisson(METASTASES_MEAN - 1))
    classes = ["P"] * metastases
    if rng.random() < ECE_POSITIVE_SHARE:
        share = rng.uniform(0.35, 0.8)
        classes = ["ENE"] + ["ENE" if rng.random() < share else "P" for _ in range(metastases - 1)]
    return classes + ["N"] * negatives


def sample_lymph_node(rng: np.random.Generator, class_name: str, difficulty: Difficulty) -> SimulatedLymphNode:
    """One lymph node at the origin; :mod:`placement` finds its place.

    Attenuation is drawn from one distribution for all classes: mean HU must not tell them apart
    (reactive 111, metastatic 117 HU, p = 0.33; doi:10.1002/jcu.24014).
    """
    median, sigma = difficulty.short_axis[class_name]
    short = float(np.clip(median * np.exp(rng.normal(0, sigma)), 3.0, 40.0))
    radii = _radii(rng, class_name, short)
    necrotic = rng.random() < NECROSIS_SHARE[class_name] and short > 7
    solid = rng.normal(104, 13) + (8 if necrotic else 0)
    breach = _breach(rng) if class_name == "ENE" else None
    inflamed = breach is None and rng.random() < difficulty.stranding_without_breach
    hilum = None
    if rng.random() < HILUM_SHARE[class_name] and short > 4.5:
        direction = rng.normal(size=3)
        hilum = (direction / np.linalg.norm(direction) * radii.min() * 0.55, float(radii.min() * 0.38))
    return SimulatedLymphNode(
        class_name=class_name,
        level="",
        side="",
        center_lps=np.zeros(3),
        radii_mm=radii,
        axes=_axes(rng),
        shape_noise=WaveNoise.sample(rng, 1.2, 3.2, 8),
        lobulation=float(rng.uniform(0.02, 0.07)),
        solid_hu=float(solid),
        strands=WaveNoise.sample(rng, 0.8, 1.9, 12),
        core_hu=float(np.clip(rng.normal(20, 10), 4, 42)),
        rim_mm=float(rng.uniform(1.4, 0.32 * short)) if necrotic else None,
        hilum=hilum,
        stranding=float(rng.uniform(0.35, 1.0)) if (inflamed or (breach and rng.random() < 0.75)) else 0.0,
        blur_mm=float(rng.uniform(0.0, 0.5)),
        breach=breach,
    )


def _radii(rng: np.random.Generator, class_name: str, short: float) -> Array:
    """Semi-axes, smallest first. Normal short/long 0.4 to 0.66 (clinical reference 2.3); metastases are rounder."""
    low, high = (0.45, 0.85) if class_name == "N" else (0.6, 0.95)
    ratio = np.sort(rng.uniform(low, high, 2))[::-1]
    middle = short / max(ratio[0], (0.75 if class_name == "N" else 0.8))
    return np.array([short, middle, max(short / ratio[1], middle)]) / 2


def _axes(rng: np.random.Generator) -> Array:
    """Long axis roughly along the neck; the two others turned freely in the axial plane."""
    turn, tilt, about = rng.uniform(0, np.pi), rng.normal(0, 0.3), rng.uniform(0, 2 * np.pi)
    spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    u = np.array([np.cos(about), np.sin(about), 0])
    cross = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
    lean = np.eye(3) + np.sin(tilt) * cross + (1 - np.cos(tilt)) * cross @ cross
    return lean @ spin


def _breach(rng: np.random.Generator) -> Breach:
    """1 to 5 caps of 15 to 40 degrees; extent log-normal, median 1.6 mm, sigma 0.70, clipped to 0.4 to 10 mm."""
    caps = int(rng.integers(1, 6))
    first = rng.normal(size=3)
    directions = [first / np.linalg.norm(first)]
    for _ in range(caps - 1):
        other = directions[0] + rng.normal(size=3) * 0.9
        directions.append(other / np.linalg.norm(other))
    return Breach(
        directions=np.array(directions),
        half_angles=np.deg2rad(rng.uniform(18, 42, caps)),
        extent_mm=float(np.clip(1.6 * np.exp(rng.normal(0, 0.70)), 0.4, 10.0)),
        ridges=WaveNoise.sample(rng, 6.0, 14.0, 10),
    )
