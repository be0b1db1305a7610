import logging

import numpy as np
import pytest
import torch
from conftest import UNET
from ece_core.errors import InputError
from ece_core.models import tile_network as engines
from ece_core.models.registry import build
from ece_core.models.tile_network import cpu_engine, tile_network

A_TILE = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 1, 16, 24, 16)).astype(np.float32))


@pytest.fixture
def a_unet():
    torch.manual_seed(3)
    return build("DynUNet", UNET).eval()


@pytest.fixture
def with_openvino(monkeypatch):
    pytest.importorskip("openvino", reason="the extra [cpu] is not installed")

    def use(precision):
        monkeypatch.setenv("ECE_CPU_ENGINE", f"openvino-{precision}")

    return use


@pytest.mark.slow
def test_openvino_gives_the_logits_of_torch_in_every_shape(with_openvino, a_unet):
    with_openvino("f32")
    network = tile_network(a_unet, "cpu")
    for tile in (A_TILE, A_TILE[..., :16, :], A_TILE + 1):
        with torch.inference_mode():
            expected = a_unet(tile)[0]
        torch.testing.assert_close(network(tile), expected, atol=1e-4, rtol=1e-4)
    assert network.engine == "OpenVINO f32"


def test_what_openvino_cannot_take_over_torch_does(with_openvino, caplog):
    with_openvino("f32")

    class OutsideOfTorch(torch.nn.Module):
        """Followed with one tile, all that numpy does becomes a constant."""

        def forward(self, x):
            return torch.from_numpy(np.sort(x.numpy(), axis=-1))

    network = tile_network(OutsideOfTorch(), "cpu")
    with caplog.at_level(logging.WARNING):
        for tile in (A_TILE, A_TILE[..., :8] + 1):
            torch.testing.assert_close(network(tile), tile.sort(dim=-1).values[0])
    assert "OpenVINO cannot run this network" in caplog.text
    assert network.engine == "torch float32"


def test_memory_that_runs_out_is_not_a_reason_to_try_again(with_openvino, monkeypatch, a_unet):
    with_openvino("f32")

    def none_left(*arguments):
        raise MemoryError

    monkeypatch.setattr(engines, "_compiled", none_left)
    with pytest.raises(MemoryError):
        tile_network(a_unet, "cpu")(A_TILE)


def test_mirroring_is_the_mean_over_all_flips(a_unet):
    with torch.inference_mode():
        flips = [[], [2], [4], [2, 4]]
        expected = sum(a_unet(A_TILE.flip(flip)).flip(flip) for flip in flips)[0] / 4
        torch.testing.assert_close(tile_network(a_unet, "cpu", (0, 2))(A_TILE), expected, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(tile_network(a_unet, "cpu")(A_TILE), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("there", "listed", "engine"),
    [
        pytest.param(False, [], "torch", id="not installed"),
        pytest.param(True, ["FP32", "INT8"], "openvino-f32", id="a processor without bfloat16"),
        pytest.param(True, ["FP32", "BF16"], "openvino-bf16", id="one with"),
    ],
)
def test_the_processor_decides(there, listed, engine, monkeypatch):
    monkeypatch.delenv("ECE_CPU_ENGINE")
    monkeypatch.setattr(engines, "find_spec", lambda name: object() if there else None)
    monkeypatch.setattr(engines, "_capabilities", lambda: listed)
    assert cpu_engine() == engine


def test_engines_that_are_not_there_are_said(monkeypatch):
    monkeypatch.setenv("ECE_CPU_ENGINE", "tensorrt")
    with pytest.raises(InputError, match="ECE_CPU_ENGINE names no engine.*auto, torch, openvino-f32"):
        cpu_engine()
    monkeypatch.setenv("ECE_CPU_ENGINE", "openvino-f32")
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"asks for OpenVINO, which is not installed.*ece-core\[cpu\]"):
        cpu_engine()
