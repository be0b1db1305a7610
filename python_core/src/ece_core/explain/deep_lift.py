"""DeepLIFT, rescale rule: each operation passes on the difference to a reference instead of a derivative."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ece_core.explain.completeness import check_complete
from ece_core.explain.engine import finite
from ece_core.explain.norms import grouped, ungrouped
from ece_core.explain.operations import (
    AVERAGING,
    MAX_POOLS,
    NORMS,
    REARRANGING,
    SCALINGS,
    SMOOTH,
    SUMS,
    WEIGHTED,
    check_one_factor,
    is_rectifier,
    refuse,
)
from ece_core.explain.settings import Explainer, Settings
from ece_core.explain.trace import Step, replayed, step_of, traced, with_backward

_NAME = "DeepLIFT"
_SAME = 1e-7  # differences below this share of the value are rounding: the derivative takes their place
_ALWAYS_COMPLETE = 1e-3  # there is nothing to approximate: a larger gap is a wrong rule, or rounding gone wild


@contextmanager
def deep_lift(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """Multipliers of the rescale rule times the difference to the baseline; they sum to the score's difference.

    Rectifiers and smooth activations: difference of the outputs over that of the inputs. Max pooling: the change goes
    to the place of the maximum, before or after, whichever is larger. Normalization with statistics of its own:
    mean, variance and product each by its rule, the product by the mean of the two factors, which is exact.

    Raises
    ------
    NotExplainableError
        Attention, a gate or another product; an operation without a rule; or the map is not complete.

    References
    ----------
    Shrikumar et al. 2017, arXiv:1704.02685, section 3.5.1.
    """
    baseline = settings.baseline_of(x)
    trace = traced(network, x)
    with torch.no_grad():
        reference = trace.run(baseline)
    forward_pass = replayed(trace, x, lambda step: _rule(step, step_of(step.node, reference)))
    difference = forward_pass.logits.detach() - trace.logits(reference)

    def of(seed: Tensor) -> Tensor:
        found = finite(forward_pass.input_gradient(seed) * (x - baseline))
        return check_complete(_NAME, found, (seed * difference).sum(), min(settings.tolerance, _ALWAYS_COMPLETE))

    yield Explainer(forward_pass.logits, of)


def _rule(step: Step, reference: Step) -> Any:
    name = step.name
    if name in REARRANGING or name in AVERAGING or name in SUMS:
        return step.run()
    if name in WEIGHTED or name in SCALINGS:
        check_one_factor(_NAME, step)
        if name == "div" and step.dependent[0] is not step.args[0]:
            raise refuse(_NAME, step)
        return step.run()
    if name in MAX_POOLS:
        return _max_pool(step, reference)
    if name in NORMS:
        return _norm(step, reference)
    if is_rectifier(step) or name in SMOOTH:
        return _rescaled(step, reference)
    raise refuse(_NAME, step)


def _rescaled(step: Step, reference: Step) -> Tensor:
    (a,), (a0,) = step.dependent, reference.dependent
    value = step.run().detach()
    multiplier = rescale(a.detach(), a0, value, reference.run(), _derivative(step, a))
    return with_backward(value, lambda gradient: (gradient * multiplier,), a)


def _derivative(step: Step, a: Tensor) -> Tensor:
    leaf = a.detach().requires_grad_(True)
    with torch.enable_grad():
        (found,) = torch.autograd.grad(step.at(leaf).sum(), leaf)
    return found


def rescale(a: Tensor, a0: Tensor, value: Tensor, value0: Tensor, derivative: Tensor) -> Tensor:
    """Difference of the outputs over that of the inputs, or the derivative where they hardly differ."""
    change = a - a0
    same = change.abs() <= _SAME * (a.abs() + a0.abs())
    return torch.where(same, derivative, (value - value0) / torch.where(same, torch.ones_like(change), change))


def _max_pool(step: Step, reference: Step) -> tuple[Tensor, Tensor]:
    (a,), (a0,) = step.dependent, reference.dependent
    (value, at), (value0, at0) = (step.run(), reference.run())
    value = value.detach()

    def backward(gradient: Tensor) -> tuple[Tensor]:
        grown, shrunk = gradient * (value - value0).clamp(min=0), gradient * (value - value0).clamp(max=0)
        given = _scattered(grown, at, a) + _scattered(shrunk, at0, a)
        change = a.detach() - a0
        return (torch.where(given == 0, torch.zeros_like(given), given / torch.where(change == 0, 1.0, change)),)

    return with_backward(value, backward, a), at


def _scattered(values: Tensor, places: Tensor, like: Tensor) -> Tensor:
    """Each value added at its place in the pooled image; windows may overlap."""
    flat = torch.zeros_like(like).flatten(2)
    return flat.scatter_add(2, places.flatten(2), values.flatten(2)).reshape(like.shape)


def _norm(step: Step, reference: Step) -> tuple[Tensor, None, None, None]:
    """(x - mean) / deviation * weight + bias, taken apart where mean and deviation come from the image itself."""
    value = step.run()[0]
    split = grouped(step)
    if split is None:  # statistics of the training: an affine map of each voxel
        return value, None, None, None
    a, a0 = split.values, grouped(reference).values  # type: ignore[union-attr]
    d, d0 = a - a.mean(-1, keepdim=True), a0 - a0.mean(-1, keepdim=True)
    v0, v = (d0**2).mean(-1, keepdim=True), (d.detach() ** 2).mean(-1, keepdim=True)
    r, r0 = (v + split.eps).rsqrt(), (v0 + split.eps).rsqrt()
    slope = rescale(v, v0, r, r0, -0.5 * r**3)
    r_linear = slope * ((d.detach() + d0) * d).mean(-1, keepdim=True)
    linear = d * (r + r0) / 2 + r_linear * (d.detach() + d0) / 2
    linear = ungrouped(step, linear)
    return value.detach() + linear - linear.detach(), None, None, None
