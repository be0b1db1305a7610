"""What the size of the largest lymph node alone says: a logistic curve fitted to the patients of a fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.training.gmgenet.patients import Patient

NEWTON_STEPS = 50
PRIOR = 1e-2  # a little ridge: separable patients have no finite curve


def size_probabilities(train: Sequence[Patient], test: Sequence[Patient]) -> dict[str, float]:
    """Probability of ENE (also ECE) per patient of ``test``, by the logarithm of the short axis as it was drawn."""
    middle = float(np.mean([np.log(patient.largest_mm) for patient in train]))
    x, y = _design(train, middle), np.array([patient.has_ene for patient in train], float)
    weights = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - y) + PRIOR * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + PRIOR * np.eye(2)
        weights = weights - np.linalg.solve(hessian, gradient)
    scores = 1 / (1 + np.exp(-_design(test, middle) @ weights))
    return {patient.name: float(score) for patient, score in zip(test, scores, strict=True)}


def _design(patients: Sequence[Patient], middle: float) -> np.ndarray:
    return np.array([[1.0, np.log(patient.largest_mm) - middle] for patient in patients])
