"""Counterfactual twins: is the probability of ENE higher with the breach than with the capsule repaired?

    python scripts/evaluate_twins.py BUNDLE WORK [--patients 60] [--seed 303] [--outline own] [--out twins.json]

Each simulated ENE lymph node is scanned twice with the same noise: with its breach and with its capsule whole
(`SimulatedLymphNode.repaired`). --outline own: each with its own true outline, so that the outline tells of the breach,
too; repaired: both with that of the twin, so that only the CT does. WORK/SEED keeps the blocks, as evaluate_crops.py
does.
"""

from __future__ import annotations

import argparse
import json
import platform
from datetime import date
from pathlib import Path

import numpy as np
from ece_core.evaluation.twins import twin_figures, twin_table
from ece_core.geometry import affine_from
from ece_core.models import load_bundle
from ece_core.models.bundle import Bundle
from ece_core.models.node_classifier import Crop, classify_crop
from ece_core.preprocessing import tight_block
from ece_core.training.simulated_data import classification_crops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--seed", type=int, default=303, help="the training configs use 101 and 202")
    parser.add_argument("--difficulty", help="default: that of the training")
    parser.add_argument("--outline", choices=("own", "repaired"), default="own")
    parser.add_argument("--out", type=Path, help="figures as JSON")
    asked = parser.parse_args()
    bundle = load_bundle(asked.bundle)
    difficulty = asked.difficulty or bundle.spec["training"]["difficulty"]
    own = asked.outline == "own"
    patients = [pairs_of(bundle, asked.work, asked.seed, number, difficulty, own) for number in range(asked.patients)]
    figures, table = twin_figures(patients), twin_table(patients)
    about = {"model": f"{bundle.name} {bundle.version}", "patients": asked.patients, "seed": asked.seed,
             "difficulty": difficulty, "outline": asked.outline,
             "machine": platform.machine(), "date": date.today().isoformat()}  # fmt: skip
    if asked.out:
        asked.out.write_text(json.dumps({**about, "figures": figures}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({**about, "figures": figures}, indent=2))
    print("\n".join(table.markdown()))


def pairs_of(bundle: Bundle, work: Path, seed: int, number: int, difficulty: str, own: bool) -> np.ndarray:
    """(n, 4) of one patient, as :func:`ece_core.evaluation.twins.twin_figures` takes them."""
    folder = work / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    shape, spacing = tuple(bundle.spec["input"]["patch_size"]), tuple(bundle.spec["input"]["spacing_mm"])
    with np.load(classification_crops(folder, seed, number, difficulty, shape, spacing)) as crops:
        twins = np.flatnonzero(crops["twin"])  # each follows its ENE
        hu, mask, extent, signs = (crops[name] for name in ("hu", "mask", "extent_mm", "signs"))
    rows = []
    for twin in twins.tolist():
        breached = probability(bundle, hu[twin - 1], mask[twin - 1 if own else twin], spacing)
        repaired = probability(bundle, hu[twin], mask[twin], spacing)
        rows.append((breached, repaired, extent[twin - 1], float(signs[twin - 1].any())))
    return np.array(rows, float).reshape(-1, 4)


def probability(bundle: Bundle, hu: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    inputs = bundle.spec["input"]
    image, _ = tight_block(hu, mask, spacing, inputs["windows_hu"], inputs["margin_mm"])
    return classify_crop(bundle, Crop(image, affine_from(spacing)))["ece_probability"]


if __name__ == "__main__":
    main()
