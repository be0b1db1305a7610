"""Grad-CAM: where the feature maps that raise the score are active."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ece_core.explain.engine import (
    NotExplainableError,
    checked_input,
    finite,
    frozen,
    gradients_possible,
    on_grid,
    over_voxels,
    run,
)
from ece_core.explain.layer import find_layer, watched
from ece_core.explain.target import Target, seed_of


def grad_cam(network: nn.Module, x: Tensor, target: Target, layer: str | nn.Module) -> Tensor:
    """Class activation map of one layer, resampled to the input's grid.

    With the layer's maps A_c and the target y: ReLU(sum_c w_c A_c), w_c = mean over voxels of dy/dA_c.
    Only the part of the network after the layer is differentiated, and no weight gradient is computed.

    Parameters
    ----------
    network
        Run in evaluation mode; afterwards as it was found, also after an exception.
    x
        (n, c, k, j, i).
    target
        Class index or callable(logits) -> scalar; see :func:`ece_core.explain.target.seed_of`.
    layer
        Name or module whose output is (n, channels, k', j', i'), run once per forward pass.

    Returns
    -------
    Tensor
        (n, 1, k, j, i), >= 0, not scaled, trilinear from the layer's grid.

    Raises
    ------
    NotExplainableError
        The layer does not exist, gives no feature maps, runs never or twice, or the score does not depend on
        it; or the target does not fit the network.
    RunError
        The result is not finite.

    References
    ----------
    Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2.
    """
    with gradients_possible(), frozen(network), watched(find_layer(network, layer)) as seen:
        logits = run(network, checked_input(x))
        return cam_of(seen.activation, logits, seed_of(logits, target), size=x.shape[2:])


def cam_of(activation: Tensor, logits: Tensor, seed: Tensor, size: torch.Size) -> Tensor:
    """Grad-CAM from a forward pass already recorded; the graph is kept.

    Raises
    ------
    NotExplainableError
        The logits do not depend on the activation.
    """
    return cam_from(activation.detach(), gradient_at(activation, logits, seed), size)


def cam_from(maps: Tensor, gradient: Tensor, size: torch.Size) -> Tensor:
    """Grad-CAM from a layer's maps and the score's gradient at them, both (n, channels, k', j', i')."""
    weights = gradient.mean(dim=over_voxels(gradient), keepdim=True)
    cam = (weights * maps).sum(dim=1, keepdim=True).relu()
    return finite(on_grid(cam, size))


def gradient_at(activation: Tensor, logits: Tensor, seed: Tensor) -> Tensor:
    """Gradient of ``sum(seed * logits)`` at a layer's activation; the graph is kept."""
    gradient = None
    if logits.grad_fn is not None:
        (gradient,) = torch.autograd.grad(logits, activation, seed, retain_graph=True, allow_unused=True)
    if gradient is None:
        raise NotExplainableError("The score does not depend on the layer.", "Choose another layer.")
    return gradient
