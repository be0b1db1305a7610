"""The network as a graph of torch's own operations (torch.fx), to be run again with a method's rule in their place.

Recorded below the modules, while the network runs once: ``nn.ReLU``, in-place ReLU, ``F.relu``, scripted code and a
module used twice all leave the same operation, each with its own edges. No name or type of a module is looked at and
the network is not changed: rules act on the graph. In-place operations become operations that give something new.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from ece_core.explain.engine import ForwardPass, NotExplainableError, checked_input, frozen, gradients_possible, run

_READS_A_VALUE = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal")
_FIX = "Write the forward pass without it, or explain the network with Grad-CAM."


@dataclass(frozen=True)
class Step:
    """One operation of the graph, about to be run.

    Attributes
    ----------
    node
        Its place in the graph.
    name
        Such as ``"convolution"`` or ``"relu"``.
    args, kwargs
        Values.
    dependent
        Which of the tensors among ``args`` depend on the input, in their order; the others are weights.
    """

    node: fx.Node
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dependent: tuple[Tensor, ...]

    @property
    def inputs(self) -> list[fx.Node]:
        """The operations that it takes its dependent arguments from; one as often as it is an argument."""
        return [other for other in _in_order(self.node) if other.op != "get_attr"]

    def run(self, *args: Any) -> Any:
        """The operation itself, on other arguments where some are given."""
        return self.node.target(*(args or self.args), **self.kwargs)  # type: ignore[operator]

    def at(self, *inputs: Tensor) -> Any:
        """The operation itself with other tensors in the place of those that depend on the input."""
        given = iter(inputs)
        mine = {id(tensor) for tensor in self.dependent}
        return self.run(*tree_map(lambda value: next(given) if id(value) in mine else value, self.args))

    def argument(self, place: int, name: str, default: Any) -> Any:
        """One argument, by place or by name."""
        return self.args[place] if place < len(self.args) else self.kwargs.get(name, default)


Rule = Callable[[Step], Any]


def plainly(step: Step) -> Any:
    """The rule that changes nothing."""
    return step.run()


@dataclass(frozen=True)
class Trace:
    """A network on inputs of one shape.

    Attributes
    ----------
    graph
        Its nodes are the operations that depend on the input; ``get_attr`` nodes are weights and other constants.
    constants
        By the name that ``get_attr`` nodes carry.
    layers
        The operation that gives the maps of each module asked for.
    """

    graph: fx.Graph
    constants: dict[str, Tensor]
    layers: dict[nn.Module, fx.Node]

    @property
    def operations(self) -> list[fx.Node]:
        return [node for node in self.graph.nodes if node.op == "call_function"]

    @property
    def image(self) -> fx.Node:
        return next(node for node in self.graph.nodes if node.op == "placeholder")

    @property
    def output(self) -> fx.Node:
        """The operation that gives the logits."""
        return next(node for node in self.graph.nodes if node.op == "output").args[0]  # type: ignore[return-value]

    def run(self, x: Tensor, rule: Rule = plainly) -> dict[fx.Node, Any]:
        """The value of every node, each operation run as ``rule`` says."""
        values: dict[fx.Node, Any] = {}
        for node in self.graph.nodes:
            if node.op == "placeholder":
                values[node] = x
            elif node.op == "get_attr":
                values[node] = self.constants[str(node.target)]
            elif node.op == "call_function":
                values[node] = rule(step_of(node, values))
        return values

    def logits(self, values: dict[fx.Node, Any]) -> Tensor:
        """The network's output among the values."""
        return values[self.output]

    def after(self, node: fx.Node, values: dict[fx.Node, Any]) -> Callable[[Tensor], Tensor]:
        """The logits as a function of what ``node`` gives; whatever does not depend on it is taken from ``values``."""
        downstream = {node}
        later = []
        for other in self.operations:
            if downstream & set(other.all_input_nodes):
                downstream.add(other)
                later.append(other)
        output = self.output

        def logits(maps: Tensor) -> Tensor:
            mine = {**values, node: maps}
            for other in later:
                mine[other] = plainly(step_of(other, mine))
            return mine[output]

        return logits


def step_of(node: fx.Node, values: dict[fx.Node, Any]) -> Step:
    """The operation of a node with the values of its arguments."""
    args = fx.map_arg(node.args, lambda other: values[other])
    kwargs = fx.map_arg(node.kwargs, lambda other: values[other])
    inputs = [values[other] for other in _in_order(node) if other.op != "get_attr"]
    dependent = tuple({id(value): value for value in inputs if isinstance(value, Tensor)}.values())
    return Step(node, name_of(node), args, kwargs, dependent)


def name_of(node: fx.Node) -> str:
    """``relu`` for ``aten.relu.default``."""
    if node.target is operator.getitem:
        return "getitem"
    return str(node.target.overloadpacket.__name__)  # type: ignore[union-attr]


def _in_order(node: fx.Node) -> list[fx.Node]:
    return [value for value in tree_flatten((node.args, node.kwargs))[0] if isinstance(value, fx.Node)]


def traced(network: nn.Module, x: Tensor, layers: Sequence[nn.Module] = ()) -> Trace:
    """Run the network once on ``x`` and write down every operation that depends on it.

    Parameters
    ----------
    network
        Run in evaluation mode; afterwards as it was found.
    x
        (n, c, k, j, i) or (n, c, j, i). The graph holds for this shape.
    layers
        Modules whose maps are wanted.

    Raises
    ------
    NotExplainableError
        The network reads values to decide where to go, overwrites a tensor that it goes on to use in another shape,
        or gives something else than one tensor that depends on the input; or a layer gives no tensor, or runs twice.
    """
    recorder = _Recorder()
    found: dict[nn.Module, fx.Node] = {}

    def keep(module: nn.Module, _arguments: tuple, output: object) -> Tensor:
        node = recorder.node_of(output)
        if node is None or not isinstance(output, Tensor) or module in found:
            raise NotExplainableError("The layer gives no one activation of the input.", "Choose another layer.")
        found[module] = node
        return output.clone()  # what comes next may overwrite its own copy

    handles = [layer.register_forward_hook(keep) for layer in layers]
    try:
        with gradients_possible(), frozen(network), torch.no_grad():
            image = checked_input(x)
            recorder.begin(image)
            with recorder:
                output = run(network, image)
    finally:
        for handle in handles:
            handle.remove()
    if recorder.node_of(output) is None:
        raise NotExplainableError(
            "The network's output is not computed from the input.", "Wrap it in a module that returns its logits."
        )
    missing = [layer for layer in layers if layer not in found]
    if missing:
        raise NotExplainableError("The layer takes no part in the forward pass.", "Choose another layer.")
    recorder.graph.output(recorder.node_of(output))
    return Trace(recorder.graph, recorder.constants, found)


class _Recorder(TorchDispatchMode):
    """Sees every operation as torch runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = fx.Graph()
        self.constants: dict[str, Tensor] = {}
        self._nodes: dict[int, fx.Node] = {}
        self._constant_nodes: dict[int, fx.Node] = {}
        self._tensors: dict[int, Tensor] = {}  # kept alive, so that no other tensor gets its id
        self._stale: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True, torch's default, imports its compiler (a second and more), which we never call

    def begin(self, image: Tensor) -> None:
        self._bind(image, self.graph.placeholder("image"))

    def node_of(self, tensor: object) -> fx.Node | None:
        if id(tensor) in self._stale:
            raise NotExplainableError("The network goes on to use a tensor that it has overwritten in place.", _FIX)
        return self._nodes.get(id(tensor))

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
        result = function(*args, **kwargs)
        if any(self.node_of(tensor) is not None for tensor in tensors):
            self._write_down(function, args, kwargs, result)
        return result

    def _write_down(self, function: Any, args: tuple, kwargs: dict, result: Any) -> None:
        name = function.overloadpacket.__name__
        if name in _READS_A_VALUE:
            raise NotExplainableError("The network reads values of the image to decide how to go on.", _FIX)
        if name == "detach":
            self._bind(result, self._nodes[id(args[0])])
            return
        in_place = function._schema.is_mutable
        inputs = tree_map(self._as_node, (args, kwargs))
        node = self.graph.call_function(_functional(function) if in_place else function, *inputs)
        if in_place:
            self._overwrite(args[0])
        if isinstance(result, Tensor):
            self._bind(result, node)
        else:
            for place, each in enumerate(result):
                if isinstance(each, Tensor):
                    self._bind(each, self.graph.call_function(operator.getitem, (node, place)))

    def _overwrite(self, tensor: Tensor) -> None:
        """Whatever else lies in the same memory is no longer what the graph says."""
        storage = tensor.untyped_storage().data_ptr()
        for key, other in self._tensors.items():
            if other is not tensor and other.untyped_storage().data_ptr() == storage:
                self._stale.add(key)

    def _bind(self, tensor: Tensor, node: fx.Node) -> None:
        self._nodes[id(tensor)] = node
        self._tensors[id(tensor)] = tensor
        self._stale.discard(id(tensor))

    def _as_node(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return self._nodes.get(id(value)) or self._constant(value)

    def _constant(self, tensor: Tensor) -> fx.Node:
        if id(tensor) not in self._constant_nodes:
            name = f"constant_{len(self.constants)}"
            self.constants[name] = tensor.detach()
            self._tensors[id(tensor)] = tensor
            self._constant_nodes[id(tensor)] = self.graph.create_node("get_attr", name)
        return self._constant_nodes[id(tensor)]


def _functional(function: Any) -> Any:
    """``aten.relu`` for ``aten.relu_``."""
    name = function.overloadpacket.__name__
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None) if name.endswith("_") else None
    if packet is None or function._overloadname not in packet.overloads():
        raise NotExplainableError(f"The network changes a tensor in place by {name}.", _FIX)
    return getattr(packet, function._overloadname)


class _WithBackward(torch.autograd.Function):
    """A value whose gradient is what a rule says."""

    @staticmethod
    def forward(ctx, value: Tensor, backward: Callable[[Tensor], Sequence[Tensor | None]], *inputs: Tensor) -> Tensor:
        ctx.rule = backward
        return value.clone()

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        return None, None, *ctx.rule(gradients[0])


def with_backward(value: Tensor, backward: Callable[[Tensor], Sequence[Tensor | None]], *inputs: Tensor) -> Tensor:
    """``value``, computed from ``inputs``; what arrives at it goes on to them as ``backward`` says.

    Acts on this operation's own edges: other consumers of the same inputs are not touched.
    """
    return _WithBackward.apply(value.detach(), backward, *inputs)


def replayed(trace: Trace, x: Tensor, rule: Rule) -> ForwardPass:
    """The network run again with ``rule`` in the place of its operations; gradients are then what the rules make."""
    with gradients_possible():
        leaf = checked_input(x).requires_grad_(True)
        return ForwardPass(leaf, trace.logits(trace.run(leaf, rule)))
