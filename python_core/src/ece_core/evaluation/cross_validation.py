"""Methods compared on the same folds: mean and standard deviation, paired tests, and what is written about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.special import stdtr

from ece_core.errors import InputError
from ece_core.evaluation.delong import Difference, Interval, delong_interval, delong_paired
from ece_core.evaluation.figure_table import ALPHA, PValue, Spread, Table
from ece_core.evaluation.plots import box_plot, line_plot
from ece_core.evaluation.roc import auc, roc_curve
from ece_core.geometry import Array

THRESHOLD = 0.5
Fold = tuple[Array, Array]  # (n,) scores, (n,) labels of the cases that the fold kept out of training


def _share_right(scores: Array, positive: Array, among: Array) -> float | None:
    right = (scores >= THRESHOLD) == positive
    return float(right[among].mean()) if among.any() else None


FIGURES: dict[str, Callable[[Array, Array], float | None]] = {
    "accuracy": lambda scores, positive: _share_right(scores, positive, np.ones_like(positive)),
    "AUC": auc,
    "sensitivity": lambda scores, positive: _share_right(scores, positive, positive),
    "specificity": lambda scores, positive: _share_right(scores, positive, ~positive),
}


class TTest(NamedTuple):
    """Mean difference over the folds that have both values, two-sided p, and whether p is below 0.05."""

    difference: float
    p: float
    significant: bool


@dataclass(frozen=True)
class MethodRow:
    """One method: its figures per fold (None where one class is missing), and the AUC of all folds together."""

    method: str
    folds: int
    cases: int
    values: dict[str, list[float | None]]
    pooled_auc: Interval | None

    def spread(self, figure: str) -> Spread | None:
        """Mean and standard deviation (n - 1) over the folds on which the figure is defined."""
        values = [value for value in self.values[figure] if value is not None]
        if not values:
            return None
        return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


@dataclass(frozen=True)
class PairRow:
    """Two methods: a paired t-test per figure (None where it says nothing), and DeLong's test on all cases."""

    first: str
    second: str
    t_tests: dict[str, TTest | None]
    auc: Difference | None


@dataclass(frozen=True)
class CrossValidation:
    """What :func:`compare` found, with the pooled scores for the curves and notes on what is not defined."""

    methods: list[MethodRow]
    pairs: list[PairRow]
    pooled: dict[str, Fold]
    notes: list[str]


def compare(results: Mapping[str, Sequence[Fold]]) -> CrossValidation:
    """Figures of methods that were trained and judged on the same folds.

    Parameters
    ----------
    results
        Per method and fold: scores (n,) in [0, 1] and labels (n,), 0 or 1, of the cases kept out, in the same order
        for every method. Calls are made at 0.5.

    Raises
    ------
    InputError
        There is no fold, a fold has no case, a score is not a number in [0, 1], or the methods were not judged on the
        same cases: then nothing about them is paired.

    Notes
    -----
    The t-test takes folds as independent, although they share training cases: its p is somewhat too small (Nadeau and
    Bengio 2003, doi:10.1023/A:1024068626366). It stands here since GMGENet's authors used it. DeLong's test on the
    pooled out-of-fold scores takes cases as independent, and the scores of different folds as of one scale.
    """
    folds = {method: [_fold(scores, labels) for scores, labels in of] for method, of in results.items()}
    _same_cases(folds)
    methods = [_method_row(method, of) for method, of in folds.items()]
    pooled = {method: _pooled(of) for method, of in folds.items()}
    pairs = [_pair_row(one, other, pooled) for one, other in combinations(methods, 2)]
    return CrossValidation(methods, pairs, pooled, _notes(next(iter(folds.values()))))


def write_comparison(comparison: CrossValidation, out: Path) -> None:
    """Write `methods.csv`, `methods.md`, `pairs.csv`, `pairs.md`, `roc.png` and one box plot per figure into ``out``.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    try:
        out = Path(out)
        out.mkdir(parents=True, exist_ok=True)
        for table in (methods_table(comparison), pairs_table(comparison)):
            (out / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
            lines = [*table.markdown(), "", table.caption, *(f"\n{note}" for note in comparison.notes)]
            (out / f"{table.name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for name, image in pictures(comparison).items():
            image.save(out / f"{name}.png")
    except OSError as error:
        raise InputError(
            f"The comparison cannot be written ({type(error).__name__}).", "Choose a folder that you may write to."
        ) from error


def methods_table(comparison: CrossValidation) -> Table:
    """A row per method: mean (SD) of each figure over folds, and the pooled AUC with DeLong's interval."""
    rows = [
        (row.method, row.folds, row.cases, *(row.spread(name) for name in FIGURES), _figure(row.pooled_auc))
        for row in comparison.methods
    ]
    return Table(
        "methods",
        "Methods on the same folds",
        ("method", "folds", "cases", *FIGURES, "AUC of all folds together"),
        rows,
        "Mean (standard deviation) over folds, calls at 0.5. AUC of all folds together: out-of-fold scores pooled, "
        "with the 95 % interval of DeLong.",
        decimals=3,
    )


def pairs_table(comparison: CrossValidation) -> Table:
    """A row per pair of methods: p of the paired t-test of each figure, difference of AUC with DeLong's interval, p."""
    rows = [
        (
            f"{row.first} - {row.second}",
            *(None if test is None else PValue(test.p) for test in row.t_tests.values()),
            None if row.auc is None else {"value": row.auc.difference, "low": row.auc.low, "high": row.auc.high},
            None if row.auc is None or row.auc.p is None else PValue(row.auc.p),
        )
        for row in comparison.pairs
    ]
    return Table(
        "pairs",
        "Methods against each other",
        ("pair", *(f"p of {name}" for name in FIGURES), "difference of AUC", "p of DeLong"),
        rows,
        f"* below {ALPHA}. p of a figure: paired t-test over folds, two-sided; the folds share training cases, so that "
        "it is somewhat too small. Difference of AUC: out-of-fold scores pooled, 95 % interval and p of DeLong.",
        decimals=3,
    )


def pictures(comparison: CrossValidation) -> dict[str, Image.Image]:
    """ROC curves of the pooled out-of-fold scores ("roc"), and box plots over folds ("box_auc", ...)."""
    images = {}
    curves = [
        (f"{row.method}, AUC {_interval_words(row.pooled_auc)}", _curve(*comparison.pooled[row.method]))
        for row in comparison.methods
        if row.pooled_auc is not None
    ]
    if curves:
        images["roc"] = line_plot(curves, ("1 - specificity", "Sensitivity"), diagonal=True)
    for name in FIGURES:
        groups = [(row.method, [v for v in row.values[name] if v is not None]) for row in comparison.methods]
        images[f"box_{name.lower()}"] = box_plot(groups, name[0].upper() + name[1:])
    return images


def paired_t_test(first: Sequence[float | None], second: Sequence[float | None]) -> TTest | None:
    """Student's t-test of the mean difference of pairs being nil, over the pairs that have both values.

    Returns
    -------
    TTest or None
        None with fewer than two pairs, or if all differences are the same, so that nothing tells how sure they are.
    """
    gaps = np.array([a - b for a, b in zip(first, second, strict=True) if a is not None and b is not None], float)
    if len(gaps) < 2 or np.ptp(gaps) < 1e-12:
        return None
    mean, error = float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps)))
    p = float(2 * stdtr(len(gaps) - 1, -abs(mean) / error))
    return TTest(mean, p, p < ALPHA)


def _fold(scores: Array, labels: Array) -> Fold:
    values, truth = np.asarray(scores, float), np.asarray(labels)
    if values.ndim != 1 or values.shape != truth.shape or not len(values):
        raise InputError(
            f"A fold has {values.size} scores for {truth.size} labels.", "Give one score per case, and at least one."
        )
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1 or not np.isin(truth, (0, 1)).all():
        raise InputError(
            "A fold holds a score outside 0 to 1, or a label that is neither 0 nor 1.",
            "Give the probability of ENE (also ECE) of each case; look whether the training diverged.",
        )
    return values, truth.astype(bool)


def _same_cases(folds: Mapping[str, Sequence[Fold]]) -> None:
    if not folds or not all(folds.values()):
        raise InputError("There is no fold to compare.", "Give at least one method with one fold.")
    (first, reference), *others = folds.items()
    for method, of in others:
        if len(of) != len(reference) or not all(
            np.array_equal(a[1], b[1]) for a, b in zip(of, reference, strict=False)
        ):
            raise InputError(
                f"{method} and {first} were not judged on the same folds.",
                "Train both with the same cases and the same seed of the folds; only then are they paired.",
            )


def _method_row(method: str, folds: Sequence[Fold]) -> MethodRow:
    values = {name: [statistic(*fold) for fold in folds] for name, statistic in FIGURES.items()}
    pooled = _pooled(folds)
    return MethodRow(method, len(folds), len(pooled[0]), values, delong_interval(*pooled))


def _pair_row(one: MethodRow, other: MethodRow, pooled: Mapping[str, Fold]) -> PairRow:
    tests = {name: paired_t_test(one.values[name], other.values[name]) for name in FIGURES}
    (scores, labels), (other_scores, _) = pooled[one.method], pooled[other.method]
    return PairRow(one.method, other.method, tests, delong_paired(scores, other_scores, labels))


def _pooled(folds: Sequence[Fold]) -> Fold:
    return np.concatenate([scores for scores, _ in folds]), np.concatenate([labels for _, labels in folds])


def _notes(folds: Sequence[Fold]) -> list[str]:
    one_class = [number for number, (_, labels) in enumerate(folds) if labels.all() or not labels.any()]
    if not one_class:
        return []
    numbers = ", ".join(map(str, one_class))
    return [
        f"Fold {numbers}: one class only; its AUC, and its sensitivity or specificity, are not defined and left out "
        "of the mean."
    ]


def _figure(interval: Interval | None) -> dict | None:
    return None if interval is None else interval.figure()


def _interval_words(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _curve(scores: Array, positive: Array) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(*roc_curve(scores, positive), strict=True)]
