"""Write the figures of held-out simulated cases into the shipped model cards.

    python scripts/update_model_cards.py SEGMENTATION_METRICS CLASSIFICATION_METRICS --cohort "seed 9001, 20 cases" ...

The metrics files are those of `ece evaluate`. Nothing is typed by hand.
"""

from __future__ import annotations

import argparse
import json
import platform
from datetime import date
from pathlib import Path

MODELS = Path(__file__).resolve().parents[1] / "Resources" / "Models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("segmentation", type=Path, help="metrics.json of `ece evaluate segmentation`")
    parser.add_argument("classification", type=Path, help="metrics.json of `ece evaluate classification`")
    parser.add_argument("--cohort", required=True, help="the held-out cohort in words")
    parser.add_argument("--limits", type=Path, help="JSON: {bundle name: [sentence, ...]} of known limits")
    asked = parser.parse_args()
    limits = json.loads(asked.limits.read_text()) if asked.limits else {}
    for task, metrics in (
        ("lymph_node_segmentation", asked.segmentation),
        ("lymph_node_classification", asked.classification),
    ):
        for card in MODELS.glob("*/model.json"):
            spec = json.loads(card.read_text())
            if spec["task"] == task:
                spec["metrics"] = {
                    "cohort": asked.cohort,
                    "date": date.today().isoformat(),
                    "machine": f"{platform.machine()}, CPU",
                    "values": json.loads(metrics.read_text()),
                }
                spec["limits"] = limits.get(spec["name"], spec.get("limits", []))
                card.write_text(json.dumps(spec, indent=2) + "\n")


if __name__ == "__main__":
    main()
