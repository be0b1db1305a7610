"""What computes a tile: torch, or OpenVINO where it is installed and the device is the CPU.

OpenVINO runs convolutions nearer to what the processor can do, and in bfloat16 where the processor lists it. It is an
extra (`pip install "ece-core[cpu]"`); torch is always there. ``ECE_CPU_ENGINE`` chooses by name, to compare.
"""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from ece_core.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

Three = tuple[int, int, int]

ENGINES = ("auto", "torch", "openvino-f32", "openvino-bf16")
SMALL_EDGE = 32  # of the tile that OpenVINO follows the network with; a larger one only takes longer
TOLERANCE = 0.1  # of the largest logit: far more than bfloat16 rounds, far less than a network misunderstood
log = logging.getLogger(__name__)


class TileNetwork(Protocol):
    """A network on a device. ``engine`` says in words what computes."""

    device: str

    @property
    def engine(self) -> str: ...

    def __call__(self, tile: torch.Tensor) -> torch.Tensor:
        """Logits (c, k, j, i) float32 of a tile (1, channels, k, j, i)."""


class TorchNetwork:
    """bfloat16 where it is exact enough and fast: GPUs. The CPU stays in float32."""

    def __init__(self, network: nn.Module, device: str) -> None:
        self.device = device
        self._network = network.to(device)
        self._halves = device.startswith("cuda")
        self.engine = "torch bfloat16" if self._halves else "torch float32"

    def __call__(self, tile):
        import torch

        with torch.autocast("cuda", torch.bfloat16, enabled=self._halves):
            return self._network(tile)[0].float()


class OpenVinoNetwork:
    """On the CPU; compiled once for tiles of all sizes, when the first one comes, and kept with the network."""

    device = "cpu"

    def __init__(self, network: nn.Module, precision: str, multiple: Three) -> None:
        self.engine = f"OpenVINO {precision}"
        self._network, self._precision, self._multiple = network, precision, multiple

    def __call__(self, tile):
        import torch

        request = self._request(tile)
        # Neither tile nor answer is copied; the answer is used up before the next tile comes.
        found = request.infer([tile.contiguous().numpy()], share_inputs=True, share_outputs=True)
        return torch.from_numpy(found[0])[0]

    def _request(self, tile):
        kept = _COMPILED.setdefault(self._network, {})
        if self._precision not in kept:
            steps = [2 * m for m in self._multiple]  # two at the deepest stage: a norm over one voxel is none
            k, j, i = (min(n, -(-SMALL_EDGE // m) * m) for n, m in zip(tile.shape[2:], steps, strict=True))
            small = tile[..., :k, :j, :i].contiguous()
            compiled = _compiled(self._network, small, self._precision)
            _expect_same_answer(compiled, self._network, 0.5 * small.flip(-1))
            kept[self._precision] = compiled.create_infer_request()
        return kept[self._precision]


_COMPILED: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def _compiled(network: nn.Module, small: torch.Tensor, precision: str):
    """For tiles of any size, found by following the network with a small one."""
    import openvino
    import torch

    model = openvino.convert_model(network.to("cpu"), example_input=small)
    model.reshape([1, small.shape[1], -1, -1, -1])
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    if torch.get_num_threads() < (os.cpu_count() or 1):  # whoever limited torch meant us, too
        settings["INFERENCE_NUM_THREADS"] = torch.get_num_threads()
    return openvino.Core().compile_model(model, "CPU", settings)


def _expect_same_answer(compiled: Any, network: nn.Module, tile: torch.Tensor) -> None:
    """On a tile that it was not followed with: what a network computes outside of torch would be a constant now."""
    import torch

    with torch.inference_mode():
        expected = network(tile)
    apart = (torch.from_numpy(compiled([tile.numpy()])[0]) - expected).abs().max()
    if not apart <= TOLERANCE * expected.abs().max():
        raise ArithmeticError("OpenVINO's answer is not the network's")


class WithFallback:
    """OpenVINO, until it turns out that it cannot take the network; torch from then on."""

    device = "cpu"

    def __init__(self, first: TileNetwork, network: nn.Module) -> None:
        self._used, self._network = first, network

    @property
    def engine(self) -> str:
        return self._used.engine

    def __call__(self, tile):
        try:
            return self._used(tile)
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(self._used, TorchNetwork):
                raise
            log.warning("OpenVINO cannot run this network (%s); torch does.", type(error).__name__)
            self._used = TorchNetwork(self._network, "cpu")
            return self._used(tile)


def tile_network(
    network: nn.Module, device: str, mirror_axes: tuple[int, ...] = (), multiple: Three = (8, 8, 8)
) -> TileNetwork:
    """The network on a device.

    Parameters
    ----------
    mirror_axes
        0, 1, 2 for k, j, i: logits are averaged over all mirrorings along these.
    multiple
        What the edges of a tile are multiples of.

    Raises
    ------
    InputError
        ``ECE_CPU_ENGINE`` names none that there is.
    """
    if mirror_axes:
        from ece_core.models.nnunet_unet import Ensemble

        network = Ensemble([network], mirror_axes)
    engine = cpu_engine() if device == "cpu" else "torch"
    if engine == "torch":
        return TorchNetwork(network, device)
    return WithFallback(OpenVinoNetwork(network, engine.removeprefix("openvino-"), multiple), network)


def cpu_engine() -> str:
    """One of ENGINES but "auto": what computes on this computer's CPU."""
    asked = os.environ.get("ECE_CPU_ENGINE", "auto")
    if asked not in ENGINES:
        raise InputError(
            "ECE_CPU_ENGINE names no engine that there is.", f"Set it to one of: {', '.join(ENGINES)}, or unset it."
        )
    there = find_spec("openvino") is not None
    if asked != "auto":
        if asked != "torch" and not there:
            raise InputError("ECE_CPU_ENGINE asks for OpenVINO, which is not installed.", 'pip install "ece-core[cpu]"')
        return asked
    if not there:
        return "torch"
    return "openvino-bf16" if "BF16" in _capabilities() else "openvino-f32"


def _capabilities() -> list[str]:
    import openvino

    return openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
