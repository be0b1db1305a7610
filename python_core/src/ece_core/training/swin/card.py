"""The cards of both networks: what they learned from, in one honest sentence."""

from __future__ import annotations

from typing import Any

from ece_core.models.dual_swin_unetr import TASK
from ece_core.training.export import INTENDED_USE, INTENDED_USE_OF_OTHERS, NOT_MEASURED

PRETRAINED = "masked_autoencoder"
TRAINING = ("seed", "data_seed", "cases", "steps", "batch_size", "difficulty", "fold", "dilation_mm", "mask_ratio",
            "mask_edge", "case_weight", "focal_gamma")  # fmt: skip


def card(config: dict[str, Any], scans: dict[str, int]) -> dict[str, Any]:
    """The model card but for schema, SHA-256 and measured figures.

    Parameters
    ----------
    scans
        How many "simulated", "real" (OpenKBP) and "own" (the user's data set) were learned from.
    """
    pretraining, own = config["task"] == "pretrain", bool(scans.get("own"))
    return {
        "name": config["name"],
        "version": config["version"],
        "task": PRETRAINED if pretraining else TASK,
        "architecture": config["architecture"],
        "arguments": config["arguments"],
        "input": {
            "spacing_mm": config["spacing_mm"], "window_hu": config["window_hu"], "patch_size": config["patch_size"],
            "channels": ["CT around the middle of the neck"],
        },
        "labels": [] if pretraining else ["nodal region", "ECE of the patient"],
        **({} if pretraining else {"target": "pENE"}),
        "training_data": config.get("training_data") or _sentence(config, scans),
        "training": {key: config[key] for key in TRAINING if key in config},
        "metrics": NOT_MEASURED,
        "limits": config.get("limits", []),
        "license": config.get("license", "unstated" if own else "Apache-2.0"),
        "intended_use": INTENDED_USE_OF_OTHERS if own else INTENDED_USE,
    }  # fmt: skip


def _sentence(config: dict[str, Any], scans: dict[str, int]) -> str:
    if scans.get("own"):
        return f"The user's own data set ({scans['own']} patients); what it is was not stated."
    parts = []
    if scans.get("simulated"):
        parts.append(
            f"{scans['simulated']} simulated planning CT (no real lymph node, no pathology; difficulty "
            f"{config['difficulty']}, seed {config['data_seed']})"
        )
    if scans.get("real"):
        parts.append(f"{scans['real']} real planning CT of OpenKBP (Babier et al. 2021) without any label")
    sentence = " and ".join(parts)
    if scans.get("pretrained"):
        sentence += "; its encoder was pretrained without labels (the card of that model says on what)"
    return sentence + "."
