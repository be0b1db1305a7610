"""The gradient at the input, and what is made of it voxel by voxel: saliency, gradient x input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from ece_core.explain.engine import recorded
from ece_core.explain.settings import Explainer, Settings


@contextmanager
def gradient(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """How the score answers to a small change of a voxel."""
    with recorded(network, x) as forward_pass:
        yield Explainer(forward_pass.logits, forward_pass.input_gradient)


@contextmanager
def saliency(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """Absolute value of the gradient.

    References
    ----------
    Simonyan et al. 2013, arXiv:1312.6034, section 3.
    """
    with gradient(network, x, settings) as plain:
        yield Explainer(plain.logits, lambda seed: plain.of(seed).abs())


@contextmanager
def gradient_x_input(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """Gradient times value: each voxel's part of the score, were the network linear.

    References
    ----------
    Shrikumar et al. 2016, arXiv:1605.01713.
    """
    with gradient(network, x, settings) as plain:
        yield Explainer(plain.logits, lambda seed: plain.of(seed) * x)
