"""The classifier alone, on blocks around held-out simulated lymph nodes with their true masks.

    python scripts/evaluate_crops.py BUNDLE WORK [--patients 60] [--seed 303]

Prints AUC of ENE against P beside that of size alone, and by extent of the breach. WORK keeps the blocks.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ece_core.geometry import affine_from
from ece_core.models import load_bundle
from ece_core.models.bundle import Bundle
from ece_core.models.node_classifier import Crop, diameter_mm, logits_of
from ece_core.preprocessing import tight_block
from ece_core.simulate.truth import auc
from ece_core.training.simulated_data import classification_crops

N, P, ENE = range(3)


@dataclass(frozen=True)
class HeldOut:
    """One lymph node: what the network says of it (before calibration), and what it is."""

    logits: np.ndarray
    diameter_mm: float
    label: int
    short_axis_mm: float
    extent_mm: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--seed", type=int, default=303, help="the training configs use 101 and 202")
    asked = parser.parse_args()
    bundle = load_bundle(asked.bundle)
    patients = [held_out(bundle, asked.work, asked.seed, number) for number in range(asked.patients)]
    report([node for nodes in patients for node in nodes])


def held_out(bundle: Bundle, work: Path, seed: int, number: int) -> list[HeldOut]:
    """The lymph nodes of one patient, without the twins."""
    folder = work / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    inputs, difficulty = bundle.spec["input"], bundle.spec["training"]["difficulty"]
    shape, spacing = tuple(inputs["patch_size"]), tuple(inputs["spacing_mm"])
    nodes = []
    with np.load(classification_crops(folder, seed, number, difficulty, shape, spacing)) as crops:
        kept = {name: crops[name][~crops["twin"]] for name in ("hu", "mask", "label", "short_axis_mm", "extent_mm")}
    for hu, mask, *truth in zip(*kept.values(), strict=True):
        image, _ = tight_block(hu, mask, spacing, inputs["windows_hu"], inputs["margin_mm"])
        block = Crop(image, affine_from(spacing))
        nodes.append(HeldOut(logits_of(bundle, block), diameter_mm(block), *(value.item() for value in truth)))
    return nodes


def report(nodes: list[HeldOut]) -> None:
    logits = np.array([node.logits for node in nodes])
    label, size, extent = (
        np.array([getattr(node, name) for node in nodes]) for name in ("label", "short_axis_mm", "extent_mm")
    )
    score = np.exp(logits - logits.max(axis=1, keepdims=True))
    score = score[:, ENE] / score.sum(axis=1)
    sick = label != N
    print(f"lymph nodes: N {np.sum(label == N)}, P {np.sum(label == P)}, ENE {np.sum(label == ENE)}")
    print(f"AUC ENE against P: {auc(score[sick], label[sick] == ENE):.3f}")
    print(f"size alone:        {auc(size[sick], label[sick] == ENE):.3f}")
    for low, high in ((0, 1), (1, 2), (2, 4), (4, 11)):
        chosen = (label == P) | ((label == ENE) & (extent >= low) & (extent < high))
        value = auc(score[chosen], label[chosen] == ENE)
        print(f"extent {low} to {high} mm: {value if value is None else round(value, 3)}")


if __name__ == "__main__":
    main()
