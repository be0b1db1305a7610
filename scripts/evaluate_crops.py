"""The classifier alone, on blocks around held-out simulated lymph nodes with their true masks.

    python scripts/evaluate_crops.py CONFIG CHECKPOINT WORK [--patients 60] [--seed 303]

Prints AUC of ENE against P beside that of size alone, and by extent of the breach.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from ece_core.models.registry import build
from ece_core.preprocessing.node_block import block_of_distance, signed_distance, tight_box
from ece_core.simulate.truth import auc
from ece_core.training.simulated_data import classification_crops

N, P, ENE = range(3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--seed", type=int, default=303, help="the training configs use 101 and 202")
    asked = parser.parse_args()
    config = json.loads(asked.config.read_text())
    network = build(config["architecture"], config["arguments"])
    network.load_state_dict(torch.load(asked.checkpoint, weights_only=True)["network"])
    rows = predict(network.eval(), config, asked.work, asked.patients, asked.seed)
    report(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def predict(network, config: dict, work: Path, patients: int, seed: int) -> list[tuple]:
    """Probabilities (n, 3), label, short axis and extent of each patient's lymph nodes."""
    work.mkdir(parents=True, exist_ok=True)
    shape, spacing = tuple(config["patch_size"]), tuple(config["spacing_mm"])
    rows = []
    for number in range(patients):
        with np.load(classification_crops(work, seed, number, config["difficulty"], shape, spacing)) as crops:
            natural = np.flatnonzero(~crops["twin"])
            probabilities = [one(network, config, crops["hu"][row], crops["mask"][row]) for row in natural]
            columns = (crops["label"], crops["short_axis_mm"], crops["extent_mm"])
            rows.append((np.array(probabilities), *(column[natural] for column in columns)))
    return rows


def one(network, config: dict, hu: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Probabilities (3,) of the lymph node in one block."""
    distance = signed_distance(mask, config["spacing_mm"], config["margin_mm"])
    box = tight_box(distance, config["margin_mm"])
    block = block_of_distance(hu[box], distance[box], config["windows_hu"], config["margin_mm"])
    with torch.inference_mode():
        return network(torch.from_numpy(block)[None]).softmax(1)[0].numpy()


def report(probabilities, label, short_axis_mm, extent_mm) -> None:
    sick = label != N
    print(f"lymph nodes: N {np.sum(label == N)}, P {np.sum(label == P)}, ENE {np.sum(label == ENE)}")
    print(f"AUC ENE against P: {auc(probabilities[sick, ENE], label[sick] == ENE):.3f}")
    print(f"size alone:        {auc(short_axis_mm[sick], label[sick] == ENE):.3f}")
    for low, high in ((0, 1), (1, 2), (2, 4), (4, 11)):
        chosen = (label == P) | ((label == ENE) & (extent_mm >= low) & (extent_mm < high))
        value = auc(probabilities[chosen, ENE], label[chosen] == ENE)
        print(f"extent {low} to {high} mm: {value if value is None else round(value, 3)}")


if __name__ == "__main__":
    main()
