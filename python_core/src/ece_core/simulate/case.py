"""One simulated case: patient, scanner, scan and truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.simulate.patient import Patient, sample_patient
from ece_core.simulate.render import Simulation, render
from ece_core.simulate.scanner import Scanner, neck_grid, sample_scanner
from ece_core.simulate.truth import truth_of

DIAGNOSTIC_SHAPE = (160, 512, 512)
DIAGNOSTIC_SPACING_MM = (1.25, 0.49, 0.49)


@dataclass(frozen=True, eq=False)
class Case:
    simulation: Simulation
    patient: Patient
    scanner: Scanner
    truth: list[dict]


def simulate_case(
    seed: int, number: int, difficulty: str = "medium", shape: tuple[int, int, int] = DIAGNOSTIC_SHAPE,
    spacing_mm: tuple[float, float, float] = DIAGNOSTIC_SPACING_MM,
) -> Case:
    """Case ``number`` of the cohort ``seed``, reproducible alone.

    Parameters
    ----------
    shape, spacing_mm
        (K, J, I) and spacing along (k, j, i); the scan starts 100 to 118 mm below the hyoid.
    """
    patient = sample_patient((seed, number), difficulty)
    scanner = sample_scanner(np.random.default_rng((seed, number, 3)))
    bottom_mm = float(np.random.default_rng((seed, number, 4)).uniform(-118, -100))
    simulation = render(patient, neck_grid(shape, spacing_mm, bottom_mm), scanner)
    return Case(simulation, patient, scanner, truth_of(patient, simulation, scanner))
