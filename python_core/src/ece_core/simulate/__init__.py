"""A seeded, simulated contrast neck CT with lymph nodes whose truth is known.

Not a patient and not a claim about patients: the numbers come from the literature (each beside its
source), the shapes are analytic, and every truth (outline, class, extent of the capsule breach) is exact.
"""

from ece_core.simulate.case import Case, simulate_case
from ece_core.simulate.patient import Patient, sample_patient
from ece_core.simulate.render import Simulation, render
from ece_core.simulate.scanner import Scanner, neck_grid, patch_grid, sample_scanner

__all__ = [
    "Case",
    "Patient",
    "Scanner",
    "Simulation",
    "neck_grid",
    "patch_grid",
    "render",
    "sample_patient",
    "sample_scanner",
    "simulate_case",
]
