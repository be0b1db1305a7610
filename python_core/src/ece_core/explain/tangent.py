"""How all logits change when a layer's maps do: one forward pass of changes alone, for as many changes as wanted."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx
from torch.autograd import forward_ad

from ece_core.explain.norms import grouped, ungrouped
from ece_core.explain.operations import AVERAGING, NORMS
from ece_core.explain.trace import Step, Trace, name_of, step_of

# Linear without a constant: a change goes through them as an image does.
_LINEAR = AVERAGING | {"clone", "alias", "neg", "slice", "getitem", "constant_pad_nd"}


class Tangents:
    """Forward-mode derivatives behind one node of a trace; what does not change is neither computed nor kept twice.

    Torch's own forward mode computes the values again with every change, at twice the price and more.

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
        if name == "cat" and node.args[1:] == (1,) and all(_is_convolution(user) for user in node.users):
            return _Joined([changes.get(part) for part in node.args[0]])  # type: ignore[union-attr, arg-type]
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
        _, weight, _, stride, padding, dilation, transposed, output_padding, groups = step.args
        parts: list[Any] = change.parts if isinstance(change, _Joined) else [change]
        if len(parts) > 1 and (transposed or groups != 1):
            parts, change = [torch.cat(self._with_zeros(step, parts), 1)], None
        settings = (None, stride, padding, dilation, transposed, output_padding, groups)
        if len(parts) == 1:
            return torch.ops.aten.convolution(parts[0], weight, *settings)
        channels = [self._values[part].shape[1] for part in step.inputs[0].args[0]]  # type: ignore[union-attr, index]
        weights = zip(parts, weight.split(channels, dim=1), strict=True)
        found = [torch.ops.aten.convolution(part, w.contiguous(), *settings) for part, w in weights if part is not None]
        return torch.stack(found).sum(0) if len(found) > 1 else found[0]

    def _with_zeros(self, step: Step, parts: list[Any]) -> list[Tensor]:
        sources: Any = step.inputs[0].args[0]
        return [
            torch.zeros_like(self._values[source]) if part is None else part
            for source, part in zip(sources, parts, strict=True)
        ]

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


def _is_convolution(node: fx.Node) -> bool:
    """With weights that do not depend on the image."""
    weight = node.args[1] if node.op == "call_function" and name_of(node) == "convolution" else None
    return isinstance(weight, fx.Node) and weight.op == "get_attr"


class _Joined:
    """Changes to be concatenated; of None there is no change."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts


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


