"""Dice plus cross-entropy, at one resolution or at several (deep supervision).

References
----------
nnU-Net (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z): batch Dice plus cross-entropy, the weights of the
resolutions 1, 1/2, 1/4, ... with the lowest left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ece_core.training.distributed import sum_over_processes
from ece_core.training.labels import UNKNOWN

# As the shipped weights were trained: being found matters before being told apart.
FOUND_FIRST: Mapping[str, float] = {"labels": 0.5, "union": 1.0, "smooth": 1.0}


def loss_function(logits: Tensor, target: Tensor, weights: Mapping[str, float] = FOUND_FIRST) -> Tensor:
    """Cross-entropy plus soft Dice over the batch, both blind to voxels labeled 255.

    Where several processes share a batch, all sums go over all of them: the loss is that of the whole batch.

    Parameters
    ----------
    logits
        (n, c, k, j, i).
    target
        (n, k, j, i) int64.
    weights
        ``labels``: of the mean Dice of all labels; ``union``: of the Dice of all labels as one; ``smooth``: what is
        added above and below the line, so that a label that is absent, and not found, has a Dice of 1.
    """
    logits, smooth = logits.float(), weights["smooth"]
    known = (target != UNKNOWN).unsqueeze(1).float()
    probabilities = logits.softmax(dim=1) * known
    one_hot = nn.functional.one_hot(target.clamp(max=logits.shape[1] - 1), logits.shape[1]).movedim(-1, 1) * known
    found, true = probabilities[:, 1:].sum(1), one_hot[:, 1:].sum(1)
    axes = (0, 2, 3, 4)
    sums = sum_over_processes(
        torch.cat(
            [
                (probabilities * one_hot).sum(dim=axes)[1:],
                (probabilities + one_hot).sum(dim=axes)[1:],
                torch.stack(
                    [
                        (found * true).sum(),
                        found.sum() + true.sum(),
                        nn.functional.cross_entropy(logits, target, ignore_index=UNKNOWN, reduction="sum"),
                        known.sum(),
                    ]
                ),
            ]
        )
    )
    overlap, total = sums[: (len(sums) - 4) // 2], sums[(len(sums) - 4) // 2 : -4]
    union_overlap, union_total, cross_entropy, voxels = sums[-4:]
    dice = (2 * overlap + smooth) / (total + smooth)
    union_dice = (2 * union_overlap + smooth) / (union_total + smooth)
    loss = cross_entropy / voxels.clamp(min=1) + weights["labels"] * (1 - dice.mean())
    return loss + weights["union"] * (1 - union_dice)


def deep_loss(answers: Tensor | Sequence[Tensor], target: Tensor, weights: Mapping[str, float] = FOUND_FIRST) -> Tensor:
    """The weighted mean of the loss at every resolution that the network answers at, the finest first.

    A coarser target is the nearest voxel's label, as in nnU-Net.
    """
    if isinstance(answers, Tensor):
        return loss_function(answers, target, weights)
    shares = resolution_weights(len(answers))
    losses = [loss_function(logits, _coarser(target, logits.shape[2:]), weights) for logits in answers]
    return torch.stack([share * loss for share, loss in zip(shares, losses, strict=True)]).sum()


def resolution_weights(count: int) -> list[float]:
    """1, 1/2, 1/4, ... over their sum."""
    halves = [0.5**n for n in range(count)]
    return [half / sum(halves) for half in halves]


def _coarser(target: Tensor, shape: Sequence[int]) -> Tensor:
    if target.shape[1:] == tuple(shape):
        return target
    # uint8 would do, but torch interpolates it only on some devices; labels up to 255 are exact in float32.
    return nn.functional.interpolate(target[:, None].float(), size=tuple(shape), mode="nearest-exact")[:, 0].long()
