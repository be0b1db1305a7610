"""Guided backpropagation: which voxels push the score up through units that were active."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from ece_core.explain.engine import ForwardPass, recorded
from ece_core.explain.rectifiers import find_rectifiers, guided
from ece_core.explain.settings import Explainer, Settings
from ece_core.explain.target import Target, seed_of


def guided_backpropagation(network: nn.Module, x: Tensor, target: Target) -> Tensor:
    """Gradient of the target at the input, where every ReLU passes back only what is positive.

    At a rectifier with input a and gradient g from above: max(g, 0) * [a > 0]. For LeakyReLU, PReLU
    and ReLU6 the extension max(g, 0) * local derivative is used and a ``GuidedExtensionWarning`` says so.
    Known to depend weakly on the weights (Adebayo et al. 2018, arXiv:1810.03292).

    Parameters
    ----------
    network
        Run in evaluation mode; afterwards as it was found, also after an exception.
    x
        (n, c, k, j, i).
    target
        Class index or callable(logits) -> scalar; see :func:`ece_core.explain.target.seed_of`.

    Returns
    -------
    Tensor
        (n, c, k, j, i), signed, on the device of ``x``.

    Raises
    ------
    NotExplainableError
        The network is not one that the method is defined for (GELU, SiLU, gates, unknown operations, no
        rectifier), or the target does not fit it. Never answered with a plain gradient.
    RunError
        The result is not finite.

    References
    ----------
    Springenberg et al. 2015, arXiv:1412.6806, section 3.4.
    """
    with recorded(network, x) as forward_pass:
        return guided_gradient(network, forward_pass, seed_of(forward_pass.logits, target))


def guided_gradient(network: nn.Module, forward_pass: ForwardPass, seed: Tensor) -> Tensor:
    """Guided backpropagation of ``seed`` (shape of the logits) through a forward pass already recorded."""
    with guided(find_rectifiers(network, forward_pass)):
        return forward_pass.input_gradient(seed)


@contextmanager
def guided_maps(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """Guided backpropagation for any seed from one kept graph."""
    with recorded(network, x) as forward_pass:
        rectifiers = find_rectifiers(network, forward_pass)

        def of(seed: Tensor) -> Tensor:
            with guided(rectifiers):
                return forward_pass.input_gradient(seed)

        yield Explainer(forward_pass.logits, of)
