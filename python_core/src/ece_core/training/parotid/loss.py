"""The paper's loss: Dice plus focal loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ALPHA, GAMMA, EPSILON = 0.5, 2.0, 1e-8


def dice_focal_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - Dice of the batch, plus the mean focal loss over voxels.

    Parameters
    ----------
    logits, truth
        (n, 1, k, j, i), truth 0 or 1.

    References
    ----------
    Strijbis et al. 2025: alpha 0.5, gamma 2, epsilon 1e-8. Focal loss: Lin et al. 2017, arXiv:1708.02002, eq. 5.
    """
    truth = truth.to(logits.dtype)
    p = logits.sigmoid()
    dice = (2 * (p * truth).sum() + EPSILON) / (p.sum() + truth.sum() + EPSILON)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    missed = torch.where(truth > 0, 1 - p, p)
    weight = torch.where(truth > 0, ALPHA, 1 - ALPHA)
    return 1 - dice + (weight * missed**GAMMA * entropy).mean()
