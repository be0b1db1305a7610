"""What is explained: a class of the logits, or any scalar of them, as the seed of the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from ece_core.explain.engine import NotExplainableError

Target: TypeAlias = int | Callable[[Tensor], Tensor]


def seed_of(logits: Tensor, target: Target) -> Tensor:
    """Gradient of the target with respect to the logits; explanation methods propagate it to the input.

    Splitting the chain here keeps the target (a softmax, a difference of classes, a mask) out of the
    network: rules for the network's activations never touch it.

    Parameters
    ----------
    logits
        (n, classes), or any shape with a callable target.
    target
        Class index, summed over the batch (each element is explained on its own, since no
        evaluation-mode layer mixes them), or a callable that makes a scalar of the logits.

    Returns
    -------
    Tensor
        Shape of ``logits``.

    Raises
    ------
    NotExplainableError
        The class does not exist, the logits are no (n, classes) for a class index, or the callable gives
        no scalar, or one that does not depend on the logits.
    """
    if callable(target):
        return _seed_of_callable(logits, target)
    if logits.ndim != 2:
        raise NotExplainableError(
            f"A class index needs logits (batch, classes); the network gives shape {tuple(logits.shape)}.",
            "Give a callable that makes a scalar of the output.",
        )
    classes = logits.shape[1]
    if isinstance(target, bool) or not 0 <= target < classes:
        raise NotExplainableError(
            f"Class {target} was asked for, but the network has {classes} classes.",
            f"Choose a class from 0 to {classes - 1}.",
        )
    seed = torch.zeros_like(logits)
    seed[:, target] = 1
    return seed


def _seed_of_callable(logits: Tensor, target: Callable[[Tensor], Tensor]) -> Tensor:
    leaf = logits.detach().clone().requires_grad_(True)
    score = target(leaf)
    if not isinstance(score, Tensor) or score.numel() != 1:
        found = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
        raise NotExplainableError(
            f"The target must make one number of the logits; it gives {found}.",
            "Sum over the batch and the voxels in the target.",
        )
    if not score.requires_grad:
        raise NotExplainableError(
            "The target does not depend on the logits through anything differentiable.",
            "Use the logits, or their softmax, not the predicted class.",
        )
    (seed,) = torch.autograd.grad(score.sum(), leaf)
    return seed.detach()
