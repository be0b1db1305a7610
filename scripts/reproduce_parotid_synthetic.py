"""The parotid paper's synthetic experiment (Strijbis et al. 2025), in one command that can be killed and goes on:

    python scripts/reproduce_parotid_synthetic.py [configs/parotid_synthetic.json] [--out runs/parotid_synthetic]

A sphere folded round one end of a rod in a simulated head, six variations: a network each, Dice on its test heads
(`dice.csv`, `dice.md`), the seven maps of the first test heads (`maps_VARIATION.png`), and where the heat of each
method lies (`heat.csv`, `heat.md`). All heads are drawn from a seed; no patient takes part. docs/parotid.md says what
is as published and what is not.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from ece_core.errors import ECEError
from ece_core.evaluation.figure_table import Table
from ece_core.explain import Patterns, fit_patterns
from ece_core.training.parotid.cases import ParotidCase
from ece_core.training.parotid.maps import SEVEN, contour_maps
from ece_core.training.parotid.settings import load_settings
from ece_core.training.parotid.synthetic import draw_head
from ece_core.training.parotid.train import dices, probabilities, train_parotid
from ece_core.training.parotid.unet import ParotidUNet
from parotid_shared import as_input, montage, reporter, with_research_line, write_table
from PIL import Image
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
PAPER = {"S1": "0.0", "S2": "spheres at both ends", "S3": "> 0.9", "S4": "better than S3", "S5": "near perfect",
         "S6": "near perfect"}  # fmt: skip
REGIONS = ("inside", "border", "rod's ends", "rest of the rod", "elsewhere")
SHOWN = 2  # heads of those explained


def main() -> int:
    asked = _arguments()
    config = load_settings(asked.config, "parotid-synthetic")
    asked.out.mkdir(parents=True, exist_ok=True)
    for variation in config["variations"]:
        file = asked.out / variation / "figures.json"
        if not file.is_file():
            started = time.perf_counter()
            figures = one_variation(config, variation, asked.out)
            file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            seconds = time.perf_counter() - started
            print(f"{variation}: median Dice {np.median(figures['dice']):.3f}, {seconds:.0f} s", flush=True)
    _write_tables(config, asked.out)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, nargs="?", default=ROOT / "configs" / "parotid_synthetic.json")
    parser.add_argument("--out", type=Path, default=Path("runs/parotid_synthetic"))
    return parser.parse_args()


def heads(config: dict[str, Any], variation: str) -> list[list[ParotidCase]]:
    """Training, validation and test heads: other numbers, the same seed."""
    parts, first = [], 0
    for count in config["cases"]:
        part = []
        for number in range(first, first + count):
            head = draw_head(variation, config["seed"], number, config["edge"], config["noise"])
            name = f"{variation}_{number:04d}"
            part.append(ParotidCase(name, name, head.image, head.truth))
        parts.append(part)
        first += count
    return parts


def one_variation(config: dict[str, Any], variation: str, out: Path) -> dict[str, Any]:
    """Train, ask, explain."""
    train, validation, test = heads(config, variation)
    began = time.perf_counter()
    network = train_parotid(config, out / variation, train, config["epochs"], report=reporter(variation))
    seconds = time.perf_counter() - began
    patterns = fit_patterns(network, [as_input(case.image) for case in train[: config["pattern_images"]]])
    heat, rows = [], []
    for number, case in enumerate(test[: config["mapped_cases"]]):
        head = draw_head(variation, config["seed"], sum(config["cases"][:2]) + number, config["edge"], config["noise"])
        maps, seen = _maps(config, network, case, patterns)
        heat += [
            {"case": case.name, "method": method, "correlation": found.correlation, "explained": seen}
            | _where(found.heatmap, case.truth, head.rod)
            for method, found in maps.items()
        ]
        rows.append((case, maps))
    with_research_line(_montage(rows[:SHOWN], network)).save(out / f"maps_{variation}.png")
    return {
        "variation": variation, "dice": dices(network, test).tolist(),
        "validation_dice": dices(network, validation).tolist(), "heat": heat, "training_seconds": round(seconds),
    }  # fmt: skip


def _maps(config: dict[str, Any], network: ParotidUNet, case: ParotidCase, patterns: Patterns):
    """Of the predicted contour; where nothing is predicted (S1), of as many of the likeliest voxels as a sphere has."""
    found = probabilities(network, case.image)
    inside, seen = found >= 0.5, "predicted contour"
    if not inside.any():
        inside, seen = found >= np.sort(found, axis=None)[-100], "100 likeliest voxels"
    return contour_maps(network, case.image, inside, patterns, config["mapped_voxels"], config["cam_layer"]), seen


def _where(heatmap: np.ndarray, truth: np.ndarray, rod: np.ndarray) -> dict[str, float]:
    """Share of the heat in each region. Border: a voxel either side of the sphere's surface."""
    border = ndimage.binary_dilation(truth) & ~ndimage.binary_erosion(truth)
    inside = truth & ~border
    ends = _ends(rod) & ~border & ~inside
    rest = rod & ~ends & ~border & ~inside
    regions = (inside, border, ends, rest, ~(inside | border | ends | rest))
    total = max(float(heatmap.sum()), 1e-12)
    return {name: float(heatmap[region].sum() / total) for name, region in zip(REGIONS, regions, strict=True)}


def _ends(rod: np.ndarray) -> np.ndarray:
    """The outer fifths of the rod, a voxel wider; whether the rod can be seen or not."""
    places = np.argwhere(rod)
    axis = np.linalg.svd(places - places.mean(0), full_matrices=False)[2][0]
    along = (places - places.mean(0)) @ axis
    outer = np.zeros_like(rod)
    outer[tuple(places[np.abs(along) > 0.6 * np.abs(along).max()].T)] = True
    return ndimage.binary_dilation(outer)


def _write_tables(config: dict[str, Any], out: Path) -> None:
    found = [json.loads((out / v / "figures.json").read_text(encoding="utf-8")) for v in config["variations"]]
    rows = []
    for figures in found:
        low, middle, high = np.quantile(figures["dice"], (0.25, 0.5, 0.75)).tolist()
        name, mean = figures["variation"], float(np.mean(figures["dice"]))
        rows.append((name, PAPER[name], middle, low, high, mean, len(figures["dice"])))
    columns = ("variation", "paper", "median Dice", "first quartile", "third quartile", "mean", "test heads")
    write_table(Table("dice", "Dice", columns, rows), out)
    rows = []
    for figures in found:
        for method, (words, _) in SEVEN.items():
            own = [row for row in figures["heat"] if row["method"] == method]
            shares = [float(np.mean([row[name] for row in own])) for name in REGIONS]
            rows.append((figures["variation"], words, *shares, float(np.mean([row["correlation"] for row in own]))))
    columns = ("variation", "method", *REGIONS, "correlation with the exact sum")
    write_table(Table("heat", "Where the heat lies", columns, rows), out)


def _montage(rows, network: ParotidUNet) -> Image.Image:
    """A row per head: the image, truth and prediction, then the seven maps, in the slice with most of the sphere."""
    cells = []
    for case, maps in rows:
        k = int(case.truth.sum((1, 2)).argmax())
        seen = [(case.image[k] + 1) / 3, case.truth[k], probabilities(network, case.image)[k]]
        cells.append([*seen, *(maps[method].heatmap[k] for method in SEVEN)])
    return montage(["head", "truth", "probability", *(words for words, _ in SEVEN.values())], cells)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except ECEError as error:
        raise SystemExit(str(error)) from error
