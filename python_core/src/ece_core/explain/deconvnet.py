"""DeConvNet: the score sent back through the transposed network, positive parts only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from ece_core.explain.engine import recorded
from ece_core.explain.rectifiers import deconvolved, find_rectifiers
from ece_core.explain.settings import Explainer, Settings


@contextmanager
def deconvnet(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """At a ReLU with gradient g from above: max(g, 0), whether the unit was active or not.

    Raises
    ------
    NotExplainableError
        As for guided backpropagation; and for rectifiers other than ReLU.

    References
    ----------
    Zeiler and Fergus 2013, arXiv:1311.2901, section 2.1; Springenberg et al. 2015, arXiv:1412.6806, figure 1.
    """
    with recorded(network, x) as forward_pass:
        rectifiers = find_rectifiers(network, forward_pass, "DeConvNet")

        def of(seed: Tensor) -> Tensor:
            with deconvolved(rectifiers):
                return forward_pass.input_gradient(seed)

        yield Explainer(forward_pass.logits, of)
