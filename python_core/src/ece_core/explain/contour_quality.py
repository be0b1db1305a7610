"""How good a predicted contour is, told from the topology of the explanation inside it.

The Euler characteristic profile of the heatmap inside the contour, its first principal component over a cohort, and a
sigmoid from there to Dice. What was fitted lies beside the weights of the network that it was fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ece_core.explain.euler_profile import THRESHOLDS, euler_profile
from ece_core.explain.heatmap import to_heatmap
from ece_core.explain.stored_tensors import store, stored, unreadable

FILE = "contour_quality.safetensors"
KNOWN_AS = ("contour quality", "Fit it again (scripts/fit_contour_quality.py).")
WORST = 0.15  # of the contours, by Dice, are called insufficient
RARELY_MISSED = 0.05  # of the insufficient ones may lie where the risk is called low
NO_FIT = "The segmentation model has no fit of contour quality."

Array = np.ndarray


class CannotFitError(ValueError):
    """The cohort says nothing about contours."""


@dataclass(frozen=True, eq=False)
class ContourQuality:
    """What was fitted on a cohort.

    Attributes
    ----------
    method
        The explanation method whose maps it holds for, a key of METHODS.
    mean, component
        (t,) float64: mean profile, and unit vector of the first principal component, whose sign rises with Dice.
    slope, intercept, best
        Of the sigmoid from the component's score to Dice, and where it levels off: no better outline is ever expected.
    high_below, low_from
        Scores: the risk is high below the first, low from the second on, moderate between.
    network_sha256
        Of the bundle's weights.
    about
        In words: the cohort.
    """

    method: str
    mean: Array
    component: Array
    slope: float
    intercept: float
    high_below: float
    low_from: float
    network_sha256: str
    about: str
    best: float = 1.0

    def scores(self, profiles: Array) -> Array:
        """First principal component of profiles (..., t)."""
        return (np.asarray(profiles, np.float64) - self.mean) @ self.component

    def dice(self, scores: Array) -> Array:
        """What the sigmoid expects, 0 to ``best``."""
        return self.best * _sigmoid(self.slope * np.asarray(scores) + self.intercept)

    def risk(self, score: float) -> str:
        """``"high"``, ``"moderate"`` or ``"low"``: of being among the worst contours."""
        if score < self.high_below:
            return "high"
        return "low" if score >= self.low_from else "moderate"

    def judge(self, profile: Array) -> dict[str, object]:
        """``contour_quality`` of a result: the risk, and as ``score`` the Dice that the sigmoid expects."""
        score = float(self.scores(profile))
        return {"risk": self.risk(score), "score": round(float(self.dice(np.array(score))), 4)}

    def save(self, folder: Path) -> Path:
        """Beside the weights of a bundle."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        about = {
            "network": self.network_sha256, "method": self.method, "about": self.about, "numbers": json.dumps(numbers),
        }  # fmt: skip
        tensors = {"mean": torch.from_numpy(self.mean), "component": torch.from_numpy(self.component)}
        return store(Path(folder) / FILE, tensors, about)

    @classmethod
    def load(cls, folder: Path) -> ContourQuality | None:
        """That of a bundle; None where it has none.

        Raises
        ------
        ModelError
            The file is damaged.
        """
        found = stored(Path(folder) / FILE, *KNOWN_AS)
        if found is None:
            return None
        tensors, about = found
        try:
            return cls(
                method=about["method"],
                mean=tensors["mean"].numpy(),
                component=tensors["component"].numpy(),
                network_sha256=about["network"],
                about=about["about"],
                **_numbers(json.loads(about["numbers"])),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise unreadable(*KNOWN_AS) from error


_NUMBERS = ("slope", "intercept", "best", "high_below", "low_from")


def _numbers(row: Mapping[str, float]) -> dict[str, float]:
    return {name: float(row[name]) for name in _NUMBERS}


def not_judged(reason: str) -> dict[str, object]:
    """``contour_quality`` where there is nothing to tell it from."""
    return {"risk": None, "score": None, "reason": reason}


def contour_profile(attribution: Array, inside: Array) -> Array:
    """Profile (t,) of a signed attribution map (k, j, i) inside a contour (k, j, i) bool.

    The map is post-processed as a whole, as the paper does, so that what lies inside is seen against what lies around.
    """
    return euler_profile(to_heatmap(attribution), inside)


def fit_contour_quality(
    profiles: Array, dice: Array, method: str = "", network_sha256: str = "", about: str = ""
) -> ContourQuality:
    """First principal component of a cohort's profiles, the sigmoid to Dice by least squares, and the cut-offs.

    The risk is high below the score at which "worst 15 % Dice" is told best (largest sensitivity + specificity), and
    low from the score on above which at most 5 % of the worst lie.

    Parameters
    ----------
    profiles
        (n, t).
    dice
        (n,) of the same contours with the truth.

    Raises
    ------
    CannotFitError
        Fewer than 20 contours, or all have the same profile or Dice.

    References
    ----------
    Strijbis et al. 2025: PCA, sigmoid fit of the first component to Dice, lowest 15 % of Dice called insufficient.
    """
    profiles, dice = np.asarray(profiles, np.float64), np.asarray(dice, np.float64)
    if len(profiles) < 20 or np.ptp(dice) == 0 or np.ptp(profiles, axis=0).max() == 0:
        raise CannotFitError("at least 20 contours of different profile and Dice are needed")
    mean = profiles.mean(axis=0)
    component = np.linalg.svd(profiles - mean, full_matrices=False)[2][0]
    scores = (profiles - mean) @ component
    if np.cov(scores, dice)[0, 1] < 0:
        component, scores = -component, -scores
    slope, intercept, best = _sigmoid_fit(scores, dice)
    high_below, low_from = _cut_offs(scores, is_worst(dice))
    return ContourQuality(
        method, mean, component, slope, intercept, high_below, low_from, network_sha256, about, best
    )


def is_worst(dice: Array, share: float = WORST) -> Array:
    """(n,) bool: the lowest ``share`` of Dice."""
    return np.asarray(dice) <= np.quantile(dice, share)


def _sigmoid(x: Array) -> Array:
    from scipy.special import expit

    return expit(x)


def _sigmoid_fit(scores: Array, dice: Array) -> tuple[float, float, float]:
    """Slope and intercept on the scores as they are, and the upper end: at most the best Dice of the cohort.

    Fitted on scores of deviation 1, which the optimizer likes.
    """
    from scipy.optimize import least_squares

    scale, highest = scores.std(), dice.max()
    middle = np.clip(dice.mean(), 0.01, 0.99)
    start = (0.1, np.log(middle / (1 - middle)), 0.99 * highest)
    free = ([-np.inf, -np.inf, 0.0], [np.inf, np.inf, highest])
    found = least_squares(lambda p: p[2] * _sigmoid(p[0] * scores / scale + p[1]) - dice, start, bounds=free)
    return float(found.x[0] / scale), float(found.x[1]), float(found.x[2])


def _cut_offs(scores: Array, worst: Array) -> tuple[float, float]:
    cuts = np.unique(scores)[1:]  # "high" is strictly below
    sensitivity = np.array([(scores[worst] < cut).mean() for cut in cuts])
    specificity = np.array([(scores[~worst] >= cut).mean() for cut in cuts])
    high_below = float(cuts[np.argmax(sensitivity + specificity)])
    rare = np.flatnonzero(sensitivity >= 1 - RARELY_MISSED)
    low_from = float(cuts[rare[0]]) if rare.size else float(np.nextafter(cuts[-1], np.inf))
    return high_below, max(high_below, low_from)


__all__ = [
    "FILE", "NO_FIT", "THRESHOLDS", "WORST", "CannotFitError", "ContourQuality", "contour_profile",
    "fit_contour_quality", "is_worst", "not_judged",
]  # fmt: skip
