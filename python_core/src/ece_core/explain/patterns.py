"""PatternNet and PatternAttribution: what a layer's input looks like when its output is large, learned from data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from ece_core.explain import norms
from ece_core.explain.engine import NotExplainableError, finite
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
from ece_core.explain.stored_tensors import store, stored
from ece_core.explain.trace import Step, Trace, name_of, replayed, step_of, traced, with_backward
from ece_core.explain.weighted import Weighted, weighted

_NAME = "PatternNet"
FILE = "patterns.safetensors"


@dataclass(frozen=True, eq=False)
class Patterns:
    """One pattern per layer with weights, in the order in which they run.

    Attributes
    ----------
    tensors
        In the shape of the layer's weight.
    weights_sha256
        Of the network that they were fitted on.
    """

    tensors: list[Tensor]
    weights_sha256: str

    def save(self, folder: Path) -> Path:
        """Beside the weights of a bundle."""
        named = {f"{place:04d}": tensor for place, tensor in enumerate(self.tensors)}
        return store(Path(folder) / FILE, named, {"network": self.weights_sha256})

    @classmethod
    def load(cls, folder: Path) -> Patterns | None:
        """Those of a bundle; None where it has none.

        Raises
        ------
        ModelError
            The file is damaged.
        """
        found = stored(Path(folder) / FILE, "patterns", "Fit them again.")
        return None if found is None else cls([found[0][name] for name in sorted(found[0])], found[1]["network"])


def network_sha256(network: nn.Module) -> str:
    """A fingerprint of all weights, the same on every device."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@dataclass
class _Moments:
    """Sums over all places of a layer's output: in the regime (weights g) of g, g y, g y y, g x, g x y."""

    count: Tensor
    y: Tensor
    yy: Tensor
    x: Tensor
    xy: Tensor


@dataclass
class _Fit:
    layers: dict[int, _Moments] = field(default_factory=dict)

    def add(self, place: int, found: _Moments) -> None:
        known = self.layers.get(place)
        if known is None:
            self.layers[place] = found
            return
        for name in ("count", "y", "yy", "x", "xy"):
            setattr(known, name, getattr(known, name) + getattr(found, name))


def fit_patterns(network: nn.Module, images: Iterable[Tensor]) -> Patterns:
    """Learn the patterns of a network from images such as it was trained on; its weights are not changed.

    With input x and output y of a layer's unit, over all places where the rectifier after it is open:
    a = (E[x y] - E[x] E[y]) / (w . (E[x y] - E[x] E[y])), the two-component estimator. Layers that no rectifier
    follows directly take the same over all places (the linear estimator).

    Parameters
    ----------
    images
        Batches (n, c, k, j, i), at least one; all of one shape per batch.

    Raises
    ------
    NotExplainableError
        There is no image, or the network has an operation without a rule.

    References
    ----------
    Kindermans et al. 2017, arXiv:1705.05598, equations 4 and 6.
    """
    fit, weights = _Fit(), []
    for image in images:
        trace = traced(network, image)
        with torch.no_grad():
            values = trace.run(image.detach())
            for step in (step_of(node, values) for node in trace.operations):
                _check(step)
            layers = _layers(trace, values)
            weights = [layer.weight for _, layer in layers]
            for place, (node, layer) in enumerate(layers):
                fit.add(place, _moments(layer, values[node], _open(node, values)))
    if not fit.layers:
        raise NotExplainableError("Patterns need images to be learned from.", "Give at least one batch.")
    tensors = [_pattern(fit.layers[place], weight) for place, weight in enumerate(weights)]
    return Patterns(tensors, network_sha256(network))


def _layers(trace: Trace, values: dict[fx.Node, Any]) -> list[tuple[fx.Node, Weighted]]:
    return [(node, weighted(step_of(node, values))) for node in trace.operations if name_of(node) in WEIGHTED]


def _open(node: fx.Node, values: dict[fx.Node, Any]) -> Tensor:
    """1 where the rectifier directly after this layer, or after its normalization, is open; 1 everywhere without."""
    y, after = values[node], node
    while len(after.users) == 1:
        (after,) = after.users
        if after.op != "call_function":
            break
        if name_of(after) in NORMS:
            first = [user for user in after.users if user.args[1] == 0]
            if len(first) != 1:
                break
            after = first[0]
        elif is_rectifier(step_of(after, values)):
            (before,) = step_of(after, values).dependent
            return (before > 0).to(y.dtype).reshape(y.shape)
        elif name_of(after) not in ("clone", "alias", "view"):  # instance norm is a batch norm between two views
            break
    return torch.ones_like(y)


def _moments(layer: Weighted, y: Tensor, g: Tensor) -> _Moments:
    """The sums of x and x y over places are gradients with respect to the weight: no patch is ever cut out."""

    def over_patches(factor: Tensor) -> Tensor:
        leaf = torch.zeros_like(layer.weight).requires_grad_(True)
        with torch.enable_grad():
            (found,) = torch.autograd.grad(layer.apply(layer.x, leaf), leaf, factor)
        return found.double()

    def total(factor: Tensor) -> Tensor:
        return factor.double().transpose(0, 1).flatten(1).sum(dim=1)

    return _Moments(total(g), total(g * y), total(g * y * y), over_patches(g), over_patches(g * y))


def _pattern(moments: _Moments, weight: Tensor) -> Tensor:
    axis = 0 if weight.ndim > 2 else 1  # of the outputs: first in a convolution, last in a linear layer
    shape = [-1 if place == axis else 1 for place in range(weight.ndim)]
    count = moments.count.clamp(min=1)
    covariance = moments.xy / count.reshape(shape) - (
        moments.x / count.reshape(shape) * (moments.y / count).reshape(shape)
    )
    others = [place for place in range(weight.ndim) if place != axis]
    along = (weight.double() * covariance).sum(dim=others, keepdim=True)  # the variance of y where it is linear in x
    noise = 1e-12 * (moments.yy / count).reshape(shape)
    known = along.abs() > noise
    found = torch.where(known, covariance / torch.where(known, along, torch.ones_like(along)), 0.0)
    return found.to(weight.dtype)


@contextmanager
def _pattern_maps(attribution: bool, network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """The score sent back through patterns in the place of weights (signal) or through their product (attribution).

    Rectifiers and pooling as in the gradient; a normalization layer's pattern is the reciprocal of its scale.

    Raises
    ------
    NotExplainableError
        No patterns were fitted, or they are of another network; attention, or an operation without a rule.

    References
    ----------
    Kindermans et al. 2017, arXiv:1705.05598, section 4.
    """
    patterns = _of_this_network(settings.patterns, network)
    trace = traced(network, x)
    places = {node: n for n, node in enumerate(node for node in trace.operations if name_of(node) in WEIGHTED)}
    if len(places) != len(patterns.tensors):
        raise _foreign()

    def rule(step: Step) -> Any:
        _check(step)
        if step.node in places:
            layer = weighted(step)
            pattern = patterns.tensors[places[step.node]].to(layer.weight)
            if pattern.shape != layer.weight.shape:
                raise _foreign()
            return _sent_through(step, layer, layer.weight * pattern if attribution else pattern)
        if step.name in NORMS:
            scale = norms.scale(step)
            factor = torch.ones_like(scale) if attribution else _reciprocal(scale)
            value = step.run()[0]
            return with_backward(value, lambda g: (g * factor,), *step.dependent), None, None, None
        return step.run()

    forward_pass = replayed(trace, x, rule)
    logits = forward_pass.logits.detach()
    yield Explainer(logits, lambda seed: finite(forward_pass.input_gradient(seed * logits)))


pattern_signal = partial(_pattern_maps, False)
pattern_attribution = partial(_pattern_maps, True)


def _sent_through(step: Step, layer: Weighted, weight: Tensor) -> Tensor:
    def backward(gradient: Tensor) -> tuple[Tensor]:
        leaf = layer.x.requires_grad_(True)
        with torch.enable_grad():
            return torch.autograd.grad(layer.apply(leaf, weight), leaf, gradient)  # type: ignore[return-value]

    return with_backward(step.run(), backward, *step.dependent)


def _reciprocal(scale: Tensor) -> Tensor:
    return torch.where(scale == 0, torch.zeros_like(scale), 1 / torch.where(scale == 0, torch.ones_like(scale), scale))


def _check(step: Step) -> None:
    if step.name in WEIGHTED or step.name in SCALINGS:
        check_one_factor(_NAME, step)
        return
    known = REARRANGING | AVERAGING | SUMS | MAX_POOLS | NORMS
    if step.name not in known and not is_rectifier(step):
        raise refuse(_NAME, step)


def _of_this_network(patterns: Patterns | None, network: nn.Module) -> Patterns:
    if patterns is None:
        raise NotExplainableError(
            "PatternNet needs patterns, which this model does not have.",
            "Fit them on images such as the model was trained on (scripts/fit_explanations.py).",
        )
    if patterns.weights_sha256 != network_sha256(network):
        raise _foreign()
    return patterns


def _foreign() -> NotExplainableError:
    return NotExplainableError("The patterns were fitted on another network.", "Fit them again on this one.")
