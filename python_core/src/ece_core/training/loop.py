"""The training loop that all tasks share."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ece_core.errors import RunError


def run(config, work, network, optimizer, schedule, batch, loss_of, device, report) -> Path:
    """Resume, step, log, checkpoint; returns the last checkpoint.

    Parameters
    ----------
    batch
        Called with the step's number; returns images and targets (one tensor, or a tuple of them). The number alone
        decides what is drawn, so a resumed run sees what an unbroken one would have seen.
    loss_of
        Called with images and targets on the device; returns the loss.
    """
    checkpoint, curve = work / "checkpoint.pt", work / "curve.csv"
    start = _resume(checkpoint, network, optimizer, schedule)
    network.train().to(memory_format=torch.channels_last_3d)
    began, total = time.monotonic(), 0.0
    steps = range(start, config["steps"])
    loader = DataLoader(_Steps(batch), batch_size=None, sampler=steps, num_workers=_loaders(config))
    for step, (images, targets) in zip(steps, loader, strict=True):
        images = images.to(device, memory_format=torch.channels_last_3d)
        targets = targets.to(device) if torch.is_tensor(targets) else tuple(each.to(device) for each in targets)
        torch.manual_seed(config["seed"] * 1_000_003 + step)  # dropout, too, follows from the step alone
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=config["bf16"]):
            loss = loss_of(images, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        size = nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        if not torch.isfinite(size):
            # torch 2.13's bfloat16 convolutions on CPU give such gradients for some small DenseNet layers.
            raise RunError(
                f"The gradient is not finite at step {step}.",
                'Lower "learning_rate" or set "bf16" to false in the config and start again; the checkpoint is kept.',
            )
        optimizer.step()
        schedule.step()
        total += float(loss.detach())
        done = step + 1
        if done % config["log_every"] == 0:
            with curve.open("a") as stream:
                stream.write(f"{done},{total / config['log_every']:.5f},{time.monotonic() - began:.0f}\n")
            total = 0.0
            if report is not None:
                report("train", done / config["steps"])
        if done % config["checkpoint_every"] == 0 or done == config["steps"]:
            _save(checkpoint, done, network, optimizer, schedule)
    return checkpoint


class _Steps(Dataset):
    def __init__(self, batch) -> None:
        self.batch = batch

    def __getitem__(self, step: int):
        return self.batch(step)


def _loaders(config: dict[str, Any]) -> int:
    """Batches are made ahead in other processes where these start as copies of this one."""
    return config.get("loaders", 1) if sys.platform == "linux" else 0


def _save(path: Path, step: int, network, optimizer, schedule) -> None:
    part = path.with_suffix(".part")
    torch.save(
        {
            "step": step,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        },
        part,
    )
    part.replace(path)


def _resume(path: Path, network, optimizer, schedule) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return int(state["step"])
