"""The gradient engine: one recorded forward pass that explanation methods differentiate.

Only the input carries a gradient, never a weight. The network is changed only inside a ``with``
and is afterwards as it was found, also after an exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from ece_core.errors import InputError, RunError

IMAGE_DIMENSIONS = (4, 5)  # with batch and channel: 2D and 3D are the same code


class NotExplainableError(InputError):
    """The method does not apply to this network, layer or target. The problem gives the reason."""


@dataclass(frozen=True)
class ForwardPass:
    """One recorded forward pass.

    Parameters
    ----------
    input
        (n, c, k, j, i), or (n, c, j, i) in 2D; the leaf of the graph, a copy of what the caller gave.
    logits
        (n, classes) or (n, classes, k, j, i), the network's output.
    """

    input: Tensor
    logits: Tensor

    def input_gradient(self, seed: Tensor) -> Tensor:
        """Gradient of ``sum(seed * logits)`` at the input, in its shape; the graph is kept."""
        (gradient,) = torch.autograd.grad(self.logits, self.input, seed, retain_graph=True)
        return finite(gradient)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and no weight gradients; every module and weight gets its own setting back."""
    modes = [(module, module.training) for module in network.modules()]
    requirements = [(tensor, tensor.requires_grad) for tensor in chain(network.parameters(), network.buffers())]
    try:
        for module, _ in modes:
            module.training = False
        for tensor, required in requirements:
            if required:
                tensor.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for tensor, required in requirements:
            if tensor.requires_grad != required:
                tensor.requires_grad_(required)


@contextmanager
def gradients_possible() -> Iterator[None]:
    """Gradients are recorded, whatever no_grad or inference mode the caller is in."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def checked_input(x: Tensor) -> Tensor:
    """A detached copy of ``x``.

    Raises
    ------
    NotExplainableError
        ``x`` is not a floating point tensor (n, c, k, j, i) or (n, c, j, i), or holds NaN or infinity.
    """
    if x.ndim not in IMAGE_DIMENSIONS or not x.is_floating_point():
        raise NotExplainableError(
            f"The network's input has shape {tuple(x.shape)} and type {x.dtype}.",
            "Give a floating point tensor (batch, channel, slice, row, column), or (batch, channel, row, column).",
        )
    if not torch.isfinite(x).all():
        raise NotExplainableError(
            "The network's input holds values that are not finite.", "Mend the voxels before explaining."
        )
    return x.detach().clone()


def run(network: nn.Module, x: Tensor) -> Tensor:
    """The network's output for a copy of ``x``, so that an in-place first layer cannot overwrite it.

    Raises
    ------
    NotExplainableError
        The network gives something else than one tensor, or is not made for images of that dimension.
    """
    _check_dimensions(network, x)
    logits = network(x.clone())
    if not isinstance(logits, Tensor):
        raise NotExplainableError(
            f"The network gives a {type(logits).__name__}, not one tensor of logits.",
            "Wrap it in a module that returns the logits to explain.",
        )
    return logits


def _check_dimensions(network: nn.Module, x: Tensor) -> None:
    """An image without its batch axis looks like one of a dimension less."""
    wanted = {5 if isinstance(module, nn.Conv3d) else 4 for module in network.modules() if _is_convolution(module)}
    if len(wanted) == 1 and x.ndim not in wanted:
        raise NotExplainableError(
            f"The network's input has shape {tuple(x.shape)} and type {x.dtype}.",
            "Give a floating point tensor (batch, channel, slice, row, column), or (batch, channel, row, column).",
        )


def _is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.Conv3d)


@contextmanager
def recorded(network: nn.Module, x: Tensor) -> Iterator[ForwardPass]:
    """Run ``network`` on ``x`` once and keep the graph from the input to the logits.

    Raises
    ------
    NotExplainableError
        See :func:`checked_input` and :func:`run`; or the output does not depend on the input.
    """
    with gradients_possible(), frozen(network):
        leaf = checked_input(x).requires_grad_(True)
        logits = run(network, leaf)
        if logits.grad_fn is None:
            raise NotExplainableError(
                "The network's output has no gradient with respect to its input.",
                "Remove no_grad or detach from its forward pass.",
            )
        yield ForwardPass(leaf, logits)


def finite(attribution: Tensor) -> Tensor:
    """``attribution`` without graph.

    Raises
    ------
    RunError
        It holds NaN or infinity: nothing that could be drawn honestly.
    """
    if not torch.isfinite(attribution).all():
        raise RunError(
            "The explanation holds values that are not finite; the gradient overflowed.",
            "Run it in float32 on the CPU, and check the model's weights.",
        )
    return attribution.detach()


def over_voxels(x: Tensor) -> tuple[int, ...]:
    """The axes of the voxels of (n, c, k, j, i) or (n, c, j, i)."""
    return tuple(range(2, x.ndim))


def on_grid(maps: Tensor, size: torch.Size | tuple[int, ...]) -> Tensor:
    """Maps (n, c, k', j', i') on the input's grid (k, j, i), trilinear (bilinear in 2D)."""
    mode = "trilinear" if len(size) == 3 else "bilinear"
    return functional.interpolate(maps, size=tuple(size), mode=mode, align_corners=False)
