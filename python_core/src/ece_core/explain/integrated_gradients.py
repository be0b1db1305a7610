"""Integrated gradients: the gradient averaged on the straight way from a baseline to the input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from ece_core.explain.completeness import check_complete, is_complete
from ece_core.explain.engine import recorded
from ece_core.explain.settings import Explainer, Settings

DOUBLINGS = 3


@contextmanager
def integrated_gradients(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """(x - baseline) times the mean gradient on the way, by Gauss-Legendre quadrature in ``settings.steps`` points.

    The map sums to the difference of the two scores. Where it misses more than ``settings.tolerance`` of it the steps
    are doubled, up to DOUBLINGS times, and what is not complete then is refused (GroupNorm near a constant baseline
    divides by a variance of zero).

    References
    ----------
    Sundararajan et al. 2017, arXiv:1703.01365, equation 1 and proposition 1.
    """
    baseline = settings.baseline_of(x)
    with recorded(network, x) as forward_pass:
        logits = forward_pass.logits.detach()
    with recorded(network, baseline) as at_baseline:
        difference = logits - at_baseline.logits.detach()

    def in_steps(seed: Tensor, steps: int) -> Tensor:
        total = torch.zeros_like(x)
        for place, weight in zip(*_legendre(steps), strict=True):
            with recorded(network, baseline + float(place) * (x - baseline)) as point:
                total += float(weight) * point.input_gradient(seed)
        return total * (x - baseline)

    def of(seed: Tensor) -> Tensor:
        expected = (seed * difference).sum()
        for doubled in range(DOUBLINGS):
            found = in_steps(seed, settings.steps * 2**doubled)
            if is_complete(found, expected, settings.tolerance):
                return found
        found = in_steps(seed, settings.steps * 2**DOUBLINGS)
        return check_complete("Integrated gradients", found, expected, settings.tolerance)

    yield Explainer(logits, of)


def _legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in (0, 1) and weights that sum to 1."""
    places, weights = np.polynomial.legendre.leggauss(steps)
    return (places + 1) / 2, weights / 2
