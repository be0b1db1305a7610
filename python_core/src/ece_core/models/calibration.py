"""From a classifier's logits to probabilities that mean what they say: what a card's ``calibration`` holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from ece_core.classes import CLASS_NAMES

Array = np.ndarray
TEMPERATURES = (0.05, 20.0)  # searched


def calibrated(logits: Array, diameter: float, calibration: dict[str, Any] | None) -> list[float]:
    """Probabilities of N, P and ENE as often as these are among lymph nodes of that size.

    A network is trained on equal numbers of each class. ``calibration`` of the card holds ``matrix`` (3, 4) and
    ``bias`` (3,), the scores being linear in the logits and the logarithm of the diameter; ``isotonic``, if there,
    then bends the probability of each class by itself. None leaves the network's own probabilities.

    References
    ----------
    Guo et al. 2017, arXiv 1706.04599 (temperature and vector scaling); Zadrozny and Elkan 2002,
    doi:10.1145/775047.775151 (isotonic, class by class, then normalized).
    """
    if calibration is not None:
        seen = np.append(logits, np.log(diameter))
        logits = np.array(calibration["matrix"]) @ seen + np.array(calibration["bias"])
    probabilities = softmax(np.asarray(logits, float)[None])
    if calibration is not None and "isotonic" in calibration:
        probabilities = bent(probabilities, calibration["isotonic"])
    return probabilities[0].tolist()


def softmax(logits: Array) -> Array:
    """(n, classes) logits to probabilities."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def fit_temperature(logits: Array, labels: Array, weights: Array, frequencies: Array) -> dict[str, Any]:
    """One number by which all logits are divided, after which the cross-entropy is least.

    Parameters
    ----------
    logits
        (n, 3).
    labels
        (n,) 0 to 2.
    weights
        (n,) how many lymph nodes each stands for.
    frequencies
        (3,) of the classes among all lymph nodes, summing to 1: their logarithms are added, since the network was
        trained on equal numbers of each. One more number is fitted, nothing else.

    Returns
    -------
    dict
        {method, temperature, matrix (3, 4), bias (3,)}, as :func:`calibrated` takes it.
    """
    prior = np.log(np.asarray(frequencies, float))

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature) + prior)
        return -float(weights @ np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)))

    best = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-4})
    temperature = float(np.exp(best.x))
    matrix = np.hstack([np.eye(3) / temperature, np.zeros((3, 1))])
    return {"method": "temperature", "temperature": temperature, "matrix": matrix.tolist(), "bias": prior.tolist()}


def fit_isotonic(probabilities: Array, labels: Array, weights: Array) -> dict[str, list[list[float]]]:
    """Per class a rising curve from probability to share of that class, as corners [p, share] to draw lines between.

    Parameters
    ----------
    probabilities
        (n, 3) before.
    labels, weights
        (n,) as for :func:`fit_temperature`.
    """
    curves = {}
    for number, name in enumerate(CLASS_NAMES):
        corners = isotonic_corners(probabilities[:, number], (labels == number).astype(float), weights)
        curves[name] = np.round(corners, 6).tolist()
    return curves


def isotonic_corners(x: Array, y: Array, weights: Array) -> Array:
    """(m, 2) corners of the rising step function with the least weighted squared error, by pooling adjacent violators.

    References
    ----------
    Ayer et al. 1955, doi:10.1214/aoms/1177728423.
    """
    values, inverse = np.unique(x, return_inverse=True)  # equal x have one mean
    mass = np.bincount(inverse, weights)
    means = np.bincount(inverse, weights * y) / mass
    blocks: list[list[float]] = []  # mean, mass, first x, last x
    for value, mean, weight in zip(values, means, mass, strict=True):
        blocks.append([mean, weight, value, value])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            last, before = blocks.pop(), blocks.pop()
            together = before[1] + last[1]
            mean_of_both = (before[0] * before[1] + last[0] * last[1]) / together
            blocks.append([mean_of_both, together, before[2], last[3]])
    corners = [(edge, block[0]) for block in blocks for edge in dict.fromkeys(block[2:])]
    return np.array(corners, float)


def bent(probabilities: Array, curves: dict[str, list[list[float]]]) -> Array:
    """(n, 3) probabilities after their curves, summing to 1 again; all equal where every curve gives 0."""
    columns = []
    for number, name in enumerate(CLASS_NAMES):
        corners = np.array(curves[name], float)
        columns.append(np.interp(probabilities[:, number], corners[:, 0], corners[:, 1]))
    raised = np.stack(columns, axis=1)
    total = raised.sum(axis=1, keepdims=True)
    return np.where(total > 0, raised / np.where(total > 0, total, 1), 1 / len(CLASS_NAMES))
