"""The operations of a traced network, sorted by what an explanation has to know of them.

Names are those of torch's own operations (aten), to which every spelling comes down. What is on no list is refused:
letting it through would give another map under the method's name.
"""

from __future__ import annotations

from ece_core.explain.engine import NotExplainableError
from ece_core.explain.trace import Step


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Every voxel of the output is one voxel of the input, or a constant.
REARRANGING = _names(
    """
    view _unsafe_view reshape _reshape_alias clone alias expand repeat permute transpose t squeeze unsqueeze movedim
    slice select narrow cat stack split split_with_sizes unsafe_split unbind chunk getitem flip roll index_select
    constant_pad_nd reflection_pad2d reflection_pad3d replication_pad2d replication_pad3d _to_copy lift_fresh
    contiguous pixel_shuffle pixel_unshuffle
    """
)
# Sums with fixed weights, none of them negative.
AVERAGING = _names(
    """
    mean sum avg_pool1d avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d mkldnn_adaptive_avg_pool2d
    upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d _upsample_nearest_exact3d
    upsample_bilinear2d upsample_trilinear3d
    """
)
SUMS = _names("add sub rsub neg")
SCALINGS = _names("mul div")
WEIGHTED = _names("convolution addmm mm bmm linear")
MAX_POOLS = _names("max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d")
NORMS = _names("native_batch_norm cudnn_batch_norm native_group_norm native_layer_norm")
LEAKY = _names("leaky_relu _prelu_kernel")
# Each voxel by itself, and smooth or bent.
SMOOTH = _names("gelu silu mish sigmoid tanh elu softplus hardswish hardsigmoid")


def is_rectifier(step: Step) -> bool:
    """ReLU in any spelling, leaky ReLU, PReLU, ReLU6."""
    if step.name in LEAKY or step.name == "relu":
        return True
    if step.name == "hardtanh":
        return step.argument(1, "min_val", -1) == 0
    if step.name in ("clamp", "clamp_min"):
        return step.argument(1, "min", None) == 0 and step.argument(2, "max", None) is None
    return step.name == "threshold" and step.argument(1, "threshold", None) == 0 == step.argument(2, "value", None)


def check_one_factor(method: str, step: Step) -> None:
    """Refuse a product of two things that both depend on the input.

    Raises
    ------
    NotExplainableError
        As attention, a gate, or a division by a sum.
    """
    if len(step.inputs) > 1:
        raise NotExplainableError(
            f"{method} does not apply: the network multiplies two tensors that both depend on the input "
            f"({step.name}), as attention or a gate does.",
            "Explain this network with Grad-CAM or integrated gradients.",
        )


def refuse(method: str, step: Step) -> NotExplainableError:
    """The error for an operation without a rule."""
    what = "attention, for which it has no rule" if "softmax" in step.name or "attention" in step.name else None
    reason = what or "an operation for which it has no rule"
    return NotExplainableError(
        f"{method} does not apply: the network uses {step.name}, {reason}.",
        "Explain this network with Grad-CAM or integrated gradients.",
    )
