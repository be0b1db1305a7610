"""Parameter randomization: a map that stays when all that was learned is gone does not explain the network."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ece_core.explain.engine import NotExplainableError
from ece_core.explain.faithfulness.correlation import map_correlation

Array = np.ndarray

SEED = 20261122
DRAWS = 2


def shuffled_weights(network: nn.Module, seed: int = SEED) -> nn.Module:
    """A copy in which each weight tensor holds its own values in random order: nothing learned is left, but its scale.

    What normalization layers counted while learning (running means and variances) stays.
    """
    generator = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
    return other


def randomization(
    heatmap_of: Callable[[nn.Module], Array],
    network: nn.Module,
    heatmap: Array,
    seen: Array,
    draws: int = DRAWS,
    seed: int = SEED,
) -> float | None:
    """Mean correlation of the map with those of shuffled networks: near 0 is good, near 1: weights do not count.

    Parameters
    ----------
    heatmap_of
        The method: (K, J, I) of a network.
    heatmap
        (K, J, I), that of ``network``.

    Returns
    -------
    float or None
        None where no shuffled network gives a map that is not constant, or the method needs what was fitted to the true
        weights.

    References
    ----------
    Adebayo et al. 2018, arXiv:1810.03292, section 3 (there the weights are drawn anew and ranks correlated).
    """
    found = []
    for draw in range(draws):
        try:
            other = heatmap_of(shuffled_weights(network, seed + draw))
        except NotExplainableError:
            continue  # patterns and the top of HR-CAM belong to the true weights
        correlation = map_correlation(heatmap, other, seen)
        found += [] if correlation is None else [correlation]
    return float(np.mean(found)) if found else None
