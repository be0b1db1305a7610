"""The CAM family for any seed from one kept graph: of one layer or averaged over several, alone or guided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ece_core.explain.engine import checked_input, frozen, gradients_possible, recorded, run
from ece_core.explain.grad_cam import cam_of
from ece_core.explain.grad_cam_plus_plus import cam_plus_plus_of
from ece_core.explain.layer import chosen_layers, watched
from ece_core.explain.rectifiers import find_rectifiers, guided
from ece_core.explain.settings import Explainer, Settings

CamOf = Callable[[Tensor, Tensor, Tensor, torch.Size], Tensor]


@contextmanager
def _cam(cam: CamOf, network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    layers = chosen_layers(network, x, settings.layer)
    with gradients_possible(), frozen(network), ExitStack() as stack:
        seen = [stack.enter_context(watched(layer)) for layer in layers]
        logits = run(network, checked_input(x))
        yield Explainer(logits, lambda seed: averaged([cam(one.activation, logits, seed, x.shape[2:]) for one in seen]))


@contextmanager
def _guided_cam(cam: CamOf, network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """Guided backpropagation times the class activation map, voxel by voxel.

    References
    ----------
    Selvaraju et al. 2017, arXiv:1610.02391, section 3.2.
    """
    layers = chosen_layers(network, x, settings.layer)
    with ExitStack() as stack:
        seen = [stack.enter_context(watched(layer)) for layer in layers]
        forward_pass = stack.enter_context(recorded(network, x))
        rectifiers = find_rectifiers(network, forward_pass)

        def of(seed: Tensor) -> Tensor:
            maps = [cam(one.activation, forward_pass.logits, seed, x.shape[2:]) for one in seen]
            with guided(rectifiers):
                return forward_pass.input_gradient(seed) * averaged(maps)

        yield Explainer(forward_pass.logits, of)


def averaged(maps: list[Tensor]) -> Tensor:
    """The map of one layer as it is; of several layers the mean, each divided by its maximum before.

    Without that division the layer with the largest activations would speak alone.
    """
    if len(maps) == 1:
        return maps[0]
    return torch.stack([one / highest(one) for one in maps]).mean(dim=0)


def highest(cam: Tensor) -> Tensor:
    """Maximum of each element of the batch, 1 where it is 0; shape (n, 1, 1, 1, 1)."""
    found = cam.flatten(1).amax(dim=1).reshape(-1, *[1] * (cam.ndim - 1))
    return torch.where(found > 0, found, torch.ones_like(found))


grad_cam_maps = partial(_cam, cam_of)
grad_cam_plus_plus_maps = partial(_cam, cam_plus_plus_of)
guided_grad_cam_maps = partial(_guided_cam, cam_of)
guided_grad_cam_plus_plus_maps = partial(_guided_cam, cam_plus_plus_of)
