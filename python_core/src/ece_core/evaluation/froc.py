"""Free-response ROC: detection against false positives per scan, as the least score that counts is lowered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.evaluation.bootstrap import draws, with_interval
from ece_core.geometry import Array

RATES = (0.5, 1.0, 2.0, 4.0, 8.0)  # false positives per scan


class Froc:
    """Counts of every patient at every threshold.

    Parameters
    ----------
    found_at
        Per patient, (n,) float: the highest score among the predictions that overlap each true lymph node; -inf where
        none does.
    false_at
        Per patient, (m,) float: scores of the false positives.
    """

    def __init__(self, found_at: Sequence[Array], false_at: Sequence[Array]) -> None:
        scores = np.unique(np.concatenate([np.zeros(0), *found_at, *false_at]))
        self.thresholds = np.append(np.inf, scores[np.isfinite(scores)][::-1])  # the first one lets nothing through
        self.true = np.array([len(scores) for scores in found_at], float)
        self.found = np.array([self._at_least(scores) for scores in found_at]).reshape(len(self.true), -1)
        self.false = np.array([self._at_least(scores) for scores in false_at]).reshape(len(self.true), -1)

    def _at_least(self, scores: Array) -> Array:
        return len(scores) - np.searchsorted(np.sort(scores), self.thresholds)

    def curve(self) -> list[tuple[float, float]]:
        """(false positives per scan, detection rate), from nothing to everything."""
        if not self.true.sum():
            return []
        x, y = self.false.mean(axis=0), self.found.sum(axis=0) / self.true.sum()
        return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]

    def at(self, rate: float) -> dict | None:
        """Highest detection rate at no more than ``rate`` false positives per scan, with its interval.

        A step function, not interpolated. Beyond the last false positive it stays where it ends.

        References
        ----------
        Rates and curve: Setio et al. 2017 (LUNA16), doi:10.1016/j.media.2017.06.015
        """
        if not self.true.sum():
            return None
        everyone = np.ones((1, len(self.true)))
        return with_interval(float(self._best(everyone, rate)[0]), self._resampled(rate))

    def _resampled(self, rate: float) -> Array:
        drawn = draws(len(self.true))
        times = np.stack([np.bincount(row, minlength=len(self.true)) for row in drawn]) if len(drawn) else drawn
        return self._best(times[times @ self.true > 0], rate) if len(drawn) else np.zeros(0)

    def _best(self, times: Array, rate: float) -> Array:
        """(draws,) for how many times (draws, patients) each patient is drawn."""
        allowed = times @ self.false <= rate * times.sum(axis=1, keepdims=True) + 1e-9
        last = allowed.sum(axis=1) - 1  # both counts only grow along the thresholds
        found = times @ self.found
        return found[np.arange(len(found)), last] / (times @ self.true)
