"""What is explained: a class of the logits, or any scalar of them, as the seed of the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from ece_core.explain.engine import NotExplainableError, gradients_possible

Target: TypeAlias = "int | Callable[[Tensor], Tensor] | Voxels"


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
        evaluation-mode layer mixes them), a callable that makes a scalar of the logits, or voxels, all at once.

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
    if isinstance(target, Voxels):
        return target.seed(logits)
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
    with gradients_possible():
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


def log_odds(class_index: int) -> Callable[[Tensor], Tensor]:
    """A target: the logarithm of a class's odds against all others, summed over the batch.

    One logit alone is not what a softmax answers with: adding a number to all logits changes no probability, but it
    changes the explanation of each.
    """

    def score(logits: Tensor) -> Tensor:
        others = [number for number in range(logits.shape[1]) if number != class_index]
        return (logits[:, class_index] - torch.logsumexp(logits[:, others], dim=1)).sum()

    return score


@dataclass(frozen=True, eq=False)
class Voxels:
    """A set of voxels of a segmentation network's output, each a score of its own: the logit of one class there.

    Attributes
    ----------
    mask
        (k, j, i) or (j, i) bool, on the grid of the logits.
    class_index
        Of the logits.
    """

    mask: Tensor
    class_index: int

    @classmethod
    def predicted(cls, logits: Tensor, class_index: int) -> Voxels:
        """All voxels that the network gives this class, (1, classes, k, j, i)."""
        return cls(logits[0].argmax(dim=0) == class_index, class_index)

    @classmethod
    def of_lymph_node(cls, instances: Tensor, label: int, class_index: int) -> Voxels:
        """The voxels of one lymph node of an instance map."""
        return cls(torch.as_tensor(instances) == label, class_index)

    def seed(self, logits: Tensor) -> Tensor:
        """All voxels at once: 1 at each of them.

        Raises
        ------
        NotExplainableError
            The logits are not those of one image on the mask's grid, the class does not exist, or no voxel is set.
        """
        if tuple(logits.shape[2:]) != tuple(self.mask.shape) or logits.shape[0] != 1:
            raise NotExplainableError(
                f"Voxels of a grid {tuple(self.mask.shape)} were asked for; the network gives {tuple(logits.shape)}.",
                "Give one image, and a mask on the grid of the network's output.",
            )
        if isinstance(self.class_index, bool) or not 0 <= self.class_index < logits.shape[1]:
            raise NotExplainableError(
                f"Class {self.class_index} was asked for, but the network has {logits.shape[1]} classes.",
                f"Choose a class from 0 to {logits.shape[1] - 1}.",
            )
        if not self.mask.any():
            raise NotExplainableError("No voxel is set in the mask to explain.", "Choose another class or lymph node.")
        seed = torch.zeros_like(logits)
        seed[0, self.class_index] = self.mask.to(seed)
        return seed
