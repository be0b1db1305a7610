"""A config to start from, beside a new plan: what `ece train segmentation` needs, and nothing that the plan says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAME = "our-lymph-nodes"


def write_first_config(path: Path, dataset: Path, layout: str | None, plan: Path, labels: str) -> bool:
    """Write the config; False if there is one, which may have been edited.

    Parameters
    ----------
    labels
        One of LABEL_SETTINGS.
    """
    if path.exists():
        return False
    config: dict[str, Any] = {
        "task": "segmentation",
        "name": NAME,
        "version": "1.0",
        "labels": labels,
        "dataset": str(dataset),
        **({"layout": layout} if layout else {}),
        "plan": str(plan),
        "steps": 250_000,
        "seed": 1,
    }
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return True
