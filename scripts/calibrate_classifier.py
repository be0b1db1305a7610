"""Fit the classifier's ``calibration`` and ``conformal`` on simulated patients of neither training nor test.

    python scripts/calibrate_classifier.py BUNDLE --analyzed RESULTS COHORT [--analyzed ...] [--method vector]
    python scripts/calibrate_classifier.py BUNDLE --crops WORK [--patients 40] [--seed 404 303] [--method vector]

--analyzed: lymph nodes as the segmentation outlined them (RESULTS of `ece analyze`, whatever classifier it used, and
their COHORT of `ece simulate`): what the classifier will meet. --crops: blocks with true masks, kept in WORK/SEED; few
negatives are among them, which are weighted as if all were. Every method is judged by five folds of patients and its
figures are printed; the one of --method (or what the card holds: "kept") is fitted on all and written into the card,
with thresholds for class sets from probabilities that each fold's calibration never saw. Copy both into the config.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.calibration import brier, calibration_error
from ece_core.evaluation.cohort import read_cases
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.judged_rows import counterparts
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.models import load_bundle
from ece_core.models.bundle import Bundle
from ece_core.models.calibration import calibrated, fit_isotonic, fit_temperature, softmax
from ece_core.models.conformal import TARGET, class_set, coverage, fit_conformal
from ece_core.models.node_classifier import crop, diameter_mm, logits_of
from ece_core.simulate.population import NEGATIVE_COUNT
from ece_core.training.folds import FOLDS, fold_of
from evaluate_crops import ENE, N, P, held_out
from sklearn.linear_model import LogisticRegression


@dataclass(frozen=True)
class Rows:
    """Lymph nodes: logits (n, 3), diameter_mm, label, weight (n,), and the patient of each."""

    logits: np.ndarray
    diameter_mm: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    patients: list[str]

    def chosen(self, which: np.ndarray) -> Rows:
        patients = [patient for patient, is_in in zip(self.patients, which, strict=True) if is_in]
        return Rows(self.logits[which], self.diameter_mm[which], self.labels[which], self.weights[which], patients)

    def features(self) -> np.ndarray:
        return np.column_stack([self.logits, np.log(self.diameter_mm)])

    def frequencies(self) -> np.ndarray:
        return np.bincount(self.labels, self.weights, len(CLASS_NAMES)) / self.weights.sum()

    def probabilities(self, calibration: dict[str, Any] | None) -> np.ndarray:
        rows = zip(self.logits, self.diameter_mm, strict=True)
        return np.array([calibrated(logits, diameter, calibration) for logits, diameter in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--analyzed", type=Path, nargs=2, action="append", metavar=("RESULTS", "COHORT"))
    parser.add_argument("--crops", type=Path, metavar="WORK")
    parser.add_argument("--patients", type=int, default=40, help="of each seed of --crops")
    parser.add_argument("--seed", type=int, nargs="+", default=[404, 303], help="of --crops")
    parser.add_argument("--method", choices=("kept", *METHODS), default="kept")
    parser.add_argument("--target", type=float, default=TARGET, help="coverage of the class sets (default: 0.9)")
    asked = parser.parse_args()
    if (asked.analyzed is None) == (asked.crops is None):
        parser.error("give --analyzed or --crops")
    bundle = load_bundle(asked.bundle)
    rows, words = of_analyzed(bundle, asked.analyzed) if asked.analyzed else of_crops(bundle, asked)
    kept = bundle.spec.get("calibration")
    fits: dict[str, Callable[[Rows], Any]] = {"none": lambda _: None, "kept": lambda _: kept, **METHODS}
    unseen = {name: out_of_fold(rows, fit) for name, fit in fits.items()}
    print("\n".join(comparison(rows, unseen, asked.target).markdown()))
    card = json.loads((asked.bundle / "model.json").read_text(encoding="utf-8"))
    if asked.method != "kept":
        card["calibration"] = {**METHODS[asked.method](rows), "fitted_on": words}
    sets = fit_conformal(unseen[asked.method], rows.labels, asked.target)
    card["conformal"] = {**rounded_down(sets), "fitted_on": words}
    (asked.bundle / "model.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: card.get(name) for name in ("calibration", "conformal")}, indent=2))


def of_analyzed(bundle: Bundle, pairs: list[list[Path]]) -> tuple[Rows, str]:
    """The lymph nodes that were found, each once, as often as they are."""
    rows = [row for results, cohort in pairs for row in found_in(bundle, results, cohort)]
    seeds = [json.loads((cohort / "manifest.json").read_text(encoding="utf-8"))["seed"] for _, cohort in pairs]
    patients = len({row[-1] for row in rows})
    return stacked(rows), (
        f"{len(rows)} lymph nodes of {patients} simulated patients of the seeds {' and '.join(map(str, seeds))}, "
        "outlined by the segmentation"
    )


def found_in(bundle: Bundle, results: Path, cohort: Path) -> Iterator[tuple]:
    for case in read_cases(results, cohort):
        ct = case.read_ct()
        instances, _ = read_seg_nrrd(results / case.name / "lymph_nodes.seg.nrrd")
        for label, node in counterparts(case):
            if node is not None and not node.not_evaluable:
                block = crop(bundle, ct, instances, node.label)
                truth = CLASS_NAMES.index(case.truth[label]["class"])
                yield logits_of(bundle, block), diameter_mm(block), truth, 1.0, f"{cohort}/{case.name}"


def of_crops(bundle: Bundle, asked: argparse.Namespace) -> tuple[Rows, str]:
    """Blocks with true masks; negatives stand for all that there are."""
    rows = []
    for seed in asked.seed:
        for number in range(asked.patients):
            nodes = held_out(bundle, asked.crops, seed, number)
            negatives = max(1, sum(node.label == N for node in nodes))
            for node in nodes:
                weight = NEGATIVE_COUNT[0] / negatives if node.label == N else 1.0
                rows.append((node.logits, node.diameter_mm, node.label, weight, f"{seed}/{number}"))
    return stacked(rows), (
        f"{len(rows)} lymph nodes of {asked.patients} simulated patients each of the seeds "
        f"{' and '.join(map(str, asked.seed))}, true masks, {bundle.spec['training']['difficulty']}"
    )


def stacked(rows: list[tuple]) -> Rows:
    logits, diameter, labels, weights, patients = zip(*rows, strict=True)
    return Rows(np.array(logits), np.array(diameter), np.array(labels), np.array(weights), list(patients))


def vector(rows: Rows) -> dict[str, Any]:
    """Vector scaling with the size as one more input."""
    fitted = LogisticRegression(max_iter=10_000).fit(rows.features(), rows.labels, rows.weights)
    return {"method": "vector", "matrix": np.round(fitted.coef_, 4).tolist(),
            "bias": np.round(fitted.intercept_, 4).tolist()}  # fmt: skip


def temperature(rows: Rows) -> dict[str, Any]:
    return fit_temperature(rows.logits, rows.labels, rows.weights, rows.frequencies())


def isotonic(rows: Rows) -> dict[str, Any]:
    """Each class by itself, on the network's probabilities with the frequencies of the classes."""
    prior = np.log(rows.frequencies())
    curves = fit_isotonic(softmax(rows.logits + prior), rows.labels, rows.weights)
    return {"method": "isotonic", "matrix": np.eye(3, 4).tolist(), "bias": prior.tolist(), "isotonic": curves}


METHODS: dict[str, Callable[[Rows], dict[str, Any]]] = {
    "vector": vector, "temperature": temperature, "isotonic": isotonic,
}  # fmt: skip


def out_of_fold(rows: Rows, fit: Callable[[Rows], Any]) -> np.ndarray:
    """(n, 3) probabilities of each lymph node by a calibration that did not see its patient."""
    folds = np.array(fold_of(rows.patients))
    probabilities = np.zeros((len(folds), len(CLASS_NAMES)))
    for fold in range(FOLDS):
        calibration = fit(rows.chosen(folds != fold))
        probabilities[folds == fold] = rows.chosen(folds == fold).probabilities(calibration)
    return probabilities


def comparison(rows: Rows, unseen: dict[str, np.ndarray], target: float) -> Table:
    """A row per method: log loss of the three classes, calibration of ENE, and what the class sets are worth."""
    folds, table = np.array(fold_of(rows.patients)), []
    sick = rows.labels >= P
    for name, probabilities in unseen.items():
        loss = -np.log(np.maximum(probabilities[np.arange(len(rows.labels)), rows.labels], 1e-6))
        score, truth = probabilities[sick, ENE], rows.labels[sick] == ENE
        covered, size = coverage_of_folds(probabilities, rows.labels, folds, target)
        everybody = calibration_error(probabilities[:, ENE], rows.labels == ENE)
        table.append((name, float(np.average(loss, weights=rows.weights)), brier(score, truth),
                      calibration_error(score, truth), everybody, *covered, size))  # fmt: skip
    columns = ("method", "log loss", "Brier, ENE against P", "calibration error, ENE against P",
               "calibration error, all", *(f"{name} covered" for name in CLASS_NAMES), "mean set size")  # fmt: skip
    return Table("calibration", "Calibration methods, out of fold", columns, table, decimals=3)


def coverage_of_folds(probabilities: np.ndarray, labels: np.ndarray, folds: np.ndarray, target: float):
    """Coverage per class and mean size of sets whose thresholds come from the other folds."""
    sets: list[tuple[str, ...]] = [()] * len(labels)
    for fold in range(FOLDS):
        conformal = fit_conformal(probabilities[folds != fold], labels[folds != fold], target)
        for row in np.flatnonzero(folds == fold):
            sets[row] = class_set(dict(zip(CLASS_NAMES, probabilities[row], strict=True)), conformal) or ()
    shares = coverage(sets, [CLASS_NAMES[label] for label in labels])
    return [shares.get(name) for name in CLASS_NAMES], float(np.mean([len(one) for one in sets]))


def rounded_down(conformal: dict[str, Any]) -> dict[str, Any]:
    """Thresholds with four digits: a little lower, so that no more is missed."""
    least = {name: float(np.floor(p * 1e4) / 1e4) for name, p in conformal["least_probability"].items()}
    return {**conformal, "least_probability": least}


if __name__ == "__main__":
    main()
