"""Train the 3D DenseNet that classes lymph nodes: `ece train classification CONFIG`.

Blocks around simulated lymph nodes with the mask as second channel. The mask is jittered (grown, shrunk, shifted),
so that a contour drawn by a network or a hand is as good as the true one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from ece_core.classes import CLASS_NAMES
from ece_core.errors import InputError
from ece_core.models.registry import build
from ece_core.preprocessing import window
from ece_core.preprocessing.window import WINDOW_HU
from ece_core.training.loop import run
from ece_core.training.simulated_data import classification_crops, make

Array = np.ndarray


class Blocks:
    """Draws training blocks, the three classes equally often; every draw is determined by (seed, step)."""

    def __init__(self, config: dict[str, Any], files: list[Path]) -> None:
        self.config = config
        self.window_hu = tuple(config.get("window_hu", WINDOW_HU))
        hu, masks, labels = [], [], []
        for path in files:
            with np.load(path) as archive:
                hu.append(archive["hu"])
                masks.append(archive["mask"])
                labels.append(archive["label"])
        self.hu, self.mask, self.label = np.concatenate(hu), np.concatenate(masks), np.concatenate(labels)
        self.by_class = [np.flatnonzero(self.label == c) for c in range(3)]
        absent = [name for name, rows in zip(CLASS_NAMES, self.by_class, strict=True) if len(rows) == 0]
        if absent:
            raise InputError(
                f"No lymph node of class {' or '.join(absent)} is among the {len(files)} training cases.",
                'Raise "cases" in the config: half of the simulated patients have no ENE.',
            )

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 2, k, j, i) float32 and (n,) int64."""
        rng = np.random.default_rng((self.config["seed"], step))
        images, labels = [], []
        for n in range(self.config["batch_size"]):
            # ENE and P, the pair that is hard to tell apart, four times in five.
            label = (1, 2, 1, 2, 0)[(step * self.config["batch_size"] + n) % 5]
            chosen = int(rng.choice(self.by_class[label]))
            images.append(augment(self.hu[chosen], self.mask[chosen], rng, self.window_hu))
            labels.append(label)
        return torch.from_numpy(np.stack(images)), torch.tensor(labels)


def augment(hu: Array, mask: Array, rng: np.random.Generator, window_hu: tuple[float, float] = WINDOW_HU) -> Array:
    """(2, K, J, I): flips, turns by 90 degrees in the axial plane, shifts, noise, blur, HU offset, mask jitter."""
    mask = jitter_mask(mask, rng)
    shift = [int(v) for v in rng.integers((-2, -4, -4), (3, 5, 5))]
    hu = np.roll(hu, shift, (0, 1, 2)).astype(np.float32)
    mask = np.roll(mask, shift, (0, 1, 2))
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter(hu, (0, *([float(rng.uniform(0.3, 0.7))] * 2)))
    hu = hu * float(rng.normal(1, 0.03)) + float(rng.normal(0, 8))
    if rng.random() < 0.4:
        hu = hu + rng.standard_normal(hu.shape).astype(np.float32) * float(rng.uniform(2, 10))
    block = np.stack([window(hu, window_hu), mask.astype(np.float32)])
    for axis in (1, 2, 3):
        if rng.random() < 0.5:
            block = np.flip(block, axis)
    return np.ascontiguousarray(np.rot90(block, int(rng.integers(4)), (2, 3)))


def jitter_mask(mask: Array, rng: np.random.Generator) -> Array:
    """The mask as another reader might draw it: its edge moved in or out by up to about 1.5 voxels, unevenly."""
    if rng.random() < 0.2 or not mask.any():
        return mask
    distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask.astype(bool))
    wobble = ndimage.zoom(rng.normal(0, 0.9, (4, 5, 5)), np.array(mask.shape) / (4, 5, 5), order=1)
    moved = distance + wobble[: mask.shape[0], : mask.shape[1], : mask.shape[2]] + rng.normal(0, 0.5) > 0
    return moved.astype(np.uint8) if moved.any() else mask


def loss_function(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, labels smoothed a little: a breach below the resolution must not be called certain."""
    return nn.functional.cross_entropy(logits, target, label_smoothing=0.05)


def train(config: dict[str, Any], work: Path, device: str = "cpu", real: Path | None = None, report=None) -> Path:
    """Train, or go on where a killed run stopped; returns the last checkpoint. ``real`` is not used."""
    data = work / "data"
    data.mkdir(parents=True, exist_ok=True)
    shape, spacing = tuple(config["patch_size"]), tuple(config["spacing_mm"])
    arguments = [(data, config["data_seed"], n, config["difficulty"], shape, spacing) for n in range(config["cases"])]
    files = [data / f"crops_{n:04d}.npz" for n in range(config["cases"])]
    make(classification_crops, [a for a, path in zip(arguments, files, strict=True) if not path.exists()],
         config["jobs"])  # fmt: skip
    torch.manual_seed(config["seed"])
    network = build(config["architecture"], config["arguments"]).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config["learning_rate"], total_steps=config["steps"], pct_start=0.2
    )
    return run(config, work, network, optimizer, schedule, Blocks(config, files).batch, loss_function, device, report)
