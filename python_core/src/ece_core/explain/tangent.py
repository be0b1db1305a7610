"""How all logits change when a layer's maps do: one forward pass of changes alone, for as many changes as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.autograd import forward_ad
from torch.nn import functional

from ece_core.explain.local_gradient import repeated
from ece_core.explain.local_tensor import turned_round
from ece_core.explain.norms import grouped, ungrouped
from ece_core.explain.operations import AVERAGING, NORMS
from ece_core.explain.trace import Step, Trace, name_of, step_of

# Linear without a constant: a change goes through them as an image does.
_LINEAR = AVERAGING | {"clone", "alias", "neg", "slice", "getitem", "constant_pad_nd"}


class Tangents:
    """Forward-mode derivatives behind one node of a trace; what does not change is neither computed nor kept twice.

    Torch's own forward mode computes the values again with every change, at twice the price and more. Voxels that are
    repeated and then convolved are convolved before.

    Parameters
    ----------
    trace
        The network.
    values
        Of all its nodes, as ``trace.run`` gives them.
    node
        Whose values change.
    """

    def __init__(self, trace: Trace, values: dict[fx.Node, Any], node: fx.Node) -> None:
        self._values, self._node, self._output = values, node, trace.output
        changing = {node}
        self._later = []
        for other in trace.operations:
            if changing & set(other.all_input_nodes):
                changing.add(other)
                self._later.append(other)
        self._normalized: dict[fx.Node, tuple[Tensor, Tensor]] = {}
        self._turned: dict[tuple[fx.Node, int], Tensor] = {}
        self._last_use = {each: other for other in self._later for each in other.all_input_nodes}

    def of(self, change: Tensor) -> Tensor | None:
        """The logits' change, in their shape; None: they do not see this node."""
        changes: dict[fx.Node, Any] = {self._node: change}
        with torch.no_grad():
            for node in self._later:
                changes[node] = self._through(node, changes)
                for each in node.all_input_nodes:
                    if self._last_use[each] is node and each is not self._output:
                        changes.pop(each, None)
        return changes.get(self._output)

    def _through(self, node: fx.Node, changes: dict[fx.Node, Any]) -> Any:
        name = name_of(node)
        if all(changes.get(source) is None for source in node.all_input_nodes):
            return None  # such as the statistics of a normalization, or where a maximum was
        if name == "getitem":
            producer, place = node.args
            found = changes[producer]  # type: ignore[index]
            return found[place] if place < len(found) else None  # type: ignore[operator, index]
        if name == "cat" and _feeds_convolutions(node):
            return _Joined([changes.get(part) for part in node.args[0]])  # type: ignore[union-attr, arg-type]
        if (factor := repeated(node, self._values)) is not None and _feeds_convolutions(node):
            return _Repeated(changes[node.args[0]], factor)  # type: ignore[index]
        step = step_of(node, self._values)
        if name == "convolution" and len(step.inputs) == 1:
            return self._through_convolution(step, changes[step.inputs[0]])
        if name == "relu":
            return torch.ops.aten.threshold_backward(changes[step.inputs[0]], step.args[0], 0)
        if name in _LINEAR and len(step.inputs) == 1:
            return step.at(changes[step.inputs[0]])
        if name in NORMS and len(step.inputs) == 1 and grouped(step) is not None:
            return (self._through_norm(step, changes[step.inputs[0]]),)
        return _by_torch(step, self._values, changes)

    def _through_convolution(self, step: Step, change: Any) -> Tensor:
        _, weight, _, *settings = step.args
        if isinstance(change, Tensor):
            return torch.ops.aten.convolution(change, weight, None, *settings)
        parts, weights = [change], [weight]
        if isinstance(change, _Joined):
            sources: Any = step.inputs[0].args[0]
            parts, weights = change.parts, weight.split([self._values[one].shape[1] for one in sources], dim=1)
        pairs = enumerate(zip(parts, weights, strict=True))
        found = [self._part((step.node, number), one, w, settings) for number, (one, w) in pairs if one is not None]
        return torch.stack(found).sum(0) if len(found) > 1 else found[0]

    def _part(self, key: tuple[fx.Node, int], change: Any, weight: Tensor, settings: Sequence[Any]) -> Tensor:
        if isinstance(change, Tensor):
            return torch.ops.aten.convolution(change, weight.contiguous(), None, *settings)
        borders = [k - 1 - p for k, p in zip(weight.shape[2:], settings[1], strict=True)]
        if min(borders) < 0:
            fine = functional.interpolate(change.values, scale_factor=[float(each) for each in change.factor])
            return torch.ops.aten.convolution(fine, weight.contiguous(), None, *settings)
        if key not in self._turned:
            self._turned[key] = turned_round(weight, change.factor)
        convolve = functional.conv_transpose3d if change.values.ndim == 5 else functional.conv_transpose2d
        return convolve(change.values, self._turned[key], None, change.factor, borders)

    def _through_norm(self, step: Step, change: Tensor) -> Tensor:
        """With statistics of the image: d((x - mean) / s) = (dx - mean(dx) - y mean(y dx)) / s, y the normalized."""
        split = grouped(step)
        assert split is not None
        if step.node not in self._normalized:
            mean = split.values.mean(-1, keepdim=True)
            factor = (split.values.var(-1, unbiased=False, keepdim=True) + split.eps).rsqrt()
            self._normalized[step.node] = (split.values - mean) * factor, factor
        normalized, factor = self._normalized[step.node]
        moved = _like_groups(step, change)
        count = moved.shape[-1]
        shared = torch.linalg.vecdot(normalized, moved).unsqueeze(-1) / count
        moved = torch.addcmul(moved - moved.mean(-1, keepdim=True), normalized, shared, value=-1)
        return ungrouped(step, moved.mul_(factor))


def _feeds_convolutions(node: fx.Node) -> bool:
    """Whether what it gives goes into plain convolutions alone, directly or joined with other channels."""
    users = [user for user in node.users if user.op == "call_function"]
    if node.op == "call_function" and name_of(node) == "cat" and node.args[1:] != (1,):
        return False
    return all(_is_convolution(user) or (name_of(user) == "cat" and _feeds_convolutions(user)) for user in users)


def _is_convolution(node: fx.Node) -> bool:
    """Of all voxels and channels, with weights that do not depend on the image."""
    if name_of(node) != "convolution":
        return False
    _, weight, _, stride, _, dilation, transposed, _, groups = node.args
    ones = {*stride, *dilation, groups} == {1}  # type: ignore[misc]
    return ones and not transposed and isinstance(weight, fx.Node) and weight.op == "get_attr"


class _Joined:
    """Changes to be concatenated; of None there is no change."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts


class _Repeated:
    """A change of which each voxel is to be repeated so often along each axis."""

    def __init__(self, values: Tensor, factor: tuple[int, ...]) -> None:
        self.values, self.factor = values, factor


def _like_groups(step: Step, change: Tensor) -> Tensor:
    """A change of the layer's input in the shape of its groups."""
    moved = Step(step.node, step.name, (change, *step.args[1:]), step.kwargs, step.dependent)
    split = grouped(moved)
    assert split is not None
    return split.values


def _by_torch(step: Step, values: dict[fx.Node, Any], changes: dict[fx.Node, Any]) -> Any:
    """Any operation, by torch's forward mode."""
    with forward_ad.dual_level():
        duals = {}
        for source in dict.fromkeys(step.inputs):
            value, change = values[source], changes.get(source)
            duals[id(value)] = value if change is None else forward_ad.make_dual(value, change)
        given = step.at(*(duals[id(each)] for each in step.dependent))
        outputs = [given] if isinstance(given, Tensor) else given
        found = [_tangent(each) for each in outputs]
    return found[0] if isinstance(given, Tensor) else found


def _tangent(value: Any) -> Any:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return None
    tangent = forward_ad.unpack_dual(value).tangent
    return torch.zeros_like(value) if tangent is None else tangent.clone()


