"""SmoothGrad: the gradient averaged over noisy copies of the input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ece_core.explain.engine import recorded
from ece_core.explain.settings import Explainer, Settings


@contextmanager
def smooth_grad(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """Mean gradient of ``settings.samples`` copies with Gaussian noise; every seed sees the same noise.

    References
    ----------
    Smilkov et al. 2017, arXiv:1706.03825, section 3.
    """
    with recorded(network, x) as clean:
        logits = clean.logits.detach()
    yield Explainer(logits, lambda seed: _mean_gradient(network, x, settings, seed))


def _mean_gradient(network: nn.Module, x: Tensor, settings: Settings, seed: Tensor) -> Tensor:
    total = torch.zeros_like(x)
    for noise in noises(x, settings):
        with recorded(network, x + noise) as noisy:
            total += noisy.input_gradient(seed)
    return total / settings.samples


def noises(x: Tensor, settings: Settings) -> Iterator[Tensor]:
    """The same draws for the same seed on every device."""
    generator = torch.Generator().manual_seed(settings.seed)
    deviation = settings.noise * (x.max() - x.min())
    for _ in range(settings.samples):
        yield torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device) * deviation
