"""The training loop that all tasks share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ece_core.errors import InputError, RunError
from ece_core.training.curves import Curves

CLIP = 5.0
LEAST_SCALE = 1.0  # float16: below it gradients are not finite for another reason than their size
# What may change between a killed training and its continuation without changing its weights.
OF_NO_CONSEQUENCE = frozenset(
    ("name", "version", "limits", "license", "training_data", "least_confidence", "calibration", "conformal",
     "gradcam_layer", "tile_size", "loaders", "jobs", "log_every", "checkpoint_every", "validate_every", "tensorboard",
     "dataset", "plan", "layout")
)  # fmt: skip


def run(
    config: dict[str, Any], work: Path, network, optimizer, schedule, batch, loss_of, device: str, report,
    validate: Callable[[], dict[str, float]] | None = None, first: bool = True,
) -> Path:
    """Resume, step, log, checkpoint; returns the last checkpoint.

    Parameters
    ----------
    batch
        Called with the step's number; returns images and targets (one tensor, or a tuple of them). The number alone
        decides what is drawn, so a resumed run sees what an unbroken one would have seen.
    loss_of
        Called with images and targets on the device; returns the loss.
    validate
        Called every ``validate_every`` steps; must leave the network as it was.
    first
        Of processes that train together only the first one writes and reports.

    Raises
    ------
    InputError
        The checkpoint belongs to a training with other settings.
    RunError
        A gradient is not finite.
    """
    checkpoint = work / "checkpoint.pt"
    precision = precision_of(config, device)
    scaler = torch.amp.GradScaler(device.split(":")[0], enabled=precision is torch.float16)
    start, total, before = _resume(checkpoint, config, network, optimizer, schedule, scaler)
    network.train().to(memory_format=torch.channels_last_3d)
    curves = Curves(work if first else None, start, config.get("tensorboard", False))
    began = time.monotonic() - before
    steps = range(start, config["steps"])
    loader = DataLoader(_Steps(batch), batch_size=None, sampler=steps, num_workers=_loaders(config))
    for step, (images, targets) in zip(steps, loader, strict=True):
        images = images.to(device, memory_format=torch.channels_last_3d)
        targets = targets.to(device) if torch.is_tensor(targets) else tuple(each.to(device) for each in targets)
        torch.manual_seed(config["seed"] * 1_000_003 + step)  # dropout, too, follows from the step alone
        with torch.autocast(device.split(":")[0], precision, enabled=precision is not torch.float32):
            loss = loss_of(images, targets)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        size = nn.utils.clip_grad_norm_(network.parameters(), config.get("clip", CLIP))
        # With a scaler such a step is left out, and the scale lowered.
        if not torch.isfinite(size) and not (scaler.is_enabled() and scaler.get_scale() > LEAST_SCALE):
            # torch 2.13's bfloat16 convolutions on CPU give such gradients for some small DenseNet layers.
            raise RunError(
                f"The gradient is not finite at step {step}.",
                'Lower "learning_rate" or set "bf16" to false in the config and start again; the checkpoint is kept.',
            )
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        total += float(loss.detach())
        done, seconds = step + 1, time.monotonic() - began
        if done % config["log_every"] == 0:
            curves.loss(done, total / config["log_every"], schedule.get_last_lr()[0], seconds)
            total = 0.0
            if report is not None and first:
                report("train", done / config["steps"])
        if validate is not None and first and done % config.get("validate_every", config["steps"]) == 0:
            curves.validation(done, validate())
        if first and (done % config["checkpoint_every"] == 0 or done == config["steps"]):
            state = {"step": done, "total": total, "seconds": seconds, "scaler": scaler.state_dict()}
            _save(checkpoint, state, config, network, optimizer, schedule)
    curves.close()
    return checkpoint


def precision_of(config: dict[str, Any], device: str) -> torch.dtype:
    """What convolutions are computed in: as ``bf16`` says; without it float32 on a CPU, and half of it on a GPU.

    A GPU without bfloat16 in hardware (before NVIDIA's Ampere) takes float16, its losses scaled, as nnU-Net does.
    """
    if "bf16" in config:
        return torch.bfloat16 if config["bf16"] else torch.float32
    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16


class _Steps(Dataset):
    def __init__(self, batch) -> None:
        self.batch = batch

    def __getitem__(self, step: int):
        return self.batch(step)


def _loaders(config: dict[str, Any]) -> int:
    """Batches are made ahead in other processes where these start as copies of this one."""
    return config.get("loaders", 1) if sys.platform == "linux" else 0


def _save(path: Path, state: dict[str, Any], config, network, optimizer, schedule) -> None:
    part = path.with_suffix(".part")
    torch.save(
        {
            **state,
            "config": _consequential(config),
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        },
        part,
    )
    part.replace(path)


def _resume(path: Path, config, network, optimizer, schedule, scaler) -> tuple[int, float, float]:
    """Steps done, loss since the last row of the curve, seconds spent."""
    if not path.exists():
        return 0, 0.0, 0.0
    state = torch.load(path, weights_only=True)
    _expect_same(config, state.get("config"))
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    if state.get("scaler"):
        scaler.load_state_dict(state["scaler"])
    return int(state["step"]), float(state.get("total", 0.0)), float(state.get("seconds", 0.0))


def _consequential(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in OF_NO_CONSEQUENCE}


def _expect_same(config: dict[str, Any], before: dict[str, Any] | None) -> None:
    if before is None:  # a checkpoint of an earlier version
        return
    now = _consequential(config)
    changed = sorted(key for key in {*now, *before} if now.get(key) != before.get(key))
    if changed:
        raise InputError(
            f"The folder holds a training whose config has other values of {', '.join(changed)}.",
            "Put them back to go on with it, or train in another folder (--out).",
        )
