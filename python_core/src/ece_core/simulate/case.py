"""One simulated case: patient, scanner, scan and truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ece_core.simulate.patient import Patient, sample_patient
from ece_core.simulate.population import DIFFICULTIES
from ece_core.simulate.render import Simulation, render
from ece_core.simulate.scanner import Scanner, neck_grid, sample_scanner
from ece_core.simulate.truth import attenuation_hu, truth_of

Array = np.ndarray
Grid = tuple[tuple[int, int, int], Array]

DIAGNOSTIC_SHAPE = (160, 512, 512)
DIAGNOSTIC_SPACING_MM = (1.25, 0.49, 0.49)
# Slice thickness, mm, and how often: 1 to 3 mm is diagnostic, 2.5 common (clinical reference 5.3). [shares: own choice]
SLICES = {0.625: 0.5, 1.0: 1.0, 1.25: 1.5, 1.5: 1.0, 2.0: 1.5, 2.5: 2.0, 3.0: 1.0}
LENGTH_MM = 200.0
PIXELS_MM = (0.43, 0.55)  # 0.4 to 0.6 mm is diagnostic


@dataclass(frozen=True, eq=False)
class Case:
    simulation: Simulation
    patient: Patient
    scanner: Scanner
    truth: list[dict]


def simulate_case(
    seed: int,
    number: int,
    difficulty: str = "medium",
    shape: tuple[int, int, int] = DIAGNOSTIC_SHAPE,
    spacing_mm: tuple[float, float, float] = DIAGNOSTIC_SPACING_MM,
) -> Case:
    """Case ``number`` of the cohort ``seed``, reproducible alone.

    Parameters
    ----------
    shape, spacing_mm
        (K, J, I) and spacing along (k, j, i); the scan starts 100 to 118 mm below the hyoid.
    """
    patient, scanner, grid = draw_case(seed, number, difficulty, shape, spacing_mm)
    simulation = render(patient, grid, scanner)
    return Case(simulation, patient, scanner, truth_of(patient, simulation, scanner))


def draw_case(
    seed: int,
    number: int,
    difficulty: str = "medium",
    shape: tuple[int, int, int] = DIAGNOSTIC_SHAPE,
    spacing_mm: tuple[float, float, float] = DIAGNOSTIC_SPACING_MM,
) -> tuple[Patient, Scanner, Grid]:
    """Patient, scanner and grid of :func:`simulate_case`, before anything is scanned."""
    patient = sample_patient((seed, number), difficulty)
    rng = np.random.default_rng((seed, number, 3))
    scanner = sample_scanner(rng)
    scanner = replace(scanner, noise_hu=float(rng.uniform(*DIFFICULTIES[difficulty].noise_hu)))
    bottom_mm = float(np.random.default_rng((seed, number, 4)).uniform(-118, -100))
    return patient, scanner, neck_grid(shape, spacing_mm, bottom_mm)


def diagnostic_grid(seed: int, number: int, difficulty: str) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Shape (K, J, I) and spacing along (k, j, i) of a case on disk: 200 mm of neck in slices of 0.6 to 3 mm."""
    rng = np.random.default_rng((seed, number, 6))
    low, high = DIFFICULTIES[difficulty].slice_mm
    usual = {mm: share for mm, share in SLICES.items() if low <= mm <= high}
    slice_mm = float(rng.choice(list(usual), p=np.array(list(usual.values())) / sum(usual.values())))
    pixel_mm = round(float(rng.uniform(*PIXELS_MM)), 3)
    return (round(LENGTH_MM / slice_mm), *DIAGNOSTIC_SHAPE[1:]), (slice_mm, pixel_mm, pixel_mm)


def drawn_truth(patient: Patient, grid: Grid) -> list[dict]:
    """What is true before a scan: :func:`truth.truth_of` without what needs voxels (volume, visibility, grade).

    ``mean_hu`` is that of the drawn attenuation too.
    Lymph nodes whose center lies outside the grid are left out.
    """
    shape, affine = grid
    low = affine[:3, 3]
    high = low + affine[:3, :3] @ (np.array(shape[::-1]) - 1)
    return [
        {
            "label": label,
            "class": node.class_name,
            "level": node.level,
            "side": node.side,
            "short_axis_mm": round(node.short_axis_mm, 2),
            "mean_hu": (hu := round(attenuation_hu(node), 1)),
            "attenuation_hu": hu,
            "extent_mm": round(node.extent_mm, 2),
            "necrotic": node.rim_mm is not None,
            "center_lps_mm": [round(float(c), 2) for c in node.center_lps],
        }
        for label, node in enumerate(patient.lymph_nodes, 1)
        if ((node.center_lps >= low) & (node.center_lps <= high)).all()
    ]
