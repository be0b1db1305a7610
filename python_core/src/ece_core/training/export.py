"""From a checkpoint to a model bundle with an honest card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ece_core.models.bundle import save_bundle
from ece_core.models.registry import build
from ece_core.preprocessing.window import WINDOW_HU
from ece_core.training.labels import labels_of, network_arguments

BUNDLE_TASK = {"segmentation": "lymph_node_segmentation", "classification": "lymph_node_classification"}
CHANNELS = {"segmentation": ["CT"], "classification": ["CT near the lymph node, per window", "distance to its surface"]}
OPTIONAL = ("gradcam_layer", "least_confidence", "calibration")
TRAINING = ("seed", "data_seed", "cases", "steps", "signs", "batch_size", "difficulty")
NOT_MEASURED = {"note": "Not measured yet. 'scripts/evaluate_models.py' writes the figures of held-out cases here."}
INTENDED_USE = (
    "Research and software development with simulated scans. Not a medical device; not for diagnosis, staging or "
    "treatment. Nothing is known about its performance on patients."
)


def export_bundle(config: dict[str, Any], checkpoint: Path, out: Path, with_real_ct: bool) -> Path:
    """Write ``out/model.json`` and ``out/weights.safetensors`` (float16)."""
    import torch

    network = build(config["architecture"], network_arguments(config))
    network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["network"])
    save_bundle(out, card(config, with_real_ct), network.eval())
    return out


def card(config: dict[str, Any], with_real_ct: bool) -> dict[str, Any]:
    """The model card but for schema, SHA-256 and measured figures."""
    inputs = {
        "spacing_mm": config["spacing_mm"],
        "patch_size": config["patch_size"],
        "channels": CHANNELS[config["task"]],
    }
    if config["task"] == "segmentation":
        inputs |= {"window_hu": list(WINDOW_HU), "tile_size": config["tile_size"]}
    else:
        inputs |= {"windows_hu": config["windows_hu"], "margin_mm": config["margin_mm"]}
    labels = labels_of(config)
    optional: dict[str, Any] = {key: config[key] for key in OPTIONAL if key in config}
    return {
        "name": config["name"],
        "version": config["version"],
        "task": BUNDLE_TASK[config["task"]],
        "architecture": config["architecture"],
        "arguments": network_arguments(config),
        "input": inputs,
        **optional,
        "labels": list(labels),
        **({"target": "pENE"} if "ENE" in labels else {}),
        "training_data": _training_data(config, with_real_ct),
        "training": {key: config[key] for key in TRAINING if key in config},
        "metrics": NOT_MEASURED,
        "limits": config.get("limits", []),
        "license": "Apache-2.0",
        "intended_use": INTENDED_USE,
    }


def _training_data(config: dict[str, Any], with_real_ct: bool) -> str:
    sentence = (
        f"{config['cases']} simulated patients (no real lymph node, no pathology; difficulty {config['difficulty']}, "
        f"seed {config['data_seed']})"
    )
    if with_real_ct and config.get("real_share"):
        sentence += (
            f", and {config['real_cases']} real planning CT of OpenKBP (Babier et al. 2021) into which simulated lymph "
            "nodes were inserted; what lies inside their target volumes was ignored"
        )
    return sentence + "."
