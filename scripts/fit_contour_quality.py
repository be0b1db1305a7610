"""Fits contour quality of a segmentation model on simulated patients with known truth, and saves it beside its weights.

    ece simulate WORK/cohort --cases 40 --seed 5001
    for c in WORK/cohort/case_*; do ece segment $c/ct.nii.gz WORK/results/$(basename $c); done
    .venv/bin/python scripts/fit_contour_quality.py Resources/Models/lymph-node-unet --cohort WORK/cohort \
        --results WORK/results --test-cohort OTHER/cohort --test-results OTHER/results --work WORK/profiles

Every lymph node that was found is explained by each of ``--methods``, the one whose first component tells the worst
15 % Dice best is kept, and that one is then tried on the test cohort, which took no part in the choice. Beside it stand
the AUC of volume and of the network's own confidence, which need no explanation. ``--work`` keeps the profiles of each
patient: a broken run goes on where it stopped. Only for models that the profiles were made with: fit again after every
training.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ece_core.evaluation.contours import auc_of_worst
from ece_core.evaluation.overlap import Overlap
from ece_core.explain.contour import contour_attribution, contour_crop
from ece_core.explain.contour_quality import WORST, ContourQuality, contour_profile, fit_contour_quality, is_worst
from ece_core.explain.euler_profile import THRESHOLDS
from ece_core.export.result import read_result
from ece_core.export.seg_nrrd import read_seg_nrrd
from ece_core.io import read_ct
from ece_core.io.image_files import read_labelmap
from ece_core.models.bundle import Bundle, load_bundle

METHODS = ("gradient-x-input", "gradient", "lrp-zplus")  # linear, one or two backward passes per lymph node


@dataclass(frozen=True, eq=False)
class Cohort:
    """Lymph nodes of many patients: profiles (n, methods, t), and per lymph node Dice, volume, confidence, patient."""

    profiles: np.ndarray
    dice: np.ndarray
    volume_mm3: np.ndarray
    confidence: np.ndarray
    patient: np.ndarray


def main() -> None:
    asked = _arguments()
    bundle = load_bundle(asked.bundle)
    dev = collected(bundle, asked.cohort, asked.results, asked.methods, asked.work / "dev", asked.cases)
    fits = {method: _fit(asked, bundle, dev, at, method) for at, method in enumerate(asked.methods)}
    found = {method: _auc(fit.scores(dev.profiles[:, at]), dev) for at, (method, fit) in enumerate(fits.items())}
    chosen = max(found, key=lambda method: found[method]["auc"]["value"])
    report = {
        "lymph_nodes": len(dev.dice), "patients": len(np.unique(dev.patient)), "worst_share": WORST,
        "worst_dice_up_to": round(float(np.quantile(dev.dice, WORST)), 3), "auc_by_method": found, "chosen": chosen,
        "auc_of_volume": _auc(dev.volume_mm3, dev), "auc_of_confidence": _auc(dev.confidence, dev),
        "risks": _risks(fits[chosen], dev, asked.methods.index(chosen)),
    }  # fmt: skip
    if asked.test_cohort:
        report["test"] = _tested(bundle, asked, fits[chosen])
    file = fits[chosen].save(asked.bundle)
    (asked.work / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    print("wrote", file.name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--cohort", type=Path, required=True, help="of ece simulate")
    parser.add_argument("--results", type=Path, required=True, help="of ece segment or analyze, a folder per case")
    parser.add_argument("--test-cohort", type=Path)
    parser.add_argument("--test-results", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--cases", type=int, help="only so many patients of the cohort")
    parser.add_argument("--test-cases", type=int, help="only so many patients of the test cohort")
    return parser.parse_args()


def collected(
    bundle: Bundle, cohort: Path, results: Path, methods: list[str], work: Path, cases: int | None
) -> Cohort:
    """All lymph nodes that were found, one file a patient."""
    work.mkdir(parents=True, exist_ok=True)
    folders = sorted(folder for folder in results.iterdir() if (folder / "result.json").is_file())[:cases]
    rows: list[dict[str, np.ndarray]] = []
    for number, folder in enumerate(folders):
        file = work / f"{folder.name}.npz"
        if not file.is_file():
            started = time.perf_counter()
            np.savez(file, **_one_patient(bundle, cohort / folder.name, folder, methods))
            print(f"{folder.name}: {time.perf_counter() - started:.0f} s", flush=True)
        with np.load(file) as stored:
            if list(stored["methods"]) != methods:
                raise SystemExit(f"{work.name} holds profiles of other methods: empty it first.")
            rows.append({key: stored[key] for key in stored.files} | {"patient": np.full(len(stored["dice"]), number)})
    return Cohort(
        *(np.concatenate([row[k] for row in rows]) for k in ("profiles", "dice", "volume_mm3", "confidence", "patient"))
    )


def _one_patient(bundle: Bundle, case: Path, folder: Path, methods: list[str]) -> dict[str, np.ndarray]:
    ct = read_ct(case / "ct.nii.gz").volume
    instances, _ = read_seg_nrrd(folder / "lymph_nodes.seg.nrrd")
    truth = read_labelmap(case / "instances.nii.gz")
    nodes = {node.label: node for node in read_result(folder).lymph_nodes}
    overlap = Overlap.of(truth.array.astype(int), instances.array.astype(int))
    profiles = np.zeros((len(overlap.predicted_labels), len(methods), THRESHOLDS))
    for row, label in enumerate(overlap.predicted_labels):
        crop = contour_crop(bundle, ct, instances, int(label))
        for at, method in enumerate(methods):
            profiles[row, at] = contour_profile(contour_attribution(bundle, crop, method, "cpu"), crop.inside)
    return {
        "methods": np.array(methods),
        "profiles": profiles,
        "dice": _dice(overlap),
        "volume_mm3": np.array([nodes[int(label)].volume_mm3 or 0.0 for label in overlap.predicted_labels]),
        "confidence": np.array([nodes[int(label)].detection_probability or 0 for label in overlap.predicted_labels]),
    }


def _dice(overlap: Overlap) -> np.ndarray:
    """Of each predicted lymph node with the true one that it shares most with; 0 of what is none."""
    best = overlap.best_truth()
    columns = np.arange(len(best))
    if not len(overlap.true_labels):
        return np.zeros(len(best))
    dice = 2 * overlap.shared[best, columns] / (overlap.true_voxels[best] + overlap.predicted_voxels)
    return np.where(best < 0, 0.0, dice)


def _fit(asked: argparse.Namespace, bundle: Bundle, dev: Cohort, at: int, method: str) -> ContourQuality:
    seed = json.loads((asked.cohort / "manifest.json").read_text(encoding="utf-8"))["seed"]
    words = f"{len(dev.dice)} lymph nodes found in {len(np.unique(dev.patient))} simulated patients of seed {seed}"
    return fit_contour_quality(dev.profiles[:, at], dev.dice, method, bundle.sha256, words)


def _auc(scores: np.ndarray, cohort: Cohort) -> dict[str, object]:
    """Of telling the worst Dice, with a 95 % interval over patients; and without what is no lymph node at all."""
    real = cohort.dice > 0
    return {
        "auc": _rounded(auc_of_worst(scores, is_worst(cohort.dice), cohort.patient)),
        "auc_of_true_lymph_nodes": _rounded(
            auc_of_worst(scores[real], is_worst(cohort.dice[real]), cohort.patient[real])
        ),
    }


def _rounded(figures: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 3) for name, value in figures.items()}


def _risks(fit: ContourQuality, cohort: Cohort, at: int) -> dict[str, dict[str, float]]:
    risks = np.array([fit.risk(score) for score in fit.scores(cohort.profiles[:, at])])
    worst = is_worst(cohort.dice)
    return {
        name: {
            "lymph_nodes": int((risks == name).sum()),
            "of_the_worst": round(float((risks[worst] == name).mean()), 3),
            "median_dice": round(float(np.median(cohort.dice[risks == name])), 3),
        }
        for name in ("low", "moderate", "high")
        if (risks == name).any()
    }


def _tested(bundle: Bundle, asked: argparse.Namespace, fit: ContourQuality) -> dict[str, object]:
    test = collected(bundle, asked.test_cohort, asked.test_results, [fit.method], asked.work / "test", asked.test_cases)
    expected = fit.dice(fit.scores(test.profiles[:, 0]))
    return {
        "lymph_nodes": len(test.dice), "patients": len(np.unique(test.patient)),
        "topology": _auc(fit.scores(test.profiles[:, 0]), test), "auc_of_volume": _auc(test.volume_mm3, test),
        "auc_of_confidence": _auc(test.confidence, test), "risks": _risks(fit, test, 0),
        "mean_error_of_expected_dice": round(float(np.abs(expected - test.dice).mean()), 3),
    }  # fmt: skip


if __name__ == "__main__":
    main()
