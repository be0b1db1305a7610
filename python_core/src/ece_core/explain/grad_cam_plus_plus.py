"""Grad-CAM++: Grad-CAM with a weight of its own for every voxel of the layer."""

from __future__ import annotations

import torch
from torch import Tensor

from ece_core.explain.engine import finite, on_grid, over_voxels
from ece_core.explain.grad_cam import gradient_at


def cam_plus_plus_of(activation: Tensor, logits: Tensor, seed: Tensor, size: torch.Size) -> Tensor:
    """Grad-CAM++ from a forward pass already recorded; the graph is kept."""
    return cam_plus_plus_from(activation.detach(), gradient_at(activation, logits, seed), size)


def cam_plus_plus_from(maps: Tensor, g: Tensor, size: torch.Size) -> Tensor:
    """Grad-CAM++ from a layer's maps and the score's gradient at them, both (n, channels, k', j', i').

    With the layer's maps A and the gradient g of the score, per channel and voxel:
    alpha = g^2 / (2 g^2 + g^3 sum A), the sum over the channel's voxels (equation 19; other programs multiply A g^3
    voxel by voxel before they sum, which gives another map); weights w = sum alpha ReLU(g); ReLU(sum w A).

    References
    ----------
    Chattopadhay et al. 2018, arXiv:1710.11063, equations 5, 10 and 19.
    """
    axes = over_voxels(g)
    below = 2 * g**2 + maps.sum(dim=axes, keepdim=True) * g**3
    alpha = torch.where(below == 0, 0.0, g**2 / torch.where(below == 0, 1.0, below))
    weights = (alpha * g.relu()).sum(dim=axes, keepdim=True)
    return finite(on_grid((weights * maps).sum(dim=1, keepdim=True).relu(), size))
