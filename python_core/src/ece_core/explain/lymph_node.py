"""The heatmaps of one lymph node: from the classifier's input to what is drawn, arrays in and arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ece_core.explain.classifier import explain_classifier
from ece_core.explain.heatmap import to_heatmap, to_signed_map
from ece_core.explain.hr_cam import HRCam
from ece_core.explain.patterns import Patterns
from ece_core.explain.settings import Settings
from ece_core.explain.target import Target

OCCLUSION_WINDOW = (5, 8, 8)  # voxels: 6 mm; boxes side by side, about 300 forward passes per lymph node
INTEGRATION_GAP = 0.1  # of the score's change may be missing in integrated gradients of 32 steps; more is refused


def explain_lymph_node(
    network: nn.Module,
    x: np.ndarray,
    target: Target,
    methods: Sequence[str],
    device: str,
    layer: str | None = None,
    seen: np.ndarray | None = None,
    folder: Path | None = None,
    signed: bool = False,
) -> dict[str, np.ndarray]:
    """Heatmaps of one lymph node's score.

    Parameters
    ----------
    network
        The classifier; moved to ``device``.
    x
        (c, k, j, i) float32, the classifier's input: the CT in one window or more; the last channel tells where the
        lymph node is.
    target
        Index of the class, or what :func:`ece_core.explain.target.log_odds` gives.
    methods, layer
        As in :func:`ece_core.explain.explain_classifier`.
    seen
        (k, j, i) bool: where the input shows tissue. Elsewhere it is blank, and heat, which a coarse layer spreads
        there, would point at tissue that the network does not know. None: everywhere.

    folder
        Of the model's bundle, where patterns and the top of HR-CAM lie; None: there are none.
    signed
        Keep what speaks against the class: [-1, 1] instead of [0, 1], nothing subtracted.

    Returns
    -------
    dict[str, np.ndarray]
        Per method (k, j, i) float32 in [0, 1], on the grid of ``x``.
    """
    batch = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))[None].to(device)
    settings = Settings(
        baseline=without_ct(batch),
        tolerance=INTEGRATION_GAP,
        window=OCCLUSION_WINDOW,
        stride=OCCLUSION_WINDOW,
        patterns=Patterns.load(folder) if folder is not None and "pattern" in " ".join(methods) else None,
        hr_cam=HRCam.load(folder) if folder is not None and "hr-cam" in methods else None,
    )
    attributions = explain_classifier(network.to(device), batch, target, methods, layer, settings)
    post = to_signed_map if signed else to_heatmap
    return {
        method: post(_of_the_ct(attribution[0]).detach().float().cpu().numpy(), seen)
        for method, attribution in attributions.items()
    }


def without_ct(batch: torch.Tensor) -> torch.Tensor:
    """The lymph node's place without any tissue: what integrated gradients, DeepLIFT and occlusion start from."""
    blank = torch.zeros_like(batch)
    if batch.shape[1] > 1:
        blank[:, -1] = batch[:, -1]
    return blank


def _of_the_ct(attribution: torch.Tensor) -> torch.Tensor:
    """(k, j, i) of (c, k, j, i): what the CT contributes, in all windows together; a map without channels as it is."""
    return attribution[0] if len(attribution) == 1 else attribution[:-1].sum(dim=0)
