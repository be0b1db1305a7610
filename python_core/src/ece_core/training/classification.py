"""Train the 3D DenseNet that classes lymph nodes: `ece train classification CONFIG`.

Two steps. First the network learns to mark the signs of a breach, voxel by voxel, on small patches of the shell
around a lymph node: a scan and its counterfactual twin differ just there. A label per lymph node alone teaches size,
and little else in the time there is. Then it learns the class of whole lymph nodes, and goes on marking.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ece_core.models.registry import build
from ece_core.preprocessing.node_block import Box
from ece_core.training.crops import ENE, TENTHS, Crops, N, P
from ece_core.training.loop import run
from ece_core.training.simulated_data import classification_crops, make

Array = np.ndarray

NEAR_MM = (0.0, 7.0)  # patches lie around voxels this far from the surface
LEAST_SIGNS = 20  # voxels: of fewer signs no patch is made on purpose


class Patches:
    """Patches of the shell; every draw is determined by (seed, step).

    Half are of class ENE, most of them around a sign of the breach, and half of these come with the same patch of
    their twin, where there is none.
    """

    def __init__(self, crops: Crops, config: dict[str, Any]) -> None:
        self.crops, self.config = crops, config

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images (n, channels, k, j, i) and signs (n, 1, k, j, i), float32."""
        rng = np.random.default_rng((self.config["seed"], step, 1))
        patches: list[Array] = []
        while len(patches) < self.config["batch_size"]:
            label = int(rng.choice((N, P, ENE), p=(0.15, 0.3, 0.55)))
            row, seed = int(rng.choice(self.crops.by_class[label])), int(rng.integers(2**32))
            box = self._box(row, rng)
            patches.append(self.crops.augmented(row, box, seed))
            if label == ENE and rng.random() < 0.5:
                patches.append(self.crops.augmented(row + 1, box, seed))
        return _images_and_signs(patches[: self.config["batch_size"]])

    def _box(self, row: int, rng: np.random.Generator) -> Box:
        candidates = np.flatnonzero(self.crops.signs[row])
        if len(candidates) < LEAST_SIGNS or rng.random() < 0.3:
            low, high = (TENTHS * mm for mm in NEAR_MM)
            distance = self.crops.distance[row]
            candidates = np.flatnonzero((distance > low) & (distance < high))
        shape = self.crops.hu.shape[1:]
        center = np.unravel_index(int(rng.choice(candidates)), shape)
        starts = [
            int(np.clip(c - s // 2, 0, n - s))
            for c, s, n in zip(center, self.config["patch_size"], shape, strict=True)
        ]
        k, j, i = (slice(a, a + s) for a, s in zip(starts, self.config["patch_size"], strict=True))
        return k, j, i


class Blocks:
    """Whole lymph nodes of about one size a batch; every draw is determined by (seed, step).

    P and ENE come in equal numbers at any size, so that size cannot tell them apart. At first most of class P are
    twins: the same lymph node as the one of class ENE that follows in the batch, augmented alike. At last P and ENE
    come as often as they are at that size, and what size says is learned too.
    """

    def __init__(self, crops: Crops, config: dict[str, Any]) -> None:
        self.crops, self.config = crops, config

    def twin_share(self, step: int) -> float:
        """Share of class P that are twins: falls in a straight line to zero when the natural mix begins."""
        return float(self.config["twin_share"] * max(0.0, 1 - step / max(1, self.natural_from)))

    @property
    def natural_from(self) -> int:
        """The step from which P and ENE come in their natural mix."""
        return round(self.config["natural_from"] * self.config["steps"])

    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Images (n, channels, k, j, i), labels (n,) int64 and signs (n, 1, k, j, i): P, ENE, P, ENE, N and so on."""
        crops, rng = self.crops, np.random.default_rng((self.config["seed"], step, 2))
        size = float(crops.short_axis_mm[rng.choice(crops.metastatic)])
        rows: list[tuple[int, int]] = []
        while len(rows) < self.config["batch_size"]:
            rows += self._next((P, ENE, P, ENE, N)[len(rows) % 5], size, step, rng)
        rows = rows[: self.config["batch_size"]]
        box = crops.tight([row for row, _ in rows])
        images, signs = _images_and_signs([crops.augmented(row, box, seed) for row, seed in rows])
        return images, (torch.tensor([int(crops.label[row]) for row, _ in rows]), signs)

    def _next(self, label: int, size: float, step: int, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Rows and the seeds of their augmentation: one lymph node, or a twin and its ENE."""
        crops, seed = self.crops, int(rng.integers(2**32))
        if label == P and rng.random() < self.twin_share(step):
            breached = crops.like(crops.by_class[ENE], size, rng)
            return [(breached + 1, seed), (breached, seed)]
        mixed = label != N and step >= self.natural_from
        return [(crops.like(crops.metastatic if mixed else crops.by_class[label], size, rng), seed)]


def _images_and_signs(blocks: list[Array]) -> tuple[Tensor, Tensor]:
    both = torch.from_numpy(np.stack(blocks))
    return both[:, :-1].contiguous(), both[:, -1:].contiguous()


def signs_loss(logits: Tensor, images: Tensor, signs: Tensor) -> Tensor:
    """Cross-entropy of each voxel with the share of it that shows signs, over the tissue shown.

    Parameters
    ----------
    logits
        (n, 1, k/2, j/2, i/2).
    images, signs
        As :class:`Patches` gives them.
    """
    grid = (logits.shape[2], logits.shape[3], logits.shape[4])
    share = nn.functional.adaptive_avg_pool3d(signs, grid)
    shown = (nn.functional.adaptive_avg_pool3d((images[:, -1:] < 1).float(), grid) > 0).float()
    loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), share, reduction="none")
    return (loss * shown).sum() / shown.sum().clamp(min=1)


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, labels smoothed a little: a breach below the resolution must not be called certain."""
    return nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.05)


def train(config: dict[str, Any], work: Path, device: str = "cpu", real: Path | None = None, report=None) -> Path:
    """Train, or go on where a killed run stopped; returns the last checkpoint. ``real`` is not used."""
    crops = Crops(config, _files(config, work / "data"))
    torch.manual_seed(config["seed"])
    network: Any = build(config["architecture"], config["arguments"]).to(device)
    _learn_signs(config | config["signs"], work / "signs", network, crops, device, report)
    # Batches of one size have statistics of their own: from here on those of the mixed patches are kept.
    network.statistics_fixed = True
    head, trunk = _head_and_trunk(network)
    rates = [config["learning_rate"], config["learning_rate"] * config["trunk_rate"]]
    optimizer = torch.optim.AdamW(
        [{"params": part, "lr": rate} for part, rate in zip((head, trunk), rates, strict=True)], weight_decay=0.05
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=config["steps"], pct_start=0.1)

    def loss_of(images: Tensor, targets: tuple[Tensor, Tensor]) -> Tensor:
        logits, signs = network.logits_and_signs(images)
        return class_loss(logits, targets[0]) + signs_loss(signs, images, targets[1])

    return run(config, work, network, optimizer, schedule, Blocks(crops, config).batch, loss_of, device, report)


def _files(config: dict[str, Any], data: Path) -> list[Path]:
    data.mkdir(parents=True, exist_ok=True)
    shape, spacing = tuple(config["patch_size"]), tuple(config["spacing_mm"])
    files = [data / f"crops_{n:04d}.npz" for n in range(config["cases"])]
    absent = [n for n, path in enumerate(files) if not path.exists()]
    make(classification_crops, [(data, config["data_seed"], n, config["difficulty"], shape, spacing) for n in absent],
         config["jobs"])  # fmt: skip
    return files


def _learn_signs(config: dict[str, Any], work: Path, network, crops: Crops, device: str, report) -> None:
    work.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config["learning_rate"], total_steps=config["steps"], pct_start=0.2
    )

    def loss_of(images: Tensor, signs: Tensor) -> Tensor:
        return signs_loss(network.logits_and_signs(images)[1], images, signs)

    run(config, work, network, optimizer, schedule, Patches(crops, config).batch, loss_of, device, report)


def _head_and_trunk(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    named = list(network.named_parameters())
    head = [parameter for name, parameter in named if name.startswith("head.")]
    return head, [parameter for name, parameter in named if not name.startswith("head.")]
