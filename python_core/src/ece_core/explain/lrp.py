"""Layer-wise relevance propagation: the score shared out, layer by layer, among what it was computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ece_core.explain import norms
from ece_core.explain.engine import finite
from ece_core.explain.operations import (
    AVERAGING,
    MAX_POOLS,
    NORMS,
    REARRANGING,
    SCALINGS,
    SUMS,
    WEIGHTED,
    check_one_factor,
    is_rectifier,
    refuse,
)
from ece_core.explain.settings import Explainer, Settings
from ece_core.explain.trace import Step, name_of, replayed, traced, with_backward
from ece_core.explain.weighted import Weighted, weighted

_NAME = "LRP"
EPSILON = 1e-6  # added to a sum that something is divided by, away from zero
GAMMA = 0.25

Share = Callable[[Weighted, Tensor], Tensor]


def _stabilized(z: Tensor) -> Tensor:
    return z + EPSILON * torch.where(z < 0, -1.0, 1.0).to(z.dtype)


def _shared(function: Callable[..., Tensor], inputs: tuple[Tensor, ...], relevance: Tensor, offset: Tensor | float = 0):
    """Relevance of each input: its contributions to a linear function's value, in parts of that value."""
    leaves = [one.detach().requires_grad_(True) for one in inputs]
    with torch.enable_grad():
        z = function(*leaves)
        gradients = torch.autograd.grad(z, leaves, relevance / _stabilized(z.detach() + offset))
    return [leaf.detach() * gradient for leaf, gradient in zip(leaves, gradients, strict=True)]


def epsilon_rule(layer: Weighted, relevance: Tensor) -> Tensor:
    """In parts of the contributions, signed; the bias keeps its own part."""
    (given,) = _shared(lambda x: layer.apply(x, layer.weight), (layer.x,), relevance, layer.bias)
    return given


def positive_rule(layer: Weighted, relevance: Tensor) -> Tensor:
    """z+: in parts of the positive contributions alone; what speaks against gets nothing, nor does the bias."""
    up, down = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    return _of_two_parts(layer, up, down, relevance)


def _negative_rule(layer: Weighted, relevance: Tensor) -> Tensor:
    up, down = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    return _of_two_parts(layer, down, up, relevance)


def _of_two_parts(layer: Weighted, of_positive: Tensor, of_negative: Tensor, relevance: Tensor) -> Tensor:
    given = _shared(
        lambda p, n: layer.apply(p, of_positive) + layer.apply(n, of_negative),
        (layer.x.clamp(min=0), layer.x.clamp(max=0)),
        relevance,
    )
    return given[0] + given[1]


def alpha2_beta1_rule(layer: Weighted, relevance: Tensor) -> Tensor:
    """Twice the positive parts less the negative ones; where one of them is missing, the other one alone."""
    up, down = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    p, n = layer.x.clamp(min=0), layer.x.clamp(max=0)
    speaks_for = layer.apply(p, up) + layer.apply(n, down) > 0
    speaks_against = layer.apply(p, down) + layer.apply(n, up) < 0
    both = speaks_for & speaks_against
    for_it = relevance * torch.where(both, 2.0, speaks_for.to(relevance.dtype))
    against = relevance * torch.where(both, -1.0, (speaks_against & ~speaks_for).to(relevance.dtype))
    return positive_rule(layer, for_it) + _negative_rule(layer, against)


def gamma_rule(layer: Weighted, relevance: Tensor) -> Tensor:
    """Contributions of the output's own sign count 1 + GAMMA times; the bias keeps its own part."""
    up, down = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    y = layer.apply(layer.x, layer.weight) + layer.bias
    total = torch.zeros_like(layer.x)
    bias = torch.as_tensor(layer.bias, dtype=y.dtype, device=y.device)
    for sign, with_positive, with_negative in ((1, up, down), (-1, down, up)):
        mine = (y < 0) if sign < 0 else (y >= 0)
        offset = bias + GAMMA * (bias * sign).clamp(min=0) * sign
        of_p, of_n = layer.weight + GAMMA * with_positive, layer.weight + GAMMA * with_negative
        given = _shared(
            lambda p, n, a=of_p, b=of_n: layer.apply(p, a) + layer.apply(n, b),
            (layer.x.clamp(min=0), layer.x.clamp(max=0)),
            relevance * mine,
            offset,
        )
        total = total + given[0] + given[1]
    return total


def flat_rule(layer: Weighted, relevance: Tensor) -> Tensor:
    """The same for every voxel that the output has seen, whatever its value or weight."""
    (given,) = _shared(lambda x: layer.apply(x, torch.ones_like(layer.weight)), (torch.ones_like(layer.x),), relevance)
    return given


@dataclass(frozen=True)
class RuleSet:
    """Which rule each kind of layer follows.

    Attributes
    ----------
    convolution, dense
        For convolutions, and for linear layers.
    first
        For layers that see the image itself; None: as the others.
    signed
        Sums, averages and normalization share by signed parts (True), which may cancel and then grow beyond bounds
        near zero; or among the parts of the result's own sign, and normalization passes on what it gets.
    """

    convolution: Share
    dense: Share
    first: Share | None = None
    signed: bool = False


RULE_SETS = {
    "zplus": RuleSet(positive_rule, positive_rule),
    "epsilon": RuleSet(epsilon_rule, epsilon_rule, signed=True),
    "gamma": RuleSet(gamma_rule, gamma_rule),
    "alpha2beta1": RuleSet(alpha2_beta1_rule, alpha2_beta1_rule),
    "epsilon-plus-flat": RuleSet(positive_rule, epsilon_rule, flat_rule),
}


@contextmanager
def _lrp(rules: str, network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """Relevance of every voxel; it sums to the score where no bias takes part.

    A score is shared from ``seed * logits``, so that every voxel of a voxel set brings its own logit. Max pooling
    gives all to the maximum, rectifiers pass on what they get.

    Raises
    ------
    NotExplainableError
        Attention, a gate, an activation that is no rectifier, or another operation without a rule.

    References
    ----------
    Bach et al. 2015, doi:10.1371/journal.pone.0130140 (epsilon, alpha-beta); Montavon et al. 2017,
    arXiv:1512.02479 (z+); Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10 (gamma, composites); Andeol et al.
    2021 (gamma for inputs of both signs); Achtibat et al. 2024, arXiv:2402.05602 (normalization passes on).
    """
    chosen = RULE_SETS[rules]
    forward_pass = replayed(traced(network, x), x, partial(_rule, chosen))
    logits = forward_pass.logits.detach()
    yield Explainer(logits, lambda seed: finite(forward_pass.input_gradient(seed * logits)))


def lrp(rules: str) -> Any:
    """The method under one of RULE_SETS."""
    return partial(_lrp, rules)


def _rule(rules: RuleSet, step: Step) -> Any:
    name = step.name
    if name in REARRANGING:
        return step.run()
    if name in WEIGHTED:
        return _weighted(rules, step)
    if name in SUMS and len(step.inputs) == 1:
        return _plus_constant(rules, step)
    if name in AVERAGING or name in SUMS:
        return _sum(rules, step)
    if name in SCALINGS:
        check_one_factor(_NAME, step)
        return with_backward(step.run(), lambda r: _of_shape(r, step.dependent), *step.dependent)
    if name in MAX_POOLS:
        return _max_pool(step)
    if name in NORMS:
        return _norm(rules, step)
    if is_rectifier(step):
        return with_backward(step.run(), lambda r: (r,), *step.dependent)
    raise refuse(_NAME, step)


def _of_shape(relevance: Tensor, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(relevance.sum_to_size(one.shape) for one in inputs)


def _weighted(rules: RuleSet, step: Step) -> Tensor:
    check_one_factor(_NAME, step)
    layer = weighted(step)
    share = rules.convolution if step.name == "convolution" else rules.dense
    if rules.first is not None and _sees_the_image(step.node):
        share = rules.first
    return with_backward(step.run(), lambda relevance: (share(layer, relevance),), *step.dependent)


def _sees_the_image(node: Any) -> bool:
    """Whether nothing but rearrangements stands between the image and this operation."""
    return all(
        before.op == "placeholder" or (name_of(before) in REARRANGING and _sees_the_image(before))
        for before in node.all_input_nodes
        if before.op != "get_attr"
    )


def _plus_constant(rules: RuleSet, step: Step) -> Tensor:
    """A bias of its own: takes its part under signed rules, none under the others."""
    y = step.run().detach()
    (x,) = step.dependent
    if not rules.signed:
        return with_backward(y, lambda r: _of_shape(r, (x,)), x)
    value = x.detach()
    sign = -1 if step.name in ("neg", "rsub") or (step.name == "sub" and step.args[1] is x) else 1
    return with_backward(y, lambda r: _of_shape(sign * value * r / _stabilized(y), (x,)), x)


def _sum(rules: RuleSet, step: Step) -> Tensor:
    """A sum, an average, a finer grid: each part gets its share."""
    y, inputs = step.run().detach(), step.dependent

    def function(*leaves: Tensor) -> Tensor:
        return step.at(*leaves)

    if rules.signed:
        return with_backward(y, lambda r: tuple(_shared(function, inputs, r)), *inputs)

    def backward(relevance: Tensor) -> tuple[Tensor, ...]:
        # The parts that push the result where it is: no cancelling, so nothing is divided by a small difference.
        upward = _parts(step, inputs, relevance * (y >= 0), 1)
        downward = _parts(step, inputs, relevance * (y < 0), -1)
        return tuple(a + b for a, b in zip(upward, downward, strict=True))

    return with_backward(y, backward, *inputs)


def _parts(step: Step, inputs: tuple[Tensor, ...], relevance: Tensor, sign: int) -> list[Tensor]:
    """Shares of the inputs' parts whose contribution has this sign; in a difference the second one's sign is turned."""
    negated = [step.name in ("neg", "rsub") or (step.name == "sub" and place == 1) for place in range(len(inputs))]
    if step.name == "rsub":
        negated = [place == 0 for place in range(len(inputs))]
    clamped = tuple(
        one.clamp(min=0) if (sign > 0) != turned else one.clamp(max=0)
        for one, turned in zip(inputs, negated, strict=True)
    )
    return _shared(step.at, clamped, relevance)


def _max_pool(step: Step) -> tuple[Tensor, Tensor]:
    value, at = step.run()  # its gradient goes to the maximum: just what the rule says of relevance
    return value, at


def _norm(rules: RuleSet, step: Step) -> tuple[Tensor, None, None, None]:
    y, (x,) = step.run()[0].detach(), step.dependent
    if not rules.signed:
        return with_backward(y, lambda r: (r,), x), None, None, None
    part = norms.scale(step) * x.detach()
    return with_backward(y, lambda r: (part * r / _stabilized(y),), x), None, None, None
