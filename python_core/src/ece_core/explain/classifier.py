"""Several explanations of one classifier's answer from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from torch import Tensor, nn

from ece_core.explain.engine import recorded
from ece_core.explain.grad_cam import cam_of, grad_cam
from ece_core.explain.guided_backpropagation import guided_gradient
from ece_core.explain.layer import SEVERAL, find_layer, last_spatial_layer, watched
from ece_core.explain.methods import explain, find_method
from ece_core.explain.settings import Settings
from ece_core.explain.target import Target, seed_of

DEFAULT_METHODS = ("gradcam", "guided-backprop")


def explain_classifier(
    network: nn.Module,
    x: Tensor,
    target: Target,
    methods: Sequence[str] = DEFAULT_METHODS,
    layer: str | nn.Module | None = None,
    settings: Settings | None = None,
) -> dict[str, Tensor]:
    """Explain a classifier's score by each of ``methods``; Grad-CAM and guided backpropagation share a forward pass.

    Parameters
    ----------
    network, x, target
        As in :func:`ece_core.explain.grad_cam`.
    methods
        Of :data:`ece_core.explain.METHODS`.
    layer
        For the CAM family: a name, a module, ``"last"``, ``"all"``, ``"bottleneck+decoder"``. None: the last layer with
        feature maps, which costs one more forward pass to find.
    settings
        Of the other methods; the layer above counts for them, too.

    Returns
    -------
    dict[str, Tensor]
        In the order of ``methods``: (n, c, k, j, i), or (n, 1, k, j, i) of class activation maps and occlusion.

    Raises
    ------
    NotExplainableError
        A method is unknown, or does not apply to this network; see the methods.
    """
    for method in methods:
        find_method(method)  # an unknown one is refused before anything runs
    layer = None if layer == "last" else layer
    if layer is None and {"gradcam", "guided-gradcam", "gradcam-plus-plus"} & set(methods):
        layer = last_spatial_layer(network, x)
    shared = [m for m in methods if m in DEFAULT_METHODS]
    if layer in SEVERAL:
        shared = [m for m in shared if m != "gradcam"]
    explained = _from_one_pass(network, x, target, shared, None if layer in SEVERAL else layer)
    settings = replace(settings or Settings(), layer=layer)
    for method in methods:
        if method not in explained:
            explained[method] = explain(network, x, target, method, settings)
    return {method: explained[method] for method in methods}


def _from_one_pass(
    network: nn.Module, x: Tensor, target: Target, methods: Sequence[str], layer: str | nn.Module | None
) -> dict[str, Tensor]:
    if not methods:
        return {}
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
