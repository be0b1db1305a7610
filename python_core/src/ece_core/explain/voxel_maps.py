"""The methods that take a backward pass per voxel, for seeds of few voxels each: one run of the network for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import torch
from torch import Tensor, fx, nn
from torch.autograd.graph import Node

from ece_core.explain.class_activation import averaged
from ece_core.explain.engine import recorded
from ece_core.explain.grad_cam import cam_from
from ece_core.explain.grad_cam_plus_plus import cam_plus_plus_from
from ece_core.explain.layer import chosen_layers
from ece_core.explain.local_gradient import LocalGradient, Plain, Rectify
from ece_core.explain.rectifiers import check_plain, find_rectifiers, warn_of_extension
from ece_core.explain.settings import Explainer, Settings
from ece_core.explain.trace import Step, Trace, traced

CamFrom = Callable[[Tensor, Tensor, torch.Size], Tensor]
Values = dict[fx.Node, Tensor]


def guided_rule(step: Step, above: Tensor, x: Tensor, plain: Plain) -> Tensor:
    """Guided backpropagation at a rectifier: what arrives there without its negative part."""
    if step.name == "relu":
        return torch.ops.aten.threshold_backward(above, x, 0).clamp_(min=0)
    below = plain(above.clamp(min=0))
    return below * (x > 0) if step.name in ("clamp", "clamp_min") else below  # torch lets it pass at exactly 0


def deconvolved_rule(step: Step, above: Tensor, x: Tensor, plain: Plain) -> Tensor:
    """DeConvNet at a ReLU."""
    return above.clamp(min=0)


def _run(network: nn.Module, x: Tensor, layers: Sequence[nn.Module] = ()) -> tuple[Trace, Values]:
    trace = traced(network, x, layers)
    with torch.no_grad():
        return trace, trace.run(x.detach())


@contextmanager
def voxel_saliency(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """As :func:`ece_core.explain.gradient.saliency`."""
    trace, values = _run(network, x)
    gradient = LocalGradient(trace, values, [trace.image])
    yield Explainer(trace.logits(values), lambda seed: gradient.of(seed)[0].abs())


@contextmanager
def _rectified(
    rule: Rectify, method: str, check: Callable[[list[Node]], None], network: nn.Module, x: Tensor, settings: Settings
) -> Iterator[Explainer]:
    check(_rectifiers_of(network, x, method))
    trace, values = _run(network, x)
    gradient = LocalGradient(trace, values, [trace.image], rule)
    yield Explainer(trace.logits(values), lambda seed: gradient.of(seed)[0])


def _rectifiers_of(network: nn.Module, x: Tensor, method: str) -> list[Node]:
    """Refuses what the method refuses; the recorded graph is let go."""
    with recorded(network, x) as forward_pass:
        return find_rectifiers(network, forward_pass, method)


@contextmanager
def _cam(cam: CamFrom, network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    with _layers(cam, network, x, settings) as (trace, values, at_layers):
        yield Explainer(trace.logits(values), at_layers)


@contextmanager
def _guided_cam(cam: CamFrom, network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    warn_of_extension(_rectifiers_of(network, x, "Guided backpropagation"))
    with _layers(cam, network, x, settings) as (trace, values, at_layers):
        guided = LocalGradient(trace, values, [trace.image], guided_rule)
        yield Explainer(trace.logits(values), lambda seed: guided.of(seed)[0] * at_layers(seed))


@contextmanager
def _layers(
    cam: CamFrom, network: nn.Module, x: Tensor, settings: Settings
) -> Iterator[tuple[Trace, Values, Callable[[Tensor], Tensor]]]:
    """A run of the network, and the map of the chosen layers for a seed."""
    layers = chosen_layers(network, x, settings.layer)
    trace, values = _run(network, x, layers)
    nodes = [trace.layers[layer] for layer in layers]
    gradient = LocalGradient(trace, values, nodes)

    def of(seed: Tensor) -> Tensor:
        found = zip(nodes, gradient.of(seed), strict=True)
        return averaged([cam(values[node], each, x.shape[2:]) for node, each in found])

    yield trace, values, of


OpenVoxels = Callable[[nn.Module, Tensor, Settings], AbstractContextManager[Explainer]]

voxel_guided: OpenVoxels = partial(_rectified, guided_rule, "Guided backpropagation", warn_of_extension)
voxel_deconvnet: OpenVoxels = partial(_rectified, deconvolved_rule, "DeConvNet", check_plain)
voxel_grad_cam_plus_plus: OpenVoxels = partial(_cam, cam_plus_plus_from)
voxel_guided_grad_cam: OpenVoxels = partial(_guided_cam, cam_from)
voxel_guided_grad_cam_plus_plus: OpenVoxels = partial(_guided_cam, cam_plus_plus_from)
voxel_single_grad_cam: OpenVoxels = partial(_cam, cam_from)
