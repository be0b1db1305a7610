"""Find the operations of a recorded forward pass and act on its rectifiers, each on its own edge.

The autograd graph itself is the trace: ``nn.ReLU``, in-place ReLU, ``F.relu``, ``torch.relu``,
``Tensor.clamp(min=0)``, one module used twice and scripted code all leave the same node in it. No
name or type of a module is looked at, the network is not changed, and a hook on a node acts on that
operation's edge alone, not on the other consumers of its input (as a hook on the tensor would).

Only operations listed here are let through. Anything else could be an activation that we do not know,
and letting it through would turn guided backpropagation into the plain gradient without a word.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from ece_core.explain.engine import ForwardPass, NotExplainableError


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Rearrange, sum, average, pad or resample voxels: linear in their differentiable operands.
_LINEAR = _names(
    """
    Add Sub Rsub Neg Sum Mean Cat Stack Unbind Split SplitWithSizes UnsafeSplit Slice Select Narrow Chunk
    View UnsafeView ReshapeAlias Alias AsStrided Expand Repeat Squeeze Unsqueeze Permute Transpose T Movedim
    Flip Roll Clone ToCopy Contiguous IndexSelect PixelShuffle PixelUnshuffle
    ConstantPadNd ReflectionPad1D ReflectionPad2D ReflectionPad3D
    ReplicationPad1D ReplicationPad2D ReplicationPad3D
    AvgPool2D AvgPool3D AdaptiveAvgPool2D AdaptiveAvgPool3D MkldnnAdaptiveAvgPool2D
    UpsampleNearest1D UpsampleNearest2D UpsampleNearest3D UpsampleNearestExact2D UpsampleNearestExact3D
    UpsampleLinear1D UpsampleBilinear2D UpsampleTrilinear3D UpsampleBicubic2D GridSampler2D GridSampler3D
    """
)
# Keep the maximum of each window: guided backpropagation leaves their gradient as it is.
_MAX_POOLS = _names("MaxPool2DWithIndices MaxPool3DWithIndices AdaptiveMaxPool2D AdaptiveMaxPool3D")
_NORMS = _names("NativeBatchNorm CudnnBatchNorm MiopenBatchNorm NativeGroupNorm NativeLayerNorm")
# Linear in each factor: allowed while only one of them depends on the input. Numbers are the factors' places.
_PRODUCTS = {
    "Convolution": (0, 1),
    "MkldnnConvolution": (0, 1),
    "Linear": (0, 1),
    "MkldnnLinear": (0, 1),
    "Addmm": (1, 2),
    "Addbmm": (1, 2),
    "Baddbmm": (1, 2),
    "Mm": (0, 1),
    "Bmm": (0, 1),
    "Mul": (0, 1),
    "Div": (0, 1),
}
_ELEMENTWISE_PRODUCTS = _names("Mul Div")
_INPUT = "torch::autograd::AccumulateGrad"

_FIX = "Explain this network with Grad-CAM instead."


class GuidedExtensionWarning(UserWarning):
    """Guided backpropagation was extended to rectifiers that its authors did not define it for."""


def operations(forward_pass: ForwardPass) -> list[Node]:
    """Every operation between the input and the logits, once each."""
    start = forward_pass.logits.grad_fn
    seen: dict[Node, None] = {}
    waiting = [] if start is None else [start]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen[node] = None
            waiting.extend(following for following, _ in node.next_functions if following is not None)
    return list(seen)


def find_rectifiers(
    network: nn.Module, forward_pass: ForwardPass, method: str = "Guided backpropagation"
) -> list[Node]:
    """The rectifiers of a recorded forward pass.

    Raises
    ------
    NotExplainableError
        Another nonlinearity, a product of two things computed from the input, a mask computed from the
        input or an unknown operation stands between input and logits; or there is no rectifier at all, so
        that guided backpropagation would be the plain gradient.
    """
    weights = {tensor.untyped_storage().data_ptr() for tensor in chain(network.parameters(), network.buffers())}
    rectifiers = []
    for node in operations(forward_pass):
        if is_rectifier(node):
            rectifiers.append(node)
        else:
            _check_passive(node, weights, method)
    if not rectifiers:
        raise NotExplainableError(
            f"{method} does not apply: the network has no rectifier (ReLU), "
            "and the result would be the plain gradient.",
            "Explain it with Grad-CAM or the gradient.",
        )
    return rectifiers


@contextmanager
def guided(rectifiers: list[Node]) -> Iterator[None]:
    """While this is open, gradients that enter a rectifier from above lose their negative part."""
    warn_of_extension(rectifiers)
    with ExitStack() as hooks:
        for node in rectifiers:
            hooks.callback(node.register_prehook(partial(_positive_part, node)).remove)
        yield


def warn_of_extension(rectifiers: list[Node]) -> None:
    """Say so where guided backpropagation has to be extended to other rectifiers than ReLU."""
    extended = sorted({operation_name(node) for node in rectifiers if not _is_plain_relu(node)})
    if extended:
        warnings.warn(
            f"Guided backpropagation is defined for ReLU; for {', '.join(extended)} the extension "
            "positive gradient times local derivative is used.",
            GuidedExtensionWarning,
            stacklevel=4,
        )


@contextmanager
def deconvolved(rectifiers: list[Node]) -> Iterator[None]:
    """While this is open, a rectifier passes back the positive part of what arrives, whether it was active or not.

    Raises
    ------
    NotExplainableError
        One of them is no plain ReLU: the transposed network is then not defined.
    """
    check_plain(rectifiers)
    with ExitStack() as hooks:
        for node in rectifiers:
            hooks.callback(node.register_hook(_positive_of_above).remove)
        yield


def check_plain(rectifiers: list[Node]) -> None:
    """Refuse rectifiers other than ReLU.

    Raises
    ------
    NotExplainableError
        The transposed network is not defined for them.
    """
    others = sorted({operation_name(node) for node in rectifiers if not _is_plain_relu(node)})
    if others:
        raise NotExplainableError(f"DeConvNet does not apply: it is defined for ReLU, not for {others[0]}.", _FIX)


def _positive_of_above(
    _below: tuple[Tensor | None, ...], above: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    return tuple(None if gradient is None else gradient.clamp(min=0) for gradient in above)


def _positive_part(node: Node, gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    positive = tuple(None if gradient is None else gradient.clamp(min=0) for gradient in gradients)
    if operation_name(node) not in ("Clamp", "ClampMin"):
        return positive
    # torch lets the gradient of a clamp pass where its input is exactly at the bound; a ReLU does not.
    active = _saved(node, "self") > 0  # type: ignore[operator]
    return tuple(None if gradient is None else gradient * active for gradient in positive)


def operation_name(node: Node) -> str:
    """``ReluBackward0`` -> ``Relu``; C++ namespaces and Python's custom functions stay recognisable."""
    name = node.name()
    return name if "::" in name else re.sub(r"Backward\d*$", "", name)


def is_rectifier(node: Node) -> bool:
    """ReLU, or piecewise linear with its only bend at zero on the lower side (leaky, PReLU, ReLU6)."""
    name = operation_name(node)
    if isinstance(node, torch.autograd.function.BackwardCFunction):
        return False
    if name == "Hardtanh":  # ReLU6
        return _saved(node, "min_val") == 0
    return name in ("LeakyRelu", "PreluKernel") or _is_plain_relu(node)


def _is_plain_relu(node: Node) -> bool:
    match operation_name(node):
        case "Relu":
            return True
        case "ClampMin":
            return _saved(node, "min") == 0
        case "Clamp":
            # clamp with tensors as bounds is another overload, which saves tensors and is refused
            return (
                isinstance(_saved(node, "min"), int | float)
                and _saved(node, "min") == 0
                and _saved(node, "max") is None
            )
        case "Threshold":
            return _saved(node, "threshold") == 0
    return False


def _saved(node: Node, name: str) -> object:
    """What the operation keeps for its backward pass, or None."""
    return getattr(node, f"_saved_{name}", None)


def _check_passive(node: Node, weights: set[int], method: str) -> None:
    """Refuse what is not known to pass a gradient without an activation's own rule."""
    name = operation_name(node)
    if isinstance(node, torch.autograd.function.BackwardCFunction):
        raise NotExplainableError(f"{method} does not apply: the custom operation {name} cannot be looked into.", _FIX)
    if name == _INPUT or name in _LINEAR or name in _MAX_POOLS:
        return
    factors = (0, 1) if name in _NORMS else _PRODUCTS.get(name)
    if factors is None:
        raise NotExplainableError(
            f"{method} does not apply: the network uses {name}, which is neither a rectifier "
            "(ReLU) nor an operation known to need no rule.",
            _FIX,
        )
    if all(node.next_functions[place][0] is not None for place in factors if place < len(node.next_functions)):
        raise NotExplainableError(
            f"{method} does not apply: the network multiplies two tensors that both depend on "
            f"the input ({name}), as a gate or attention does.",
            _FIX,
        )
    if name == "Div" and node.next_functions[1][0] is not None:
        raise NotExplainableError(
            f"{method} does not apply: the network divides by a tensor that depends on the input.", _FIX
        )
    if name in _ELEMENTWISE_PRODUCTS and not _factor_is_constant(node, weights):
        raise NotExplainableError(
            f"{method} does not apply: the network multiplies by a tensor it computes itself "
            f"({name}), which may be a hidden activation.",
            _FIX,
        )


def _factor_is_constant(node: Node, weights: set[int]) -> bool:
    """Whether the factor without gradient is one number, a weight or a buffer."""
    saved = [_saved(node, name) for name in ("other", "self")]
    factors = [tensor for tensor in saved if isinstance(tensor, Tensor) and not tensor.requires_grad]
    return all(tensor.numel() == 1 or tensor.untyped_storage().data_ptr() in weights for tensor in factors)
