"""The parotid paper's experiment on real planning CT (Strijbis et al. 2025), in one command that goes on when killed:

    python scripts/reproduce_parotid_real.py --real-ct FOLDER [configs/parotid_real.json] [--out runs/parotid_real]

FOLDER holds OpenKBP as arrays (pt_*.npz, labels.json). Single parotids, split by patient (configs/parotid_split.json,
names only). Two networks: plain, and auto-curated: the training glands that a network early
in training does worst on are left out. On the test glands: Dice (`dice.md`), the seven maps, the Euler profile inside
each predicted contour, its first component, and the AUC of "worst 15 % Dice" per method beside the paper's (`auc.md`),
fitted on the test glands themselves as the paper does, and held out by patient; and the maps of the worst, a middling
and the best outline (`maps_*.png`). Nothing that is written holds a voxel of a patient's CT, nor do the work folder's
caches.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from ece_core.errors import ECEError, InputError
from ece_core.evaluation.contours import auc_of_worst, held_out_scores
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.plots import line_plot
from ece_core.evaluation.roc import roc_curve
from ece_core.explain import fit_patterns
from ece_core.explain.contour_quality import CannotFitError, fit_contour_quality, is_worst
from ece_core.explain.euler_profile import THRESHOLDS, euler_profile
from ece_core.training.parotid.cases import ParotidCase, dice_of
from ece_core.training.parotid.maps import SEVEN, contour_maps
from ece_core.training.parotid.real import PARTS, read_parotids, read_split
from ece_core.training.parotid.settings import load_settings
from ece_core.training.parotid.train import dices, probabilities, train_parotid, without_the_worst
from ece_core.training.parotid.unet import ParotidUNet
from parotid_shared import as_input, montage, reporter, with_research_line, write_table

ROOT = Path(__file__).resolve().parents[1]
PAPER_DICE = {"plain": "0.858 [0.827-0.880]", "curated": "0.877 [0.855-0.897]"}
Cases = dict[str, list[ParotidCase]]


def main() -> int:
    asked = _arguments()
    config = load_settings(asked.config, "parotid-real")
    if asked.real_ct is None:
        raise InputError("No folder with real CT was given.", "Add --real-ct FOLDER with OpenKBP's pt_*.npz.")
    asked.out.mkdir(parents=True, exist_ok=True)
    split = read_split(asked.split)
    places = (config["edge"], config["spacing_mm"], config["window_hu"], config["jitter_mm"], config["seed"])
    cases = {part: read_parotids(asked.real_ct, split[part], *places) for part in PARTS}
    print({part: len(found) for part, found in cases.items()}, flush=True)
    networks = train_both(config, cases, asked.out)
    explained = {name: explain_all(config, net, cases, asked.out / name) for name, net in networks.items()}
    write_dice(networks, cases, asked.out)
    write_auc(explained, asked.out)
    draw_maps(config, networks, explained, cases, asked.out)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, nargs="?", default=ROOT / "configs" / "parotid_real.json")
    parser.add_argument("--real-ct", type=Path, metavar="FOLDER")
    parser.add_argument("--split", type=Path, default=ROOT / "configs" / "parotid_split.json")
    parser.add_argument("--out", type=Path, default=Path("runs/parotid_real"))
    return parser.parse_args()


def train_both(config: dict[str, Any], cases: Cases, out: Path) -> dict[str, ParotidUNet]:
    """Plain; and anew on what is left when the worst by a network early in training are removed."""
    train = cases["train"]
    plain = train_parotid(config, out / "plain", train, config["epochs"]["plain"], report=reporter("plain"))
    early = train_parotid(config, out / "early", train, config["curate_after"], report=reporter("early"))
    kept = without_the_worst(train, dices(early, train), config["curate_share"])
    (out / "kept.json").write_text(json.dumps([case.name for case in kept], indent=1) + "\n", encoding="utf-8")
    curated = train_parotid(config, out / "curated", kept, config["epochs"]["curated"], report=reporter("curated"))
    return {"plain": plain, "curated": curated}


def explain_all(config: dict[str, Any], network: ParotidUNet, cases: Cases, work: Path) -> dict[str, np.ndarray]:
    """{profiles (n, methods, t), correlation (n, methods), dice (n,), patient (n,)} of the test glands.

    Kept gland by gland in ``work``; nothing in it shows a patient.
    """
    folder = work / f"profiles_{config['cam_layer']}_{config['mapped_voxels']}"  # other maps, other folder
    folder.mkdir(parents=True, exist_ok=True)
    patterns = None
    rows: list[dict[str, np.ndarray]] = []
    test = cases["test"][: config["mapped_cases"]]
    for number, case in enumerate(test, start=1):
        file = folder / f"{case.name}.npz"
        if not file.is_file():
            if patterns is None:
                images = [as_input(one.image) for one in cases["train"][: config["pattern_images"]]]
                patterns = fit_patterns(network, images)
            started = time.perf_counter()
            part = file.with_suffix(".part.npz")
            np.savez(part, **_one(config, network, case, patterns))
            part.replace(file)
            seconds = time.perf_counter() - started
            print(f"{work.name}: gland {number} of {len(test)} explained, {seconds:.0f} s", flush=True)
        with np.load(file, allow_pickle=False) as stored:
            rows.append({key: stored[key] for key in stored.files})
    together = {key: np.stack([row[key] for row in rows]) for key in ("profiles", "correlation", "dice")}
    return together | {"patient": np.array([case.patient for case in test])}


def _one(config: dict[str, Any], network: ParotidUNet, case: ParotidCase, patterns) -> dict[str, np.ndarray]:
    inside = probabilities(network, case.image) >= 0.5
    profiles, correlation = np.zeros((len(SEVEN), THRESHOLDS)), np.ones(len(SEVEN))
    if inside.any():
        voxels, layer = config["mapped_voxels"], config["cam_layer"]
        for at, found in enumerate(contour_maps(network, case.image, inside, patterns, voxels, layer).values()):
            profiles[at], correlation[at] = euler_profile(found.heatmap, inside), found.correlation
    return {"profiles": profiles, "correlation": correlation, "dice": np.array(dice_of(inside, case.truth))}


def draw_maps(
    config: dict[str, Any], networks: dict[str, ParotidUNet], explained: dict[str, dict[str, np.ndarray]], cases: Cases,
    out: Path,
) -> None:  # fmt: skip
    """Probability and the seven maps of three test glands, in the slice with most of the outline; no CT below them."""
    images = [as_input(one.image) for one in cases["train"][: config["pattern_images"]]]
    for name, network in networks.items():
        picture = out / f"maps_{name}.png"
        by_dice = [number for number in np.argsort(explained[name]["dice"]) if explained[name]["dice"][number] > 0]
        if picture.is_file() or not by_dice:
            continue
        patterns, rows = fit_patterns(network, images), []
        for number in (by_dice[0], by_dice[len(by_dice) // 2], by_dice[-1]):
            image = cases["test"][number].image
            found = probabilities(network, image)
            maps = contour_maps(network, image, found >= 0.5, patterns, config["mapped_voxels"], config["cam_layer"])
            k = int((found >= 0.5).sum((1, 2)).argmax())
            rows.append([found[k], *(maps[method].heatmap[k] for method in SEVEN)])
        titles = ["probability", *(words for words, _ in SEVEN.values())]
        with_research_line(montage(titles, rows)).save(picture)


def write_dice(networks: dict[str, ParotidUNet], cases: Cases, out: Path) -> None:
    rows = []
    for name, network in networks.items():
        for part in ("validation", "test"):
            found = dices(network, cases[part])
            low, middle, high = np.quantile(found, (0.25, 0.5, 0.75)).tolist()
            paper = PAPER_DICE[name] if part == "test" else None
            rows.append((name, part, len(found), middle, low, high, paper))
    columns = ("training", "part", "glands", "median Dice", "first quartile", "third quartile", "paper (external test)")
    write_table(Table("dice", "Dice", columns, rows, decimals=3), out)


def write_auc(explained: dict[str, dict[str, np.ndarray]], out: Path) -> None:
    """AUC per method and network; ROC curves; Dice, score and patient's name of each gland."""
    rows, scatter = [], []
    for name, found in explained.items():
        worst = is_worst(found["dice"])
        curves = []
        for at, (words, paper) in enumerate(SEVEN.values()):
            profiles = found["profiles"][:, at]
            try:
                fit = fit_contour_quality(profiles, found["dice"])
                held_out = held_out_scores(profiles, found["dice"], found["patient"])
            except CannotFitError:
                rows.append((name, words, paper, None, None, None, float(found["correlation"][:, at].mean())))
                continue
            scores = fit.scores(profiles)
            here = auc_of_worst(scores, worst, found["patient"])
            there = auc_of_worst(held_out, worst, found["patient"])
            risks = sum(fit.risk(score) == "high" for score in scores)
            rows.append((name, words, paper, here, there, risks, float(found["correlation"][:, at].mean())))
            curves.append((f"{words}: {here['value']:.2f}", list(zip(*roc_curve(-scores, worst), strict=True))))
            scatter += [
                (name, words, patient, dice, score, expected)
                for patient, dice, score, expected in zip(
                    found["patient"], found["dice"], scores, fit.dice(scores), strict=True
                )
            ]
        if curves:
            plot = line_plot(curves, ("1 - specificity", "sensitivity"), diagonal=True)
            with_research_line(plot).save(out / f"roc_{name}.png")
    columns = ("training", "method", "paper's AUC", "AUC", "AUC held out by patient", "glands of high risk",
               "correlation with the exact sum")  # fmt: skip
    write_table(Table("auc", "AUC of the worst 15 % Dice", columns, rows), out)
    with (out / "scatter.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("training", "method", "patient", "dice", "first_component", "expected_dice"))
        writer.writerows(scatter)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except ECEError as error:
        raise SystemExit(str(error)) from error
