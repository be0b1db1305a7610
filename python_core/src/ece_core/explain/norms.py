"""Normalization layers of a traced network, whatever their operation: groups, statistics, the scale of each voxel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ece_core.explain.trace import Step


@dataclass(frozen=True)
class Groups:
    """The input with everything that is normalized together on the last axis, and what is added to its variance."""

    values: Tensor
    eps: float


def grouped(step: Step) -> Groups | None:
    """The groups of a layer that takes statistics from the image; None where it has those of the training."""
    x = step.args[0]
    if step.name == "native_group_norm":
        groups, eps = step.args[6], step.args[7]
        return Groups(x.reshape(x.shape[0], groups, -1), eps)
    if step.name == "native_layer_norm":
        return Groups(x.flatten(x.ndim - len(step.args[1])), step.args[4])
    if not step.args[5]:
        return None
    return Groups(x.transpose(0, 1).flatten(1), step.args[7])  # instance norm: a batch norm of one image's channels


def ungrouped(step: Step, values: Tensor) -> Tensor:
    """Normalized groups back in the input's shape, times the layer's weight."""
    x = step.args[0]
    if step.name in ("native_group_norm", "native_layer_norm"):
        values = values.reshape(x.shape)
    else:
        values = values.reshape(x.transpose(0, 1).shape).transpose(0, 1)
    weight = _weight(step)
    return values if weight is None else values * weight


def scale(step: Step) -> Tensor:
    """What each voxel is multiplied by, in the input's shape, with the statistics as they are."""
    x, split = step.args[0], grouped(step)
    if split is not None:
        deviation = (split.values.detach().var(-1, unbiased=False, keepdim=True) + split.eps).rsqrt()
        return ungrouped(step, deviation.expand_as(split.values))
    factor = (step.args[4] + step.args[7]).rsqrt()
    factor = factor.reshape(1, -1, *[1] * (x.ndim - 2)).expand_as(x)
    weight = _weight(step)
    return factor if weight is None else factor * weight


def _weight(step: Step) -> Tensor | None:
    x = step.args[0]
    if step.name == "native_layer_norm":
        return step.args[2]
    weight: Tensor | None = step.args[1]
    return None if weight is None else torch.reshape(weight, (1, -1, *[1] * (x.ndim - 2)))
