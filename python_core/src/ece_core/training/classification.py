"""Train the 3D DenseNet that classes lymph nodes: `ece train classification CONFIG`.

Blocks around simulated lymph nodes, see :func:`~ece_core.preprocessing.node_block`. The mask is jittered,
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
from ece_core.preprocessing import node_block
from ece_core.training.loop import run
from ece_core.training.simulated_data import classification_crops, make

Array = np.ndarray
N, P, ENE = range(3)


class Blocks:
    """Draws training blocks; every draw is determined by (seed, step).

    At first most lymph nodes of class P are counterfactual twins: the same lymph node as the one of class ENE that
    follows in the batch, with its capsule whole and augmented alike. Nothing but the breach tells them apart, so it is
    learned before the easier thing, size. The share of twins then falls to zero, and what size says is learned too.
    """

    def __init__(self, config: dict[str, Any], files: list[Path]) -> None:
        self.config = config
        hu, masks, labels, twins = [], [], [], []
        for path in files:
            with np.load(path) as archive:
                hu.append(archive["hu"])
                masks.append(archive["mask"])
                labels.append(archive["label"])
                twins.append(archive["twin"])
        self.hu, self.mask, self.label = np.concatenate(hu), np.concatenate(masks), np.concatenate(labels)
        natural = ~np.concatenate(twins)
        self.by_class = [np.flatnonzero((self.label == c) & natural) for c in range(3)]
        absent = [name for name, rows in zip(CLASS_NAMES, self.by_class, strict=True) if len(rows) == 0]
        if absent:
            raise InputError(
                f"No lymph node of class {' or '.join(absent)} is among the {len(files)} training cases.",
                'Raise "cases" in the config: half of the simulated patients have no ENE.',
            )

    def twin_share(self, step: int) -> float:
        """Share of class P that are twins: falls in a straight line to zero at 60 % of all steps."""
        return float(self.config["twin_share"] * max(0.0, 1 - step / (0.6 * self.config["steps"])))

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, channels, k, j, i) float32 and (n,) int64: P, ENE, P, ENE, N and so on."""
        rng = np.random.default_rng((self.config["seed"], step))
        images: list[Array] = []
        labels: list[int] = []
        while len(labels) < self.config["batch_size"]:
            label = (P, ENE, P, ENE, N)[len(labels) % 5]
            chosen, seed = int(rng.choice(self.by_class[label])), int(rng.integers(2**32))
            if label == P and rng.random() < self.twin_share(step):
                breached = int(rng.choice(self.by_class[ENE]))
                images += [self._block(breached + 1, seed), self._block(breached, seed)]
                labels += [P, ENE]
            else:
                images.append(self._block(chosen, seed))
                labels.append(label)
        size = self.config["batch_size"]
        return torch.from_numpy(np.stack(images[:size])), torch.tensor(labels[:size])

    def _block(self, chosen: int, seed: int) -> Array:
        return augment(self.hu[chosen], self.mask[chosen], np.random.default_rng(seed), self.config)


def augment(hu: Array, mask: Array, rng: np.random.Generator, config: dict[str, Any]) -> Array:
    """(channels, K, J, I): flips, turns by 90 degrees in the axial plane, noise, blur, HU offset, mask jitter."""
    mask = jitter_mask(mask, rng)
    hu = hu.astype(np.float32)
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter(hu, (0, *([float(rng.uniform(0.3, 0.7))] * 2)))
    hu = hu * float(rng.normal(1, 0.03)) + float(rng.normal(0, 8))
    if rng.random() < 0.4:
        hu = hu + rng.standard_normal(hu.shape).astype(np.float32) * float(rng.uniform(2, 10))
    block = node_block(hu, mask, config["spacing_mm"], config["windows_hu"], config["margin_mm"])
    for axis in (1, 2, 3):
        if rng.random() < 0.5:
            block = np.flip(block, axis)
    return np.ascontiguousarray(np.rot90(block, int(rng.integers(4)), (2, 3)))


def jitter_mask(mask: Array, rng: np.random.Generator) -> Array:
    """The mask as another reader might draw it: its edge moved in or out by up to about 1.5 voxels, unevenly."""
    if rng.random() < 0.2 or not mask.any():
        return mask
    # Across the edge of a large mask the smoothed one falls by about 0.4 / sigma a voxel.
    soft = ndimage.gaussian_filter(mask.astype(np.float32), 1.5, truncate=2)
    wobble = ndimage.zoom(rng.normal(0, 0.2, (4, 5, 5)), np.array(mask.shape) / (4, 5, 5), order=1)
    moved = soft + wobble[: mask.shape[0], : mask.shape[1], : mask.shape[2]] + rng.normal(0, 0.1) > 0.5
    moved &= soft > 0.02
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
