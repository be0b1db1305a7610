"""In half precision steps that overflow are left out, and a killed training still ends where an unbroken one does."""

import numpy as np
import pytest
import torch
from ece_core.errors import RunError
from ece_core.training import loop
from ece_core.training.loop import precision_of, run
from torch import nn


@pytest.mark.parametrize(
    ("config", "device", "capability", "precision"),
    [
        ({}, "cpu", None, torch.float32),
        ({}, "cuda:0", (8, 0), torch.bfloat16),
        pytest.param({}, "cuda:1", (7, 5), torch.float16, id="before Ampere: no bfloat16"),
        ({"bf16": True}, "cpu", None, torch.bfloat16),
        ({"bf16": False}, "cuda:0", (9, 0), torch.float32),
    ],
)
def test_precision_is_what_the_config_says_or_what_the_device_can(config, device, capability, precision, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda asked: capability)
    assert precision_of(config, device) is precision


@pytest.fixture
def half(monkeypatch):
    """As a GPU without bfloat16 trains, on the CPU."""
    monkeypatch.setattr(loop, "precision_of", lambda config, device: torch.float16)


def train(work, loss_at, stop_at=None, steps=12):
    work.mkdir(exist_ok=True)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer)

    def batch(step):
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(np.random.default_rng(step).normal(size=(4, 1, 2, 2, 2)).astype(np.float32))
        return x, torch.full((4,), step)

    def loss_of(images, steps):
        right = (images.sum((1, 2, 3, 4)) > 0).long()
        return nn.functional.cross_entropy(network(images).float(), right) * loss_at(int(steps[0]))

    config = {"seed": 1, "steps": steps, "log_every": 5, "checkpoint_every": 5, "loaders": 0}
    run(config, work, network, optimizer, schedule, batch, loss_of, "cpu", None)
    return network, torch.load(work / "checkpoint.pt", weights_only=True)


def overflowing_at_seven(step):
    return 1e36 if step == 7 else 1.0


def test_a_step_that_overflows_is_left_out_and_the_scale_lowered(half, tmp_path):
    network, state = train(tmp_path, loss_at=overflowing_at_seven)
    assert all(torch.isfinite(weight).all() for weight in network.parameters())
    assert state["scaler"]["scale"] == 2.0**15, "from 2^16"


def test_killed_and_resumed_with_a_scale_is_not_killed(half, tmp_path):
    whole, _ = train(tmp_path / "whole", loss_at=overflowing_at_seven)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", stop_at=11, loss_at=overflowing_at_seven)
    resumed, state = train(tmp_path / "broken", loss_at=overflowing_at_seven)
    assert state["scaler"]["scale"] == 2.0**15
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_loss_that_stays_infinite_ends_the_training(half, tmp_path):
    with pytest.raises(RunError, match="gradient is not finite"):
        train(tmp_path, loss_at=lambda step: float("inf"), steps=40)
