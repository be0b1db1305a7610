"""The paper's seven explanations of a predicted contour, each summed over its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ece_core.explain import Patterns, Sample, Settings, Voxels, explain_voxels, to_heatmap
from ece_core.explain.methods import find_method
from ece_core.training.parotid.unet import ParotidUNet

# Its name in the paper, and the AUC of "worst 15 % Dice" that the paper reports.
SEVEN = {
    "guided-backprop": ("guided backpropagation", 0.66),
    "gradcam": ("Grad-CAM", 0.74),
    "guided-gradcam": ("guided Grad-CAM", 0.94),
    "gradcam-plus-plus": ("Grad-CAM++", 0.62),
    "lrp-zplus": ("LRP", 0.62),
    "pattern-signal": ("PatternNet signal", 0.74),
    "pattern-attribution": ("PatternNet attribution", 0.83),
}


@dataclass(frozen=True, eq=False)
class ContourMap:
    """``heatmap`` (k, j, i) in [0, 1]; ``correlation`` with the exact sum over all voxels, below 1 an estimate."""

    heatmap: np.ndarray
    correlation: float


def contour_maps(
    network: ParotidUNet, image: np.ndarray, inside: np.ndarray, patterns: Patterns, voxels: int,
    layer: str = "bottleneck+decoder", methods: Sequence[str] = tuple(SEVEN), seed: int = 0,
) -> dict[str, ContourMap]:  # fmt: skip
    """Each method for every voxel inside, summed and post-processed.

    Parameters
    ----------
    inside
        (k, j, i) bool: the predicted contour, not empty.
    voxels
        Methods that are not linear take a pass for each of so many voxels, drawn by ``seed``; 0: for all.
    layer
        Of the CAM family. The paper takes the final one, and the average of bottleneck and decoder.
    """
    x = torch.from_numpy(image)[None, None]
    settings = Settings(layer=layer, patterns=patterns)
    target = Voxels(torch.from_numpy(inside), 0)
    found = {}
    for method in methods:
        way = None if voxels == 0 or find_method(method).is_linear else Sample(voxels, seed)
        summed = explain_voxels(network, x, target, method, settings, way)
        found[method] = ContourMap(to_heatmap(summed.map[0, 0].detach().numpy()), summed.correlation)
    return found
