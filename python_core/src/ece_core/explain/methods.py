"""Every explanation method under its name, behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace

from torch import Tensor, nn

from ece_core.explain.accumulation import Accumulated, Way, accumulate
from ece_core.explain.class_activation import (
    grad_cam_maps,
    grad_cam_plus_plus_maps,
    guided_grad_cam_maps,
    guided_grad_cam_plus_plus_maps,
)
from ece_core.explain.deconvnet import deconvnet
from ece_core.explain.deep_lift import deep_lift
from ece_core.explain.engine import NotExplainableError
from ece_core.explain.gradient import gradient, gradient_x_input, saliency
from ece_core.explain.guided_backpropagation import guided_maps
from ece_core.explain.hr_cam import hr_cam
from ece_core.explain.integrated_gradients import integrated_gradients
from ece_core.explain.lrp import RULE_SETS, lrp
from ece_core.explain.occlusion import occlusion
from ece_core.explain.patterns import pattern_attribution, pattern_signal
from ece_core.explain.settings import Explainer, Settings
from ece_core.explain.smooth_grad import smooth_grad
from ece_core.explain.target import Target, Voxels, seed_of
from ece_core.explain.voxel_grad_cam import accumulated_grad_cam
from ece_core.explain.voxel_maps import (
    voxel_deconvnet,
    voxel_grad_cam_plus_plus,
    voxel_guided,
    voxel_guided_grad_cam,
    voxel_guided_grad_cam_plus_plus,
    voxel_saliency,
    voxel_single_grad_cam,
)

Open = Callable[[nn.Module, Tensor, Settings], AbstractContextManager[Explainer]]
AT_ONCE_ON_GPU = 8


@dataclass(frozen=True)
class Method:
    """A method.

    Attributes
    ----------
    open
        Runs the network, and explains any seed from that run.
    is_linear
        Whether the map of a sum of seeds is the sum of their maps, so that all voxels take one pass.
    over_voxels
        A faster exact way to the sum over voxels than one seed after the other.
    open_voxels
        As ``open``, faster for many seeds of few voxels of a segmentation; the maps are the same.
    """

    open: Open
    is_linear: bool = True
    over_voxels: Callable[[nn.Module, Tensor, Voxels, Settings], Accumulated] | None = None
    open_voxels: Open | None = None


METHODS: dict[str, Method] = {
    "gradcam": Method(grad_cam_maps, False, accumulated_grad_cam, voxel_single_grad_cam),
    "guided-backprop": Method(guided_maps, False, open_voxels=voxel_guided),
    "guided-gradcam": Method(guided_grad_cam_maps, False, open_voxels=voxel_guided_grad_cam),
    "gradcam-plus-plus": Method(grad_cam_plus_plus_maps, False, open_voxels=voxel_grad_cam_plus_plus),
    "guided-gradcam-plus-plus": Method(
        guided_grad_cam_plus_plus_maps, False, open_voxels=voxel_guided_grad_cam_plus_plus
    ),
    "gradient": Method(gradient),
    "saliency": Method(saliency, False, open_voxels=voxel_saliency),
    "smoothgrad": Method(smooth_grad),
    "gradient-x-input": Method(gradient_x_input),
    "integrated-gradients": Method(integrated_gradients),
    "deeplift": Method(deep_lift),
    "deconvnet": Method(deconvnet, False, open_voxels=voxel_deconvnet),
    **{"lrp-" + rules: Method(lrp(rules)) for rules in RULE_SETS},
    "pattern-signal": Method(pattern_signal),
    "pattern-attribution": Method(pattern_attribution),
    "hr-cam": Method(hr_cam),
    "occlusion": Method(occlusion),
}


def find_method(name: str) -> Method:
    """A method by name.

    Raises
    ------
    NotExplainableError
        There is none.
    """
    if name not in METHODS:
        raise NotExplainableError(
            f"There is no explanation method named {name!r}.", f"Choose from {', '.join(METHODS)}."
        )
    return METHODS[name]


def explain(network: nn.Module, x: Tensor, target: Target, method: str, settings: Settings | None = None) -> Tensor:
    """One explanation of one score.

    Parameters
    ----------
    network
        Run in evaluation mode; afterwards as it was found, also after an exception.
    x
        (n, c, k, j, i), or (n, c, j, i) in 2D.
    target
        Class index of a classifier; voxels of a segmentation (their maps are summed, exactly); or a callable that
        makes a scalar of the logits.
    method
        A key of METHODS.
    settings
        Layer, baseline and the like.

    Returns
    -------
    Tensor
        (n, c, k, j, i), or (n, 1, k, j, i) of class activation maps and occlusion; signed unless the method's
        definition cuts off one side.

    Raises
    ------
    NotExplainableError
        The method does not apply to this network, layer or target; the problem gives the reason.
    RunError
        The result is not finite.
    """
    settings = settings or Settings()
    if isinstance(target, Voxels):
        return explain_voxels(network, x, target, method, settings).map
    with find_method(method).open(network, x, settings) as explainer:
        return explainer.of(seed_of(explainer.logits, target)).detach()


def explain_voxels(
    network: nn.Module, x: Tensor, voxels: Voxels, method: str, settings: Settings | None = None, way: Way | None = None
) -> Accumulated:
    """The maps of every voxel of a set, summed: the definition for segmentation networks.

    Parameters
    ----------
    way
        None: exactly, by one pass where the method is linear. ``Blocks`` or ``Sample``: an estimate that says how
        far off it is; only for methods that are not linear.

    References
    ----------
    Strijbis et al. 2025: each method repeated for every predicted foreground voxel, accumulated, normalized.
    """
    chosen, settings = find_method(method), settings or Settings()
    if way is None and chosen.over_voxels is not None:
        return chosen.over_voxels(network, x, voxels, settings)
    with ExitStack() as stack:
        explainer = _opened(chosen, network, x, settings, stack)
        return accumulate(explainer, voxels, chosen.is_linear, way)


def _opened(method: Method, network: nn.Module, x: Tensor, settings: Settings, stack: ExitStack) -> Explainer:
    """By the faster way where there is one; a network that cannot be traced for it is explained the other way."""
    copies = settings.at_once or (AT_ONCE_ON_GPU if x.is_cuda else 1)
    if copies > 1 and not method.is_linear and x.shape[0] == 1:
        copied = x.expand(copies, *x.shape[1:])
        return replace(stack.enter_context(method.open(network, copied, settings)), copies=copies)
    if method.open_voxels is not None:
        try:
            return stack.enter_context(method.open_voxels(network, x, settings))
        except NotExplainableError:
            pass  # if the method does not apply at all, the other way says why
    return stack.enter_context(method.open(network, x, settings))
