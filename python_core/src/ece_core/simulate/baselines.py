"""What a cohort must show before a model is judged on it: how far size or brightness alone gets, and honest sizes.

A cohort declares its difficulty by the AUC of size alone for P against ENE; mean attenuation alone must be close to
useless (clinical reference 5.2 and 5.5). Each figure comes with the band it should lie in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ece_core.simulate.population import DIFFICULTIES
from ece_core.simulate.truth import auc

Array = np.ndarray

# P against ENE by short axis: published sizes give 0.77 (medium); surgical series 0.57 (lyDATA Bern, hard).
DECLARED_SIZE_AUC = {"easy": 0.85, "medium": 0.77, "hard": 0.57}
MEAN_HU_AUC = (0.4, 0.6)  # 0.4 tells as much as 0.6
SIGMAS = 2.576  # 99 %: a cohort that is drawn as declared lies outside in 1 of 100
SMALLEST_P = 0.01  # likewise for the tests of the distributions
SHORT_AXIS_LIMITS_MM = (3.0, 40.0)
EXTENT_MM, EXTENT_LIMITS_MM = (1.6, 0.70), (0.4, 10.0)  # median, sigma: Apisarnthanarax 2006
REFERENCE_SIZE = 20_000  # of the sample that stands for a published distribution: its own error no longer counts


@dataclass(frozen=True)
class Baseline:
    """One figure of a cohort and its declared band.

    Attributes
    ----------
    name
        Key in `manifest.json`.
    value
        None: the cohort has too few lymph nodes to tell.
    low, high
        The band, ends included.
    """

    name: str
    title: str
    value: float | None
    low: float
    high: float

    @property
    def within(self) -> bool | None:
        return None if self.value is None else self.low <= self.value <= self.high

    def words(self) -> str:
        """``AUC of size alone, P against ENE: 0.58 (declared 0.52 to 0.62): within the declared band``."""
        if self.value is None:
            return f"{self.title}: not computed, too few lymph nodes"
        where = "within" if self.within else "outside"
        return f"{self.title}: {self.value:.3f} ({self._band()}): {where} the declared band"

    def _band(self) -> str:
        if self.high >= 1:
            return f"declared at least {self.low:.2f}"
        return f"declared {self.low:.2f} to {self.high:.2f}"

    def to_json(self) -> dict:
        return {**asdict(self), "within": self.within}


def baselines(lymph_nodes: Sequence[dict], difficulty: str) -> list[Baseline]:
    """All figures of a cohort.

    Parameters
    ----------
    lymph_nodes
        Rows of `truth.json` of all patients.

    Returns
    -------
    list of Baseline
        Two of size and mean HU for P against ENE, drawn attenuation for N against P (on a scan partial volume
        darkens the small ones, which is size again), then one per distribution: the p value of a two-sample
        Kolmogorov-Smirnov test of short axes per class against the declared log-normal, and of the extents against
        the published one.
    """
    rows = {name: [row for row in lymph_nodes if row["class"] == name] for name in ("N", "P", "ENE")}
    low, high = size_auc_band(difficulty, len(rows["P"]), len(rows["ENE"]))
    return [
        Baseline("size_auc_p_vs_ene", "AUC of size alone, P against ENE", _auc(rows, "short_axis_mm"), low, high),
        Baseline("mean_hu_auc_p_vs_ene", "AUC of mean HU alone, P against ENE", _auc(rows, "mean_hu"), *MEAN_HU_AUC),
        Baseline(
            "attenuation_auc_n_vs_p", "AUC of drawn attenuation alone, N against P",
            _auc(rows, "attenuation_hu", "N", "P"), *MEAN_HU_AUC,
        ),
        *(_size_test(name, rows[name], difficulty) for name in ("N", "P", "ENE")),
        Baseline(
            "extent_p_ene", "Extents against the published log-normal, p",
            same_distribution([row["extent_mm"] for row in rows["ENE"]], *EXTENT_MM, EXTENT_LIMITS_MM), SMALLEST_P, 1.0,
        ),
    ]  # fmt: skip


def size_auc_band(difficulty: str, negatives: int, positives: int) -> tuple[float, float]:
    """Declared AUC plus and minus the sampling error for this many lymph nodes of class P and ENE."""
    declared = DECLARED_SIZE_AUC[difficulty]
    reach = SIGMAS * auc_error(declared, negatives, positives) if negatives and positives else 1.0
    return max(0.0, declared - reach), min(0.999, declared + reach)


def auc_error(value: float, negatives: int, positives: int) -> float:
    """Standard error of an AUC, Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747."""
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (positives - 1) * (q1 - value**2) + (negatives - 1) * (q2 - value**2)
    return float(np.sqrt(variance / (negatives * positives)))


def same_distribution(
    values: Sequence[float], median: float, sigma: float, limits: tuple[float, float]
) -> float | None:
    """p value that a sample comes from a log-normal clipped to limits; None for fewer than 5 values."""
    if len(values) < 5:
        return None
    from scipy.stats import ks_2samp

    return float(ks_2samp(values, log_normal(median, sigma, limits)).pvalue)


def log_normal(median: float, sigma: float, limits: tuple[float, float], size: int = REFERENCE_SIZE) -> Array:
    """Evenly spaced quantiles of a clipped log-normal, ascending: a sample without luck."""
    from scipy.special import ndtri

    return np.clip(median * np.exp(sigma * ndtri((np.arange(size) + 0.5) / size)), *limits)


def _auc(rows: dict[str, list[dict]], key: str, negative: str = "P", positive: str = "ENE") -> float | None:
    values = [row[key] for name in (negative, positive) for row in rows[name]]
    return auc(np.array(values), np.arange(len(values)) >= len(rows[negative]))


def _size_test(name: str, rows: list[dict], difficulty: str) -> Baseline:
    median, sigma = DIFFICULTIES[difficulty].short_axis[name]
    p = same_distribution([row["short_axis_mm"] for row in rows], median, sigma, SHORT_AXIS_LIMITS_MM)
    return Baseline(
        f"size_p_{name.lower()}", f"Short axes of {name} against the declared log-normal, p", p, SMALLEST_P, 1.0
    )
