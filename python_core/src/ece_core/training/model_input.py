"""What a segmentation network sees, in the words of its model card."""

from __future__ import annotations

from typing import Any

import numpy as np

from ece_core.preprocessing.window import WINDOW_HU


def model_input(config: dict[str, Any]) -> dict[str, Any]:
    """``input`` of the card: spacing, normalization, patches and tiles; training prepares its scans by it."""
    entries: dict[str, Any] = {
        "spacing_mm": config["spacing_mm"],
        "patch_size": config["patch_size"],
        "channels": ["CT"],
    }
    if "normalization" in config:
        entries |= {"recipe": config["recipe"], "normalization": config["normalization"]}
    else:
        entries["window_hu"] = list(WINDOW_HU)
    from ece_core.training.augmentation import LOOKS

    return entries | {
        "tile_size": config["tile_size"],
        "tile_multiple": tile_multiple(config["arguments"]),
        "mirror_axes": list(LOOKS[config["augmentation"]].mirror),  # seen in training: may be mirrored to be surer
    }


def tile_multiple(arguments: dict[str, Any]) -> list[int]:
    """By what the edges (k, j, i) of an input must be divisible: the product of the network's strides."""
    strides = arguments.get("strides", [1])
    return np.prod([np.broadcast_to(stride, 3) for stride in strides], axis=0).tolist()
