"""Layers with trained weights in a traced network: convolutions and linear layers, as input, weight and bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ece_core.explain.trace import Step


@dataclass(frozen=True)
class Weighted:
    """``apply(x, weight) + bias``, linear in ``x`` and in ``weight``.

    Attributes
    ----------
    weight
        As the operation holds it: (out, in, k, j, i) of a convolution, (in, out) of a linear layer.
    bias
        Added to the output, in a shape that fits it; 0 where there is none.
    """

    x: Tensor
    weight: Tensor
    bias: Tensor | float
    apply: Callable[[Tensor, Tensor], Tensor]


def weighted(step: Step) -> Weighted:
    """The layer of a ``convolution``, ``addmm``, ``mm``, ``bmm`` or ``linear``."""
    x = step.dependent[0].detach()
    if step.name == "convolution":
        _, weight, bias, *rest = step.args
        shape = (1, -1, *[1] * (x.ndim - 2))
        return Weighted(
            x, weight, 0.0 if bias is None else bias.reshape(shape), lambda a, w: step.run(a, w, None, *rest)
        )
    if step.name == "addmm":
        return Weighted(x, step.args[2], step.args[0], torch.mm)
    if step.name == "linear":
        bias = step.argument(2, "bias", None)
        return Weighted(x, step.args[1], 0.0 if bias is None else bias, torch.nn.functional.linear)
    left, right = step.args
    apply = torch.mm if step.name == "mm" else torch.bmm
    if left is step.dependent[0]:
        return Weighted(x, right, 0.0, apply)
    return Weighted(x, left, 0.0, lambda a, w: apply(w, a))
