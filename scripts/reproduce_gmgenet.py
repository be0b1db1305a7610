"""GMGENet trained, cross-validated and tabled on simulated patients, in one command:

    python scripts/reproduce_gmgenet.py [configs/gmgenet.json] [--out runs/gmgenet] [--page docs/gmgenet_table.md]

It can be killed at any moment: the same command goes on. OUT/table holds the tables (CSV, Markdown), ROC curves and
box plots, OUT/NAME the model bundle, and OUT/heat_overlap.csv the Grad-CAM maps against the contours of ENE (also ECE),
which no network has seen.
--page also writes the page of the docs, its pictures into a folder beside it. Figures on simulated patients say
nothing about real ones. docs/gmgenet.md says what is as published and what is not.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import shutil
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from ece_core.evaluation.cross_validation import (
    CrossValidation,
    compare,
    methods_table,
    paired_t_test,
    pairs_table,
    write_comparison,
)
from ece_core.evaluation.figure_table import PValue, Spread, Table
from ece_core.explain.hottest_region import volume_of_interest
from ece_core.training.gmgenet.export import export_study
from ece_core.training.gmgenet.heat_picture import heat_picture
from ece_core.training.gmgenet.patients import cohort
from ece_core.training.gmgenet.settings import EXTRACTOR, load_settings
from ece_core.training.gmgenet.split import split_patients
from ece_core.training.gmgenet.study import DENSENET, GMGENET, PLAIN_CNN, Study, study
from ece_core.training.gmgenet.train import train_network

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "gmgenet.json"
# Wang et al., Med Phys 2024;51:2007: mean (SD) of accuracy, AUC, sensitivity and specificity.
PAPER = {
    GMGENET: [(0.902, 0.020), (0.911, 0.011), (0.909, 0.023), (0.895, 0.009)],
    DENSENET: [(0.712, 0.010), (0.740, 0.012), (0.696, 0.007), (0.729, 0.006)],
    PLAIN_CNN: [(0.528, 0.029), (0.607, 0.002), (0.681, 0.001), (0.652, 0.004)],
}
FIGURES = ("accuracy", "AUC", "sensitivity", "specificity")
DRAWN = 8  # patients
OVERLAP = {
    "in_box": "share of the contours inside the volume of interest",
    "in_center_box": "share inside a box of that size in the middle of the head and neck",
    "hit": "hottest voxel inside a contour",
    "dice": "Dice of the hottest 5 % with the contours",
    "enrichment": "mean heat inside the contours over that of the head and neck",
}
SENTENCE = (
    "**Our figures are from simulated patients, the paper's from real ones: they stand beside each other in form only, "
    "cannot be compared, and say nothing about performance in a clinic.**"
)


def main() -> None:
    asked = arguments()
    config = load_settings(asked.config)
    began = time.monotonic()
    found = study(config, asked.out, asked.device, lambda line: print(line, flush=True))
    minutes = spent(asked.out, time.monotonic() - began)
    comparison = compare(found.results)
    write_comparison(comparison, asked.out / "table")
    print(f"Model bundle: {export_study(config, asked.out, metrics(comparison))}")
    write_overlap(found, asked.out / "heat_overlap.csv")
    draw_heat(config, asked.out, asked.out / "table" / "heat.png")
    text = page(config, found, comparison, minutes, asked.page.stem if asked.page else "table")
    (asked.out / "table" / "page.md").write_text(text, encoding="utf-8")
    if asked.page:
        pictures = asked.page.with_suffix("")
        pictures.mkdir(parents=True, exist_ok=True)
        for picture in (asked.out / "table").glob("*.png"):
            shutil.copyfile(picture, pictures / picture.name)
        asked.page.write_text(text, encoding="utf-8")
    print(text)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, nargs="?", default=CONFIG)
    parser.add_argument("--out", type=Path, default=Path("runs/gmgenet"))
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument("--page", type=Path, help="also write this page, such as docs/gmgenet_table.md")
    return parser.parse_args(words)


def spent(out: Path, seconds: float) -> float:
    """Minutes of all runs so far together."""
    path = out / "seconds.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else 0.0
    path.write_text(json.dumps(before + seconds), encoding="utf-8")
    return (before + seconds) / 60


def metrics(comparison: CrossValidation) -> dict[str, Any]:
    """For the model card: mean and SD over folds of GMGENet and of its baselines."""
    rows = {row.method: {name: row.spread(name) for name in FIGURES} for row in comparison.methods}
    return {
        "note": "Simulated patients, five folds, calls at 0.5; mean and standard deviation over folds.",
        **{method: {name: spread and spread._asdict() for name, spread in row.items()} for method, row in rows.items()},
    }


def overlaps(found: Study) -> dict[str, dict[str, Any]]:
    """Of the patients with ENE (also ECE) whom the extractor has not seen."""
    return {name: each["overlap"] for name, each in found.volumes_of_interest.items() if each["overlap"] is not None}


def write_overlap(found: Study, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["patient", "guided", *OVERLAP])
        for name, overlap in overlaps(found).items():
            guided = int(found.volumes_of_interest[name]["guided"])
            rows.writerow([name, guided, *(float(overlap[key]) for key in OVERLAP)])


def draw_heat(config: dict[str, Any], out: Path, path: Path) -> None:
    """Of the first patients with ENE (also ECE) in the folds; the extractor has not seen them."""
    patients = cohort(config, out / "data")
    groups = split_patients(patients, config["extractor_patients"])
    extractor = train_network(config, EXTRACTOR, out / EXTRACTOR, groups.extractor)  # is trained: only loads
    shown = []
    for patient in [patient for patient in groups.rest if patient.has_ene and patient.contours().any()][:DRAWN]:
        volume = patient.volume()
        voi = volume_of_interest(extractor, volume, config["gradcam_layer"], tuple(config["voi_shape"]))
        shown.append((volume.array, voi, patient.contours()))
    if shown:
        heat_picture(shown).save(path, optimize=True)


def page(config: dict[str, Any], found: Study, comparison: CrossValidation, minutes: float, pictures: str) -> str:
    """Markdown: what was done, ours beside the paper's, tests, pictures, and the maps."""
    lines = [
        "# GMGENet: our table beside the paper's", "",
        "Written by `python scripts/reproduce_gmgenet.py --page docs/gmgenet_table.md`; do not edit. What it means: "
        "[gmgenet.md](gmgenet.md).", "", SENTENCE, "",
        about(config, found, minutes), "", "## Ours and the paper's", "", *beside(comparison).markdown(), "",
        "Mean (standard deviation) over five folds, calls at 0.5. Size and mean HU of the largest lymph node: "
        "a logistic curve over each as it was drawn, which no network is told; what one number alone can find.", "",
        *methods_table(comparison).markdown(), "", methods_table(comparison).caption, "",
        "## Are they different?", "", *pairs_table(comparison).markdown(), "", pairs_table(comparison).caption, "",
        *comparison.notes, *([""] if comparison.notes else []),
        f"![ROC curves of the pooled out-of-fold scores]({pictures}/roc.png)", "",
        *(f"![Box plot over folds: {name}]({pictures}/box_{name.lower()}.png)" for name in FIGURES), "",
        "## Grad-CAM against the contours of ENE", "", *maps(found, pictures),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def about(config: dict[str, Any], found: Study, minutes: float) -> str:
    left_out = f"; {found.left_out} scans without a nose or shoulders left out" if found.left_out else ""
    steps = ", ".join(f"{name} {network['steps']}" for name, network in config["networks"].items())
    return (
        f"{found.taught} simulated patients ({config['difficulty']}, seed {config['data_seed']}) taught the extractor "
        f"and nothing else; {found.judged} others in five folds{left_out}. Training seed {config['seed']}, steps: "
        f"{steps}. {minutes:.0f} minutes on {config['jobs']} processes, {platform.system()} {platform.machine()}, "
        f"{date.today().isoformat()}."
    )


def beside(comparison: CrossValidation) -> Table:
    rows: list[tuple] = []
    for row in comparison.methods:
        if row.method in PAPER:
            rows.append((f"{row.method}, paper", *(Spread(*each) for each in PAPER[row.method])))
        rows.append((f"{row.method}, ours", *(row.spread(name) for name in FIGURES)))
    return Table("beside", "Ours and the paper's", ("method", *FIGURES), rows, decimals=3)


def maps(found: Study, pictures: str) -> list[str]:
    rows = list(overlaps(found).values())
    guided = sum(bool(each["guided"]) for each in found.volumes_of_interest.values())
    lines = [
        f"Of {len(found.volumes_of_interest)} patients whom the extractor has not seen, {guided} have a map that is "
        "not zero everywhere; the others got a box in the middle of the head and neck.", "",
    ]  # fmt: skip
    if not rows:
        return [*lines, "None of them has ENE (also ECE)."]
    values = {key: [float(row[key]) for row in rows] for key in OVERLAP}
    table = [
        (words, Spread(float(np.mean(values[key])), float(np.std(values[key], ddof=1)) if len(rows) > 1 else None))
        for key, words in OVERLAP.items()
    ]
    lines += Table("maps", "", ("per patient", "mean (SD)"), table, decimals=3).markdown()
    test = paired_t_test(values["in_box"], values["in_center_box"])
    verdict = "" if test is None else (
        f" Guided box minus middle box: {test.difference:+.3f}, paired t-test over patients p {PValue(test.p).words()}."
    )  # fmt: skip
    seen = "Grad-CAM red, volume of interest yellow, contours of ENE cyan"
    return [
        *lines, "", f"{len(rows)} patients with ENE (also ECE).{verdict}", "",
        f"![{seen}]({pictures}/heat.png)", "",
        f"{seen}: first patients of the folds, the slice with most of the contours, which no network has seen; "
        "the box is drawn where it reaches the slice; heat is scaled per patient. Research use only.",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
