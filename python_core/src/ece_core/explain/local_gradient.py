"""Gradients of single voxels of a segmentation, each operation differentiated only where its gradient reaches.

The score of one voxel sees a few voxels of the decoder's last layers, and more of each layer before. Where every layer
is local (convolution, pooling, batch normalization as it was trained), the backward pass is cropped to that cone, and
is the same. A normalization over the whole image (group, instance) ends the cone: behind it the gradient is whole. The
network is run once for all voxels, and no weight gets a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from ece_core.explain.engine import NotExplainableError, finite, gradients_possible
from ece_core.explain.local_tensor import Local, blocks_summed, neighbors_summed, scattered, spread, turned_round
from ece_core.explain.norms import grouped
from ece_core.explain.operations import NORMS, SMOOTH, is_rectifier
from ece_core.explain.trace import Step, Trace, name_of, step_of

Plain = Callable[[Tensor], Tensor]
Rectify = Callable[[Step, Tensor, Tensor, Plain], Tensor]  # step, gradient above, input, the plain gradient below

_COPIES = ("clone", "alias", "neg", "_to_copy", "lift_fresh")
_TERMS = ("add", "sub", "rsub", "mul", "div")
_NEAREST = ("upsample_nearest2d", "upsample_nearest3d")
_POOLS = ("max_pool2d_with_indices", "max_pool3d_with_indices")


def _later(trace: Trace, start: fx.Node) -> set[fx.Node]:
    """A node and all that depend on it.

    Raises
    ------
    NotExplainableError
        The logits do not.
    """
    later = {start}
    for node in trace.operations:
        if later & set(node.all_input_nodes):
            later.add(node)
    if trace.output not in later:
        raise NotExplainableError("The score does not depend on the layer.", "Choose another layer.")
    return later


class LocalGradient:
    """Gradients at some nodes of a trace, for any seed of few voxels, as often as wanted.

    Parameters
    ----------
    trace
        Of a network with logits per voxel.
    values
        Of all its nodes, as ``trace.run`` gives them, without a graph.
    at
        Nodes whose gradients are wanted.
    rectify
        What goes back through a rectifier; None: its derivative.

    Raises
    ------
    NotExplainableError
        The logits do not depend on one of the nodes.
    """

    def __init__(
        self, trace: Trace, values: dict[fx.Node, Any], at: Sequence[fx.Node], rectify: Rectify | None = None
    ) -> None:
        self._values, self._at, self._rectify = values, tuple(at), rectify
        self._leading = set[fx.Node]().union(*(_later(trace, node) for node in at))
        self._backward = [node for node in reversed(trace.operations) if node in self._leading]
        self._output = trace.output
        self._weights: dict[tuple[fx.Node, int], Tensor] = {}
        self._kept: dict[fx.Node, tuple[tuple[Tensor, ...], Any]] = {}

    def of(self, seed: Tensor) -> list[Tensor]:
        """The gradient of ``sum(seed * logits)`` at each of the nodes, in its shape."""
        waiting: dict[fx.Node, dict[int, Local]] = {self._output: {0: Local.around(seed)}}
        found: dict[fx.Node, Local] = {}
        with torch.no_grad():
            for node in self._backward:
                arrived = waiting.pop(node, None)
                if arrived is None:
                    continue
                if node in self._at:
                    found[node] = arrived[0]
                for source, place, gradient in self._before(node, arrived):
                    there = waiting.setdefault(source, {})
                    there[place] = there[place].plus(gradient) if place in there else gradient
            for node in self._at:  # the image itself is no operation
                if node in waiting:
                    found[node] = waiting[node][0]
        return [finite(self._full(found, node)) for node in self._at]

    def _full(self, found: dict[fx.Node, Local], node: fx.Node) -> Tensor:
        return found[node].full() if node in found else torch.zeros_like(self._values[node])

    def _before(self, node: fx.Node, arrived: dict[int, Local]) -> Iterator[tuple[fx.Node, int, Local]]:
        """What goes on to the operations before: node, which of its outputs, gradient."""
        name = name_of(node)
        if name == "getitem":
            yield node.args[0], int(node.args[1]), arrived[0]  # type: ignore[misc, arg-type]
            return
        step = step_of(node, self._values)
        if name == "convolution" and (parts := self._through_convolution(step, arrived[0])) is not None:
            yield from parts
        elif name == "cat" and step.argument(1, "dim", 0) == 1:
            yield from self._through_cat(step, arrived[0])
        elif name in _NEAREST and (factor := repeated(node, self._values)) is not None:
            source = step.inputs[0]
            yield source, 0, blocks_summed(arrived[0], factor, _grid(self._values[source]))
        elif name in _POOLS and set(arrived) == {0} and (pooled := self._through_max_pool(step, arrived[0])):
            yield step.inputs[0], 0, pooled
        elif set(arrived) == {0} and _is_voxelwise(step):
            yield from self._through_voxels(step, arrived[0])
        else:
            yield from self._wholly(step, arrived)

    def _through_convolution(self, step: Step, above: Local) -> list[tuple[fx.Node, int, Local]] | None:
        _, weight, _, stride, padding, dilation, transposed, _, groups = step.args
        if len(step.inputs) != 1 or (transposed and groups != 1):
            return None
        if not transposed and (groups != 1 or any(each != 1 for each in stride)):
            return [(step.inputs[0], 0, spread(above, weight, stride, padding, dilation, groups, _grid(step.args[0])))]
        found = []
        for source, channels, factor in self._parts(step.node, transposed):
            key = (step.node, channels.start)
            if key not in self._weights:
                self._weights[key] = weight if transposed else turned_round(weight[:, channels], factor)
            turned = self._weights[key]
            if transposed:
                steps, offset = stride, [-each for each in padding]
            else:
                steps = factor
                offset = [p - d * (k - 1) for p, d, k in zip(padding, dilation, weight.shape[2:], strict=True)]
            below = neighbors_summed(above, turned, steps, offset, dilation, _grid(self._values[source]))
            if below is not None:
                found.append((source, 0, below))
        return found

    def _parts(self, node: fx.Node, transposed: bool) -> list[tuple[fx.Node, slice, tuple[int, ...]]]:
        """Where a convolution's gradient goes: through concatenation and repeated voxels, if they feed nothing else."""
        source = node.args[0]
        assert isinstance(source, fx.Node)
        ones = (1,) * len(_grid(self._values[source]))
        if transposed or any(each != 1 for each in node.args[5]):  # type: ignore[union-attr]
            return [(source, slice(0, None), ones)]
        joined = source.op == "call_function" and name_of(source) == "cat" and len(source.users) == 1
        joined = joined and source.args[1:] == (1,)
        parts: Any = source.args[0] if joined else [source]
        first, found = 0, []
        for part in parts:
            past = first + self._values[part].shape[1]
            if part in self._leading:
                factor = repeated(part, self._values) if len(part.users) == 1 else None
                before = part if factor is None else part.args[0]
                if before in self._leading:
                    found.append((before, slice(first, past), factor or ones))
            first = past
        return found

    def _through_cat(self, step: Step, above: Local) -> Iterator[tuple[fx.Node, int, Local]]:
        parts: Any = step.node.args[0]
        first = 0
        for part in parts:
            channels = self._values[part].shape[1]
            if part in self._leading:
                yield part, 0, above.like(above.values[:, first : first + channels])
            first += channels

    def _through_max_pool(self, step: Step, above: Local) -> Local | None:
        kernel = step.args[1]
        stride = step.argument(2, "stride", []) or kernel
        padding, dilation = step.argument(3, "padding", 0), step.argument(4, "dilation", 1)
        grid = _grid(step.args[0])
        kernel, stride, padding, dilation = (_each(value, len(grid)) for value in (kernel, stride, padding, dilation))
        indices = self._values[step.node][1][above.box]
        window = [
            (a * s - p, (b - 1) * s - p + d * (k - 1) + 1)
            for a, b, s, p, d, k in zip(above.start, above.stop, stride, padding, dilation, kernel, strict=True)
        ]
        return scattered(above, indices, window, grid)

    def _through_voxels(self, step: Step, above: Local) -> Iterator[tuple[fx.Node, int, Local]]:
        """An operation on each voxel by itself: done again, in the box alone."""
        inputs = tuple(each[above.box] for each in step.dependent)

        def plain(gradient: Tensor) -> Tensor:
            return _pulled(step, inputs, gradient)[0]

        if step.name == "relu" and self._rectify is None:
            below: Sequence[Tensor] = [torch.ops.aten.threshold_backward(above.values, inputs[0], 0)]
        elif is_rectifier(step) and self._rectify is not None:
            below = [self._rectify(step, above.values, inputs[0], plain)]
        else:
            below = _pulled(step, inputs, above.values)
        yield from ((source, 0, above.like(each)) for source, each in self._sources(step, below))

    def _wholly(self, step: Step, arrived: dict[int, Local]) -> Iterator[tuple[fx.Node, int, Local]]:
        """Any operation, by torch's own derivative at all voxels; what it needs is kept."""
        if step.node not in self._kept:
            with gradients_possible():
                leaves = tuple(each.detach().requires_grad_(True) for each in step.dependent)
                self._kept[step.node] = leaves, step.at(*leaves)
        leaves, given = self._kept[step.node]
        outputs = [given] if isinstance(given, Tensor) else [given[place] for place in arrived]
        above = [local.full().reshape(each.shape) for local, each in zip(arrived.values(), outputs, strict=True)]
        found = torch.autograd.grad(outputs, leaves, above, retain_graph=True, allow_unused=True)
        for source, gradient in self._sources(step, found):
            if gradient is not None:
                yield source, 0, Local.whole(gradient)

    def _sources(self, step: Step, gradients: Sequence[Any]) -> list[tuple[fx.Node, Any]]:
        """Each gradient with the operation that its argument is from."""
        of = {id(value): gradient for value, gradient in zip(step.dependent, gradients, strict=True)}
        sources = dict.fromkeys(step.inputs)
        return [(node, of[id(self._values[node])]) for node in sources if node in self._leading]


def _pulled(step: Step, inputs: Sequence[Tensor], above: Tensor) -> tuple[Tensor, ...]:
    with gradients_possible():
        leaves = tuple(each.detach().requires_grad_(True) for each in inputs)
        given = step.at(*leaves)
        given = given if isinstance(given, Tensor) else given[0]
        return torch.autograd.grad(given, leaves, above)


def _is_voxelwise(step: Step) -> bool:
    """Whether each voxel of the result is made of the same voxel of the inputs alone, wherever it lies."""
    if step.name in NORMS:
        return step.name != "native_layer_norm" and grouped(step) is None
    if is_rectifier(step) or step.name in SMOOTH or step.name in _COPIES:
        return step.dependent[0].ndim >= 4
    if step.name not in _TERMS:
        return False
    shape = step.dependent[0].shape
    if len(shape) < 4 or any(each.shape != shape for each in step.dependent):
        return False
    mine = {id(each) for each in step.dependent}
    others = [each for each in step.args if isinstance(each, Tensor) and id(each) not in mine]
    return all(each.numel() == 1 or (each.ndim == len(shape) and each[0, 0].numel() == 1) for each in others)


def repeated(node: fx.Node, values: dict[fx.Node, Any]) -> tuple[int, ...] | None:
    """How often each voxel was repeated; None where it is no such operation, or not the same for all voxels."""
    if node.op != "call_function" or name_of(node) not in _NEAREST:
        return None
    fine, coarse = _grid(values[node]), _grid(values[node.all_input_nodes[0]])
    if any(f % c for f, c in zip(fine, coarse, strict=True)):
        return None
    return tuple(f // c for f, c in zip(fine, coarse, strict=True))


def _grid(values: Tensor) -> tuple[int, ...]:
    return tuple(values.shape[2:])


def _each(value: Any, axes: int) -> Sequence[int]:
    """One number for all axes, or one for each."""
    if isinstance(value, int):
        return (value,) * axes
    return tuple(value) if len(value) == axes else tuple(value) * axes
