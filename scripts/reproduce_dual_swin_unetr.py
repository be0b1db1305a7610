"""The dual-output SwinUNETR of AAPM 2026 (abstract 1550) on simulated patients, with and without pretraining.

    python scripts/reproduce_dual_swin_unetr.py [--work runs/dual_swin_unetr] [--real-ct OPENKBP]

Pretrains on unlabeled CT, makes the simulated patients, trains five folds from fresh weights and the same five from the
pretrained encoder, and writes docs/dual_swin_unetr_tables.md and its pictures. The same command goes on where it was
stopped. --real-ct: a folder of OpenKBP arrays (hu, spacing_zyx_mm), unlabeled; without it only simulated CT is
pretrained on. Seeds and sizes stand in configs/pretrain.json and configs/dual_swin_unetr.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from ece_core.evaluation.bootstrap import figure
from ece_core.evaluation.cross_validation import (
    CrossValidation,
    compare,
    methods_table,
    paired_t_test,
    pairs_table,
    pictures,
)
from ece_core.evaluation.figure_table import PValue, Spread, Table
from ece_core.evaluation.roc import auc
from ece_core.training.folds import NUMBERED, split
from ece_core.training.main import load_config
from ece_core.training.main import main as train
from ece_core.training.swin.dual import PREDICTIONS, Prediction, read_predictions, train_fold
from ece_core.training.swin.patients import Patient, load_patients

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PLAIN, PRETRAINED = "no pretraining", "masked-autoencoder pretraining"
SIZE, HU = "size of the contour alone", "mean HU of the contour alone"
ARMS = {PLAIN: "plain", PRETRAINED: "pretrained"}
SENTENCE = (
    "**Our figures are from simulated patients, the paper's from real ones: they stand beside each other in form only, "
    "cannot be compared, and say nothing about performance in a clinic.**"
)
Answers = dict[str, list[list[Prediction]]]  # arm -> fold -> patients


def main() -> int:
    asked = _arguments()
    pretrained = train("pretrain", asked.pretrain_config, asked.work / "pretraining", asked.real_ct, report=say)
    config = load_config("classification", asked.config)
    patients = load_patients(config, asked.work / "data")
    answers = cross_validate(config, asked.work, pretrained, asked.jobs)
    write_page(asked.page, config, patients, answers, asked.work / "pretraining", pretrained)
    print(f"Written: {asked.page}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/dual_swin_unetr"))
    parser.add_argument("--real-ct", type=Path, metavar="DIR")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "dual_swin_unetr.json")
    parser.add_argument("--pretrain-config", type=Path, default=ROOT / "configs" / "pretrain.json")
    parser.add_argument("--jobs", type=int, default=2, help="folds that are trained at the same time (default: 2)")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "dual_swin_unetr_tables.md")
    return parser.parse_args()


def say(stage: str, fraction: float) -> None:
    print(f"{stage} {100 * fraction:.0f} %", flush=True)


def cross_validate(config: dict[str, Any], work: Path, pretrained: Path, jobs: int) -> Answers:
    """Both arms on the same folds, from the same fresh weights but for the encoder's; ``jobs`` at the same time."""
    settings = {PLAIN: config, PRETRAINED: {**config, "start_from": str(pretrained)}}
    tasks = [(settings[arm], work, ARMS[arm], fold) for fold in NUMBERED for arm in ARMS]
    if jobs <= 1:
        found = [_fold(*task) for task in tasks]
    else:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _share_cores, (jobs,)) as pool:
            found = list(pool.map(_fold, *zip(*tasks, strict=True)))
    return {arm: [read_predictions(path) for path in found[n :: len(ARMS)]] for n, arm in enumerate(ARMS)}


def _share_cores(jobs: int) -> None:
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))


def _fold(config: dict[str, Any], work: Path, arm: str, fold: str) -> Path:
    print(f"{arm}, fold {fold}", flush=True)
    bundle = train_fold(config, load_patients(config, work / "data"), work / arm, fold=fold)
    return bundle.parent / PREDICTIONS


def write_page(
    page: Path, config: dict[str, Any], patients: Sequence[Patient], answers: Answers, pretraining: Path, bundle: Path
) -> None:
    """The page, its pictures in a folder beside it, and the tables as CSV there."""
    paper = json.loads((HERE / "dual_swin_unetr_paper.json").read_text(encoding="utf-8"))
    comparison = compare({**scores_of(answers), **baselines(patients)})
    tables = [beside_the_paper(paper, answers), regions(answers), methods_table(comparison), pairs_table(comparison)]
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    shown = pictures(comparison)
    for name, image in shown.items():
        image.save(folder / f"{name}.png", optimize=True)
    for table in tables:
        (folder / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
    card = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    lines = [
        "# The dual-output SwinUNETR: the paper's figures, and ours beside them", "",
        "Written by `python scripts/reproduce_dual_swin_unetr.py`; do not edit. What is as in the paper and what is "
        "ours: [dual_swin_unetr.md](dual_swin_unetr.md).", "", SENTENCE, "",
        f"Paper: {paper['reference']}: {paper['data']}.", "",
        f"Ours: {_source(config, patients)} Pretraining: {card['training_data']} {verdict(comparison)}",
    ]  # fmt: skip
    for table in tables:
        lines += ["", f"## {table.title}", "", *table.markdown(), "", table.caption]
    lines += [f"\n{note}" for note in comparison.notes]
    lines += ["", "## What pretraining learned", "", *_reconstruction(pretraining)]
    lines += ["", "## Pictures", ""]
    lines += [f"![{name}]({folder.name}/{name}.png)" for name in shown]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _source(config: dict[str, Any], patients: Sequence[Patient]) -> str:
    positive = sum(patient.has_ece for patient in patients)
    return (
        f"{len(patients)} simulated patients with metastases, {positive} with ECE ({config['difficulty']}, seed "
        f"{config['data_seed']}), five folds, training seed {config['seed']}, {config['steps']} steps of "
        f"{config['batch_size']} each; {date.today().isoformat()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} CPU cores."
    )


def scores_of(answers: Answers) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Per arm and fold: probabilities and labels of the patients who were kept out."""
    return {
        arm: [(np.array([p.probability for p in fold]), np.array([p.has_ece for p in fold])) for fold in folds]
        for arm, folds in answers.items()
    }


def baselines(patients: Sequence[Patient]) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """What size alone and mean HU alone say, on the same folds; cut-offs from the patients of training."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {SIZE: [], HU: []}
    for fold in NUMBERED:
        learned, kept_out = split(patients, [patient.name for patient in patients], fold)
        truth = np.array([patient.has_ece for patient in learned])
        for method, name in ((SIZE, "largest_mm"), (HU, "mean_hu")):
            known, asked = (np.array([getattr(p, name) for p in group]) for group in (learned, kept_out))
            found[method].append((one_number(known, truth, asked), np.array([p.has_ece for p in kept_out])))
    return found


def one_number(known: np.ndarray, truth: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """0 to 1, rising with the number; 0.5 where sensitivity plus specificity is highest among the known."""
    values = np.unique(known)
    cuts = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    gains = [(known >= cut)[truth].mean() - (known >= cut)[~truth].mean() for cut in cuts]
    cut, spread = cuts[int(np.argmax(gains))], max(float(known.std()), 1e-6)
    return 1 / (1 + np.exp(-(asked - cut) / spread))


def beside_the_paper(paper: dict[str, Any], answers: Answers) -> Table:
    """All patients, each answered by the network that had not seen him."""
    names = ("Dice", "AUC", "accuracy", "sensitivity", "specificity", "F1")
    ours = {arm: pooled_figures([p for fold in folds for p in fold]) for arm, folds in answers.items()}
    rows = [
        (name, paper["without"].get(name), ours[PLAIN][name], paper["with"].get(name), ours[PRETRAINED][name])
        for name in names
    ]
    columns = ("", "paper, without", "ours, without", "paper, with", "ours, with")
    caption = (
        "With and without pretraining. Ours: out-of-fold answers of all patients, 95 % bootstrap interval over "
        "patients, calls at 0.5; Dice is the mean over patients. The paper gives no intervals: its 23 test patients "
        "leave about 0.74 to 1.0 for the AUC of 0.886."
    )
    return Table("beside_the_paper", "Beside the paper", columns, rows, caption, decimals=3)


def pooled_figures(answers: Sequence[Prediction]) -> dict[str, dict | None]:
    """Figure -> {value, low, high}."""
    probability = np.array([p.probability for p in answers])
    truth, called = np.array([p.has_ece for p in answers]), probability >= 0.5
    overlap, patient = np.array([p.dice for p in answers]), [np.array([n]) for n in range(len(answers))]

    def share(of: np.ndarray, among: np.ndarray) -> float | None:
        return float(of[among].mean()) if among.any() else None

    statistics = {
        "Dice": lambda rows: float(overlap[rows].mean()),
        "AUC": lambda rows: auc(probability[rows], truth[rows]),
        "accuracy": lambda rows: float((called == truth)[rows].mean()),
        "sensitivity": lambda rows: share(called[rows], truth[rows]),
        "specificity": lambda rows: share(~called[rows], ~truth[rows]),
        "F1": lambda rows: f1(called[rows], truth[rows]),
    }
    return {name: figure(statistic, patient) for name, statistic in statistics.items()}


def f1(called: np.ndarray, truth: np.ndarray) -> float | None:
    """2 TP / (2 TP + FP + FN); None where nothing is called and nothing is there."""
    total = int(called.sum() + truth.sum())
    return None if total == 0 else float(2 * (called & truth).sum() / total)


def regions(answers: Answers) -> Table:
    """Dice of the region over folds, and a paired t-test."""
    means = {arm: [float(np.mean([p.dice for p in fold])) for fold in folds] for arm, folds in answers.items()}
    test = paired_t_test(means[PRETRAINED], means[PLAIN])
    rows: list[tuple] = [
        (arm, Spread(float(np.mean(values)), float(np.std(values, ddof=1))), *values) for arm, values in means.items()
    ]
    difference = [a - b for a, b in zip(means[PRETRAINED], means[PLAIN], strict=True)]
    rows.append(("difference", Spread(float(np.mean(difference)), float(np.std(difference, ddof=1))), *difference))
    p = "not defined" if test is None else PValue(test.p).words()
    caption = f"Mean (standard deviation) over folds, then each fold. Paired t-test of the difference: p {p}."
    columns = ("Dice of the region", "folds", *(f"fold {fold}" for fold in NUMBERED))
    return Table("regions", "Where the nodal region is", columns, rows, caption, decimals=3)


def verdict(comparison: CrossValidation) -> str:
    """One sentence, whichever way it went."""
    pair = next(row for row in comparison.pairs if {row.first, row.second} == {PLAIN, PRETRAINED})
    if pair.auc is None or pair.auc.low is None or pair.auc.high is None:
        return "Whether pretraining helped cannot be said of these patients."
    sign = 1 if pair.first == PRETRAINED else -1
    low, high = sorted((sign * pair.auc.low, sign * pair.auc.high))
    words = f"{sign * pair.auc.difference:+.3f} ({low:+.3f} to {high:+.3f})"
    if low > 0:
        return f"**Pretraining raised the AUC by {words}.**"
    if high < 0:
        return f"**Pretraining lowered the AUC: {words}.**"
    return f"**Pretraining did not change the AUC beyond chance: {words}.**"


def _reconstruction(pretraining: Path) -> list[str]:
    with (pretraining / "validation.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    table = Table(
        "reconstruction", "", ("step", "error on hidden voxels", "error of saying the mean image"),
        [(int(row["step"]), float(row["masked_error"]), float(row["of_the_mean_image"])) for row in rows], decimals=4,
    )  # fmt: skip
    return [
        *table.markdown(), "",
        "Mean absolute error on scans that were not learned from, as a share of the window's width. Anatomy in "
        "general, without a look at this patient, says the mean image.",
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
