"""Several explanations of one classifier's answer from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from torch import Tensor, nn

from ece_core.explain.engine import NotExplainableError, recorded
from ece_core.explain.grad_cam import cam_of, grad_cam
from ece_core.explain.guided_backpropagation import guided_gradient
from ece_core.explain.layer import find_layer, last_spatial_layer, watched
from ece_core.explain.target import Target, seed_of

METHODS = ("gradcam", "guided-backprop")


def explain_classifier(
    network: nn.Module,
    x: Tensor,
    target: Target,
    methods: Sequence[str] = METHODS,
    layer: str | nn.Module | None = None,
) -> dict[str, Tensor]:
    """Explain a classifier's score by each of ``methods``, with one forward pass between them.

    Parameters
    ----------
    network, x, target
        As in :func:`ece_core.explain.grad_cam`.
    methods
        Of ``METHODS``.
    layer
        For Grad-CAM. None: the last layer with feature maps, which costs one more forward pass to find.

    Returns
    -------
    dict[str, Tensor]
        In the order of ``methods``: "gradcam" (n, 1, k, j, i), "guided-backprop" (n, c, k, j, i).

    Raises
    ------
    NotExplainableError
        A method is unknown, or does not apply to this network; see the methods.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise NotExplainableError(
            f"There is no explanation method named {unknown[0]!r}.", f"Choose from {', '.join(METHODS)}."
        )
    if not methods:
        return {}
    if "gradcam" in methods and layer is None:
        layer = last_spatial_layer(network, x)
    if tuple(methods) == ("gradcam",) and layer is not None:
        return {"gradcam": grad_cam(network, x, target, layer)}  # nothing before the layer is differentiated
    with ExitStack() as stack:
        seen = stack.enter_context(watched(find_layer(network, layer))) if layer is not None else None
        forward_pass = stack.enter_context(recorded(network, x))
        seed = seed_of(forward_pass.logits, target)
        explanations = {}
        for method in methods:
            if method == "gradcam" and seen is not None:
                explanations[method] = cam_of(seen.activation, forward_pass.logits, seed, size=x.shape[2:])
            else:
                explanations[method] = guided_gradient(network, forward_pass, seed)
        return explanations
