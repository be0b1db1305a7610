"""The layer a class activation map is taken from: find it, and watch its activation in one forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from ece_core.explain.engine import IMAGE_DIMENSIONS, NotExplainableError, checked_input, frozen, run
from ece_core.explain.settings import Layers

SEVERAL = ("all", "bottleneck+decoder")  # words for several layers, see chosen_layers
_CHOOSE = "Choose another layer."


def find_layer(network: nn.Module, layer: str | nn.Module) -> nn.Module:
    """A module of ``network`` by its name (``"features.denseblock4"``) or itself.

    Raises
    ------
    NotExplainableError
        The network has no such layer.
    """
    modules = dict(network.named_modules())
    if isinstance(layer, str):
        if layer in modules:
            return modules[layer]
        described = f"named {layer!r}"
    else:
        if any(module is layer for module in modules.values()):
            return layer
        described = f"{type(layer).__name__} that was given"
    raise NotExplainableError(
        f"The network has no layer {described}.",
        f"Its top layers are: {', '.join(name for name, _ in network.named_children())}.",
    )


class Watched:
    """The activation that one layer gave during a forward pass."""

    def __init__(self) -> None:
        self._activation: Tensor | None = None
        self._version = -1

    def keep(self, _module: nn.Module, _arguments: tuple, output: object) -> Tensor:
        """Forward hook: keep the output and hand a copy on, so that an in-place operation cannot change it."""
        if self._activation is not None:
            raise NotExplainableError(
                "The layer runs more than once in a forward pass, so it has no one activation.", _CHOOSE
            )
        if not isinstance(output, Tensor) or output.ndim not in IMAGE_DIMENSIONS:
            found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise NotExplainableError(
                f"The layer gives {found}, not feature maps (batch, channel, slice, row, column).", _CHOOSE
            )
        if not output.requires_grad:
            output.requires_grad_(True)  # nothing before it is recorded: the graph begins here
        self._activation, self._version = output, output._version
        return output.clone()

    @property
    def activation(self) -> Tensor:
        """(n, channels, k, j, i), part of the graph to the logits.

        Raises
        ------
        NotExplainableError
            The layer did not run, or what it gave was overwritten in place.
        """
        if self._activation is None:
            raise NotExplainableError("The layer takes no part in the forward pass.", _CHOOSE)
        if self._activation._version != self._version:
            raise NotExplainableError("The layer's activation is overwritten in place by a later one.", _CHOOSE)
        return self._activation


@contextmanager
def watched(layer: nn.Module) -> Iterator[Watched]:
    """Watch ``layer`` while this is open."""
    seen = Watched()
    handle = layer.register_forward_hook(seen.keep)
    try:
        yield seen
    finally:
        handle.remove()


def last_spatial_layer(network: nn.Module, x: Tensor) -> nn.Module:
    """The layer that Grad-CAM explains best: the last to run, once, with more than one voxel in its maps.

    Found by running the network once without gradients; in MONAI's DenseNet it is the ReLU before the
    global pooling, so that all feature maps count and not only the last convolution's few.

    Raises
    ------
    NotExplainableError
        No module gives such maps.
    """
    runs: dict[nn.Module, int] = {}

    def note(module: nn.Module, _arguments: tuple, output: object) -> None:
        spatial = isinstance(output, Tensor) and output.ndim in IMAGE_DIMENSIONS and output[0, 0].numel() > 1
        count = runs.pop(module, 0) + 1
        runs[module] = count if spatial else count + 1  # not spatial counts as unusable

    with torch.no_grad(), frozen(network), ExitStack() as hooks:
        for module in network.modules():
            if not any(module.children()):
                hooks.callback(module.register_forward_hook(note).remove)
        run(network, checked_input(x))
    usable = [module for module, count in runs.items() if count == 1]
    if not usable:
        raise NotExplainableError(
            "No layer gives feature maps with more than one voxel.", "Name the layer for Grad-CAM."
        )
    return usable[-1]


def chosen_layers(network: nn.Module, x: Tensor, choice: Layers) -> list[nn.Module]:
    """The layers that a class activation map is taken from.

    Parameters
    ----------
    choice
        None or ``"last"``: :func:`last_spatial_layer`. ``"bottleneck+decoder"``: the last convolution on the coarsest
        grid and all that run after it, without the one that gives the logits. ``"all"``: every convolution but that
        one. Else names or modules.

    Raises
    ------
    NotExplainableError
        There is no such layer; or the network has no decoder (nothing runs on a finer grid after the coarsest).

    References
    ----------
    Strijbis et al. 2025: the final layer, the average of bottleneck and decoder, each layer alone, all of them.
    """
    if choice is None or choice == "last":
        return [last_spatial_layer(network, x)]
    if isinstance(choice, str) and choice in SEVERAL:
        return _convolutions(network, x, only_from_the_bottleneck=choice != "all")
    if isinstance(choice, str | nn.Module):
        return [find_layer(network, choice)]
    return [find_layer(network, each) for each in choice]


def _convolutions(network: nn.Module, x: Tensor, only_from_the_bottleneck: bool) -> list[nn.Module]:
    ran: list[tuple[nn.Module, int]] = []

    def note(module: nn.Module, _arguments: tuple, output: Tensor) -> None:
        ran.append((module, output[0, 0].numel()))

    with torch.no_grad(), frozen(network), ExitStack() as hooks:
        for module in network.modules():
            if isinstance(module, nn.modules.conv._ConvNd):
                hooks.callback(module.register_forward_hook(note).remove)
        logits = run(network, checked_input(x))
    if ran and logits.ndim == x.ndim and ran[-1][0].out_channels == logits.shape[1]:
        ran.pop()  # its maps are the logits
    often = [module for module, _ in ran]
    ran = [(module, voxels) for module, voxels in ran if often.count(module) == 1 and voxels > 1]
    if not ran:
        raise NotExplainableError("The network has no convolution that runs once.", "Name the layers for Grad-CAM.")
    if not only_from_the_bottleneck:
        return [module for module, _ in ran]
    coarsest = min(voxels for _, voxels in ran)
    last = max(place for place, (_, voxels) in enumerate(ran) if voxels == coarsest)
    if last == len(ran) - 1:
        raise NotExplainableError("The network has no decoder: its coarsest grid is its last.", 'Choose "last".')
    return [module for module, _ in ran[last:]]
