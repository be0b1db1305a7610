"""Bundles with random weights and our architectures, for where none is shipped: they prove that a benchmark runs."""

from __future__ import annotations

import json
from pathlib import Path

from registry import NotMeasurable

CONFIGS = Path(__file__).parents[1] / "configs"
PLACEHOLDER = "Random weights, for trying out the benchmarks. Finds nothing."


def shipped_or_random(folder: Path, tiny: bool) -> Path | None:
    """None: the shipped ones. A tiny run without any makes its own, with random weights."""
    from ece_core.errors import ModelError
    from ece_core.models import find_bundle

    try:
        for task in ("lymph_node_segmentation", "lymph_node_classification"):
            find_bundle(task)
        return None
    except ModelError as error:
        if not tiny:
            raise NotMeasurable(str(error)) from error
    write_random_models(folder)
    return folder


def write_random_models(folder: Path) -> None:
    import torch
    from ece_core.models.bundle import save_bundle
    from ece_core.models.registry import build

    torch.manual_seed(0)
    for kind in ("segmentation", "classification"):
        config = json.loads((CONFIGS / f"{kind}.json").read_text(encoding="utf-8"))
        network = build(config["architecture"], config["arguments"])
        if kind == "segmentation":  # background everywhere: random outlines would be thousands of lymph nodes
            with torch.no_grad():
                network.output_block.conv.conv.bias[0] = 100.0
        save_bundle(folder / config["name"], _card(config, kind), network)


def _card(config: dict, kind: str) -> dict:
    keys = ("spacing_mm", "patch_size", "tile_size", "windows_hu", "margin_mm")
    return {
        **{key: config[key] for key in ("name", "version", "architecture", "arguments")},
        "task": f"lymph_node_{kind}",
        "input": {"window_hu": [-400, 400], **{key: config[key] for key in keys if key in config}},
        "labels": {"1": "N", "2": "P", "3": "ENE"},
        "training_data": PLACEHOLDER,
        "metrics": {},
        "license": "Apache-2.0",
        "intended_use": PLACEHOLDER,
    }
