"""The heatmaps of one lymph node: from the classifier's input to what is drawn, arrays in and arrays out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ece_core.explain.classifier import explain_classifier
from ece_core.explain.heatmap import to_heatmap


def explain_lymph_node(
    network: nn.Module,
    x: np.ndarray,
    target: int,
    methods: Sequence[str],
    device: str,
    layer: str | None = None,
    seen: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Heatmaps of one lymph node's score for one class.

    Parameters
    ----------
    network
        The classifier; moved to ``device``.
    x
        (c, k, j, i) float32, the classifier's input: the CT in one window or more; the last channel tells where the
        lymph node is.
    target
        Index of the class.
    methods, layer
        As in :func:`ece_core.explain.explain_classifier`.
    seen
        (k, j, i) bool: where the input shows tissue. Elsewhere it is blank, and heat, which a coarse layer spreads
        there, would point at tissue that the network does not know. None: everywhere.

    Returns
    -------
    dict[str, np.ndarray]
        Per method (k, j, i) float32 in [0, 1], on the grid of ``x``.
    """
    batch = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))[None].to(device)
    attributions = explain_classifier(network.to(device), batch, target, methods, layer)
    return {
        method: to_heatmap(_of_the_ct(attribution[0]).detach().float().cpu().numpy(), seen)
        for method, attribution in attributions.items()
    }


def _of_the_ct(attribution: torch.Tensor) -> torch.Tensor:
    """(k, j, i) of (c, k, j, i): what the CT contributes, in all windows together; a map without channels as it is."""
    return attribution[0] if len(attribution) == 1 else attribution[:-1].sum(dim=0)
