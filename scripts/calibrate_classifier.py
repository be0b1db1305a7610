"""Fit the classifier's ``calibration``: probabilities as often right as they say, on simulated patients.

    python scripts/calibrate_classifier.py BUNDLE WORK [--patients 40] [--seed 404 303]

Blocks around held-out lymph nodes with their true masks are kept in WORK/SEED. Few negatives are among them; they are
weighted as if all were. The result is written into the card of BUNDLE; copy it into the config ("calibration") as well.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ece_core.models import load_bundle
from ece_core.models.bundle import Bundle
from ece_core.simulate.population import NEGATIVE_COUNT
from evaluate_crops import N, held_out
from sklearn.linear_model import LogisticRegression


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--patients", type=int, default=40, help="of each seed")
    parser.add_argument("--seed", type=int, nargs="+", default=[404, 303])
    asked = parser.parse_args()
    bundle = load_bundle(asked.bundle)
    rows = [
        row for seed in asked.seed for number in range(asked.patients)
        for row in rows_of(bundle, asked.work, seed, number)
    ]  # fmt: skip
    features, labels, weights = (np.array(column) for column in zip(*rows, strict=True))
    fitted = LogisticRegression(max_iter=10_000).fit(features, labels, weights)
    card = json.loads((asked.bundle / "model.json").read_text())
    card["calibration"] = {
        "matrix": np.round(fitted.coef_, 4).tolist(),
        "bias": np.round(fitted.intercept_, 4).tolist(),
        "fitted_on": f"{len(labels)} lymph nodes of {asked.patients} simulated patients each of the seeds "
        f"{' and '.join(map(str, asked.seed))}, true masks, {card['training']['difficulty']}",
    }
    (asked.bundle / "model.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card["calibration"], indent=2))


def rows_of(bundle: Bundle, work: Path, seed: int, number: int) -> list[tuple[np.ndarray, int, float]]:
    """Features (4,), label and weight of each lymph node of one patient."""
    nodes = held_out(bundle, work, seed, number)
    negatives = sum(node.label == N for node in nodes)
    return [
        (
            np.append(node.logits, np.log(node.diameter_mm)),
            node.label,
            NEGATIVE_COUNT[0] / negatives if node.label == N else 1.0,
        )
        for node in nodes
    ]


if __name__ == "__main__":
    main()
