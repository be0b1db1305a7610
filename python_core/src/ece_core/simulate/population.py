"""How many lymph nodes, of which class, how large and where: the published distributions.

Sources beside each number; see the clinical reference in docs/simulator.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.simulate.capsule import Breach, SimulatedLymphNode, Tongue
from ece_core.simulate.shapes import WaveNoise

Array = np.ndarray


@dataclass(frozen=True)
class Difficulty:
    """What makes a cohort easy or hard.

    Attributes
    ----------
    short_axis
        Log-normal short axis (median mm, sigma) per class.
    stranding_without_breach
        Share of N and P with strands of inflammation, 10 to 30 % (clinical reference 5.5).
    noise_hu, slice_mm
        Ranges of noise SD at mid-neck and of slice thickness, for the scanner (clinical reference 5.3).
    """

    name: str
    short_axis: dict[str, tuple[float, float]]
    stranding_without_breach: float
    noise_hu: tuple[float, float] = (5.0, 10.0)
    slice_mm: tuple[float, float] = (0.6, 2.5)


# N: 3.9 % at least 10 mm; P 55 %; ENE 87 % (clinical reference 5.1). Size alone then separates P from ENE with an
# AUC of Phi(ln(median ratio) / sqrt(sigma_P^2 + sigma_ENE^2)): 0.85, 0.77 and 0.57.
DIFFICULTIES = {
    "easy": Difficulty(
        "easy", {"N": (6.0, 0.29), "P": (10.6, 0.45), "ENE": (20.8, 0.47)}, 0.10, (4.5, 7.0), (0.6, 1.5)
    ),
    "medium": Difficulty("medium", {"N": (6.0, 0.29), "P": (10.6, 0.45), "ENE": (17.0, 0.47)}, 0.15),
    "hard": Difficulty(
        "hard", {"N": (6.0, 0.29), "P": (13.5, 0.45), "ENE": (15.1, 0.47)}, 0.30, (7.0, 12.0), (1.0, 3.0)
    ),
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
NECROSIS_SHARE = {"N": 0.0, "P": 0.35, "ENE": 0.45}  # of those above 7 mm [own choice]; it must not give ENE away
CYSTIC_SHARE = 0.2  # of necrotic lymph nodes: thin smooth wall, homogeneous content (Chin 2022) [share: own choice]
HILUM_SHARE = {"N": 0.35, "P": 0.04, "ENE": 0.0}  # at 60 years [own choice]
HILUM_PER_YEAR = 0.006  # fatty hilum is commoner with age (clinical reference 5.1) [slope: own choice]
HILUM_LIKE_NECROSIS = 0.15  # of fatty hila: small or partly fat, 0 to 30 HU, in the middle [own choice]
BIOPSY_SHARE = {"N": 0.01, "P": 0.04, "ENE": 0.0}  # needle track, blood and strands on its side [own choice]
SOFT_MARGIN_SHARE = 0.2  # of N and P without strands: one side indistinct without a breach [own choice]
EXTENT_SIZE_RHO = 0.2  # Ghadjar 2010: 0.21, doi:10.1016/j.ijrobp.2009.03.065

STRANDED, BIOPSIED, LIKE_NECROSIS, THIN_PLANE, MATTED = (
    "stranding without breach", "post-biopsy change", "hilum like necrosis", "thin fat plane", "matted without breach",
)  # fmt: skip


def sample_classes(rng: np.random.Generator) -> list[str]:
    """Classes of one patient's lymph nodes; half of the metastatic patients have at least one ENE."""
    negatives = int(np.clip(rng.normal(*NEGATIVE_COUNT), 8, 40))
    metastases = 1 + int(rng.poisson(METASTASES_MEAN - 1))
    classes = ["P"] * metastases
    if rng.random() < ECE_POSITIVE_SHARE:
        share = rng.uniform(0.35, 0.8)
        classes = ["ENE"] + ["ENE" if rng.random() < share else "P" for _ in range(metastases - 1)]
    return classes + ["N"] * negatives


def sample_lymph_node(
    rng: np.random.Generator, class_name: str, difficulty: Difficulty, age_years: float = 60.0
) -> SimulatedLymphNode:
    """One lymph node at the origin; :mod:`placement` finds its place.

    Attenuation is drawn from one distribution for all classes: mean HU must not tell them apart
    (reactive 111, metastatic 117 HU, p = 0.33; doi:10.1002/jcu.24014).
    """
    median, sigma = difficulty.short_axis[class_name]
    size_z = rng.normal()
    short = float(np.clip(median * np.exp(sigma * size_z), 3.0, 40.0))
    radii = _radii(rng, class_name, short)
    core = _core(rng, class_name, short)
    node = SimulatedLymphNode(
        class_name=class_name,
        level="",
        side="",
        center_lps=np.zeros(3),
        radii_mm=radii,
        axes=_axes(rng),
        shape_noise=WaveNoise.sample(rng, 1.2, 3.2, 8),
        lobulation=float(rng.uniform(0.02, 0.07)),
        solid_hu=float(rng.normal(104, 13) + (8 if core else 0)),
        strands=sample_strands(rng),
        blur_mm=float(rng.uniform(0.0, 0.5)),
        breach=sample_breach(rng, float(radii.mean()), size_z) if class_name == "ENE" else None,
        **core,
    )
    node = _with_hilum(rng, node, age_years)
    return node if node.breach else _look_alike(rng, node, difficulty)


def _core(rng: np.random.Generator, class_name: str, short: float) -> dict:
    """Necrosis (ragged, 20 +- 10 HU) or a cyst (thin smooth wall); nothing for the rest."""
    if short <= 7 or rng.random() >= NECROSIS_SHARE[class_name]:
        return {}
    if rng.random() < CYSTIC_SHARE:
        return {"rim_mm": float(rng.uniform(1.0, 1.8)), "core_hu": float(rng.uniform(8, 25)), "core_roughness": 0.05}
    return {"rim_mm": float(rng.uniform(1.4, 0.32 * short)), "core_hu": float(np.clip(rng.normal(20, 10), 4, 42))}


def _with_hilum(rng: np.random.Generator, node: SimulatedLymphNode, age_years: float) -> SimulatedLymphNode:
    """Some lymph nodes have a fatty hilum; a few of these could be taken for necrosis."""
    share = HILUM_SHARE[node.class_name]
    if share:
        share = float(np.clip(share + HILUM_PER_YEAR * (age_years - 60), 0.02, 0.8))
    if rng.random() >= share or node.short_axis_mm <= 4.5 or node.rim_mm is not None:
        return node
    smallest = float(node.radii_mm.min())
    if rng.random() < HILUM_LIKE_NECROSIS:
        middle = _direction(rng) * smallest * 0.15
        return replace(node, hilum=(middle, smallest * 0.5), hilum_hu=float(rng.uniform(0, 30)),
                       hard_negative=LIKE_NECROSIS)  # fmt: skip
    return replace(node, hilum=(_direction(rng) * smallest * 0.55, smallest * 0.38))


def _look_alike(rng: np.random.Generator, node: SimulatedLymphNode, difficulty: Difficulty) -> SimulatedLymphNode:
    """Strands of inflammation or of a biopsy around a lymph node whose capsule is whole."""
    if rng.random() < BIOPSY_SHARE[node.class_name]:
        needle = _direction(rng) * (1, 1, 0.3)
        needle /= np.linalg.norm(needle)
        return replace(
            node, needle=needle, inflamed_side=needle, inflammation=float(rng.uniform(0.4, 0.8)),
            inflamed_blur_mm=float(rng.uniform(0.2, 1.5)), hard_negative=BIOPSIED,
        )  # fmt: skip
    if rng.random() < difficulty.stranding_without_breach:
        side = _direction(rng) if rng.random() < 0.5 else None
        return replace(
            node, inflamed_side=side, inflammation=float(rng.uniform(0.4, 1.0)), hard_negative=STRANDED,
            inflamed_blur_mm=float(rng.uniform(0.0, 1.5)),
        )  # fmt: skip
    if rng.random() < SOFT_MARGIN_SHARE:
        return replace(node, inflamed_side=_direction(rng), inflamed_blur_mm=float(rng.uniform(0.5, 1.5)))
    return node


def _direction(rng: np.random.Generator) -> Array:
    """Any direction, all alike."""
    vector = rng.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))


def _radii(rng: np.random.Generator, class_name: str, short: float) -> Array:
    """Semi-axes, smallest first. Normal short/long 0.4 to 0.66 (clinical reference 2.3); metastases are rounder.

    Above 20 mm all are round [own choice]: a neck has no room for a lymph node of 40 by 60 mm.
    """
    low, high = (0.45, 0.85) if class_name == "N" else (0.6, 0.95)
    low = max(low, min(0.85, 0.6 + (short - 15) * 0.02))
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


def sample_strands(rng: np.random.Generator) -> WaveNoise:
    """Where strands run: wave lengths of 3 to 8 mm, so neighbors are 2 to 4 mm apart [own choice]."""
    return WaveNoise.sample(rng, 0.8, 2.0, 10)


def sample_breach(rng: np.random.Generator, radius_mm: float, size_z: float = 0.0) -> Breach:
    """A breach of a lymph node of this mean radius.

    Extent log-normal, median 1.6 mm, sigma 0.70, clipped to 0.4 to 10 mm (Apisarnthanarax 2006); its rank
    correlates with that of the size, ``size_z`` standard deviations from the mean, with rho 0.2 (Ghadjar 2010).
    """
    normal_rho = 2 * np.sin(np.pi / 6 * EXTENT_SIZE_RHO)  # Pearson of the normals whose Spearman is rho
    z = normal_rho * size_z + np.sqrt(1 - normal_rho**2) * rng.normal()
    extent = float(np.clip(1.6 * np.exp(0.70 * z), 0.4, 10.0))
    sites = int(rng.integers(1, 6))
    directions = _near_one_another(rng, sites)
    half_angles = np.deg2rad(rng.uniform(12, 30, sites)) + 1.2 / (radius_mm + 1)
    reach = np.array([1.0, *rng.uniform(0.4, 1.0, sites - 1)])
    # A broad cap stays lower than its width; what grows further are tongues.
    caps = np.minimum(reach * rng.uniform(0.5, 1.0, sites), 0.5 * half_angles * radius_mm / extent)
    tongues = tuple(
        _tongue(rng, directions[n], half_angles[n], float(reach[n]) if first else float(reach[n] * rng.uniform(0.4, 1)))
        for n in range(sites)
        for first in [True] + [False] * int(rng.integers(0, 3))
    )
    return Breach(
        directions=directions,
        half_angles=half_angles,
        extent_mm=extent,
        ridges=WaveNoise.sample(rng, 2 * np.pi * radius_mm / 5.0, 2 * np.pi * radius_mm / 2.5, 8),
        caps=caps,
        tongues=tongues,
        stranding=float(rng.uniform(0.45, 1.0)) if rng.random() < sign_share(extent) else 0.0,
        strands=sample_strands(rng),
        blur_mm=float(rng.uniform(0.5, 2.0) if rng.random() < sign_share(extent) else rng.uniform(0.0, 0.5)),
    )


def sign_share(extent_mm: float) -> float:
    """Share of breaches of this extent with strands, and with an indistinct margin: half of the least, nearly all wide.

    Set so that a reader who knows all signs reaches an AUC of about 0.9 [own choice]. The blur is 0.5 to 2 mm
    (clinical reference 5.5).
    """
    return float(0.4 + 0.55 * (1 - np.exp(-extent_mm / 2.0)))


def _near_one_another(rng: np.random.Generator, sites: int) -> Array:
    """(sites, 3) unit directions that scatter around the first: a breach is a region, not a hedgehog."""
    first = _direction(rng)
    others = first + rng.normal(0, 0.6, (sites - 1, 3))
    directions = np.concatenate([first[None], others])
    return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))


def _tongue(rng: np.random.Generator, axis: Array, half_angle: float, reach: float) -> Tongue:
    """A finger 0.8 to 2 mm thick at its root that leaves within half of the site and leans to one side."""
    root = axis + rng.normal(0, 0.2 * half_angle, 3)
    tip = root + rng.normal(0, 0.2 * half_angle, 3)
    return Tongue(root / np.linalg.norm(root), tip / np.linalg.norm(tip), reach, float(rng.uniform(0.4, 1.0)))
