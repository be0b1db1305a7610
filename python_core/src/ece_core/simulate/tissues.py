"""Attenuation of each tissue in one patient: published mean and spread, correlated by dose and contrast phase."""

from __future__ import annotations

import numpy as np

# Hounsfield units: mean, SD between patients, in the venous neck phase at 120 kVp (clinical reference 5.2; values
# without a source there are ours, docs/simulator.md says which).
TISSUE_HU: dict[str, tuple[float, float]] = {
    "fat": (-100, 8),
    "skin": (20, 12),
    "muscle": (64, 8),
    "tongue": (70, 8),
    "carotid": (215, 25),
    "jugular": (180, 22),
    "vessel": (150, 30),
    "parotid": (35, 15),
    "submandibular": (95, 12),
    "thyroid": (175, 20),
    "cartilage": (110, 40),
    "calcification": (520, 120),
    "cortical": (950, 120),
    "rib": (480, 90),
    "trabecular": (230, 50),
    "disc": (95, 12),
    "tooth": (1900, 250),
    "metal": (3000, 0),
    "airway": (-1000, 0),
    "mucosa": (75, 10),
    "brain": (38, 4),
    "eye": (12, 4),
    "cord": (35, 5),
    "nerve": (38, 7),
    "lung": (-860, 20),
    "mediastinum": (-88, 8),
    "tonsil": (100, 10),
}
SOLID = frozenset(
    {"carotid", "cartilage", "calcification", "cortical", "rib", "trabecular", "disc", "tooth", "metal", "airway",
     "cord", "brain", "eye", "lung", "mucosa"}
)  # fmt: skip

# How far a tissue follows the iodine that circulates, and how it goes from the arterial (below 0) to the venous
# phase: shares of its SD. What they leave is the patient's own, so mean and SD stay as published.
FOLLOWS: dict[str, tuple[float, float]] = {
    "carotid": (0.55, -0.60),
    "jugular": (0.45, 0.70),
    "vessel": (0.45, 0.35),
    "thyroid": (0.40, 0.25),
    "submandibular": (0.45, 0.35),
    "tonsil": (0.45, 0.40),
    "mucosa": (0.45, 0.40),
    "muscle": (0.35, 0.35),
    "tongue": (0.35, 0.35),
    "parotid": (0.25, 0.15),
}


def sample_hu(rng: np.random.Generator, phase: float, fat_share: float, age_years: float) -> dict[str, float]:
    """HU of each tissue.

    Parameters
    ----------
    phase
        Standard normal: below 0 early (arteries bright), above 0 late (veins bright).
    fat_share
        Standard normal: the parotid holds more fat, so is darker, in a heavy patient; so is muscle, a little.
    age_years
        Cartilage ossifies with age.
    """
    iodine = rng.normal()
    hu = {}
    for tissue, (mean, sd) in TISSUE_HU.items():
        by_dose, by_phase = FOLLOWS.get(tissue, (0.0, 0.0))
        by_fat = {"parotid": -0.6, "muscle": -0.4}.get(tissue, 0.0)
        by_age = 0.5 if tissue == "cartilage" else 0.0
        own = np.sqrt(1 - by_dose**2 - by_phase**2 - by_fat**2 - by_age**2)
        score = by_dose * iodine + by_phase * phase + by_fat * fat_share + by_age * (age_years - 60) / 12
        hu[tissue] = float(mean + sd * (score + own * rng.normal()))
    hu["airway"], hu["metal"] = -1000.0, 3000.0
    return hu
