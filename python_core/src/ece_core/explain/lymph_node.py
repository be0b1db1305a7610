"""The heatmaps of one lymph node: from the classifier's input to what is drawn, arrays in and arrays out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ece_core.explain.classifier import explain_classifier
from ece_core.explain.heatmap import to_heatmap

CT_CHANNEL = 0  # channel 1 is the mask: what is drawn is what the CT contributes


def explain_lymph_node(
    network: nn.Module,
    x: np.ndarray,
    target: int,
    methods: Sequence[str],
    device: str,
    layer: str | None = None,
) -> dict[str, np.ndarray]:
    """Heatmaps of one lymph node's score for one class.

    Parameters
    ----------
    network
        The classifier; moved to ``device``.
    x
        (c, k, j, i) float32, the classifier's input; channel 0 is the CT.
    target
        Index of the class.
    methods, layer
        As in :func:`ece_core.explain.explain_classifier`.

    Returns
    -------
    dict[str, np.ndarray]
        Per method (k, j, i) float32 in [0, 1], on the grid of ``x``.
    """
    batch = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))[None].to(device)
    attributions = explain_classifier(network.to(device), batch, target, methods, layer)
    return {
        method: to_heatmap(attribution[0, CT_CHANNEL].detach().float().cpu().numpy())
        for method, attribution in attributions.items()
    }
