"""What one number of the largest lymph node alone says: a logistic curve fitted to the patients of a fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ece_core.training.gmgenet.patients import Patient

NEWTON_STEPS = 50
PRIOR = 1e-2  # a little ridge: separable patients have no finite curve

Number = Callable[[Patient], float]


def log_size(patient: Patient) -> float:
    """Logarithm of the short axis as it was drawn."""
    return float(np.log(patient.largest_mm))


def mean_hu(patient: Patient) -> float:
    """Attenuation as it was drawn, in 10 HU, so that the ridge weighs it about as it weighs the size."""
    return patient.mean_hu / 10


def probabilities_by(number: Number, train: Sequence[Patient], test: Sequence[Patient]) -> dict[str, float]:
    """Probability of ENE (also ECE) per patient of ``test``, by that number alone."""
    middle = float(np.mean([number(patient) for patient in train]))
    x, y = _design(number, train, middle), np.array([patient.has_ene for patient in train], float)
    weights = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - y) + PRIOR * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + PRIOR * np.eye(2)
        weights = weights - np.linalg.solve(hessian, gradient)
    scores = 1 / (1 + np.exp(-_design(number, test, middle) @ weights))
    return {patient.name: float(score) for patient, score in zip(test, scores, strict=True)}


def _design(number: Number, patients: Sequence[Patient], middle: float) -> np.ndarray:
    return np.array([[1.0, number(patient) - middle] for patient in patients])
