"""Train the 3D UNet that finds lymph nodes: `ece train segmentation CONFIG`.

Patches of simulated scans, mixed with patches of real CT in which everything outside the target volumes counts as
background (what is inside them is ignored: there may be lymph nodes). Dice plus cross-entropy, AdamW, one cycle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ece_core.geometry import Volume, affine_from
from ece_core.models.registry import build
from ece_core.preprocessing import sample_block, window
from ece_core.training.loop import run
from ece_core.training.simulated_data import AIR_HU, make, segmentation_case

Array = np.ndarray
IGNORE = 255


def loss_function(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Soft Dice over the foreground classes plus cross-entropy, both blind to voxels labeled 255.

    Parameters
    ----------
    logits
        (n, c, k, j, i).
    target
        (n, k, j, i) int64.
    """
    known = (target != IGNORE).unsqueeze(1).float()
    cross_entropy = nn.functional.cross_entropy(logits, target, ignore_index=IGNORE)
    probabilities = logits.softmax(dim=1) * known
    one_hot = nn.functional.one_hot(target.clamp(max=logits.shape[1] - 1), logits.shape[1]).movedim(-1, 1) * known
    overlap = (probabilities * one_hot).sum(dim=(0, 2, 3, 4))
    total = (probabilities + one_hot).sum(dim=(0, 2, 3, 4))
    dice = (2 * overlap + 1) / (total + 1)
    # The union of all classes as well: being found matters before being told apart.
    found = probabilities[:, 1:].sum(1)
    true = one_hot[:, 1:].sum(1)
    union_dice = (2 * (found * true).sum() + 1) / (found.sum() + true.sum() + 1)
    return cross_entropy + (1 - dice[1:].mean()) * 0.5 + (1 - union_dice)


class Patches:
    """Draws training patches; every draw is determined by (seed, step)."""

    def __init__(self, config: dict[str, Any], data: Path, real: Path | None) -> None:
        self.config, self.size = config, tuple(config["patch_size"])
        self.files = [data / f"seg_{n:04d}.npz" for n in range(config["cases"])]
        self.cases: dict[Path, dict[str, Array]] = {}
        self.real = [RealBackground(path, config["spacing_mm"]) for path in _real_files(real, config)]
        self.augment = augmentation(config["seed"])

    def available(self) -> list[Path]:
        return [path for path in self.files if path in self.cases or path.exists()]

    def _case(self, path: Path) -> dict[str, Array]:
        if path not in self.cases:
            with np.load(path) as archive:
                case = {"hu": archive["hu"], "classes": archive["classes"]}
            case["foreground"] = np.argwhere(case["classes"] > 0).astype(np.int16)
            case["metastatic"] = np.argwhere(case["classes"] > 1).astype(np.int16)
            self.cases[path] = case
        return self.cases[path]

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 1, k, j, i) float32 in [0, 1] and (n, k, j, i) int64."""
        rng = np.random.default_rng((self.config["seed"], step))
        files = self.available()
        rows = []
        for n in range(self.config["batch_size"]):
            if self.real and rng.random() < self.config["real_share"]:
                hu, target = self.real[int(rng.integers(len(self.real)))].patch(rng, self.size)
            else:
                case = self._case(files[int(rng.integers(len(files)))])
                hu, target = self._simulated(rng, case, n)
            rows.append((window(hu), target))
        images = torch.from_numpy(np.stack([image for image, _ in rows])[:, None])
        targets = torch.from_numpy(np.stack([target for _, target in rows]).astype(np.int64))
        return self.augment(images, targets, rng)

    def _simulated(self, rng: np.random.Generator, case: dict[str, Array], n: int) -> tuple[Array, Array]:
        shape = np.array(case["hu"].shape)
        size = np.array(self.size)
        wanted = rng.random()
        pool = case["metastatic"] if wanted < 0.35 and len(case["metastatic"]) else case["foreground"]
        if wanted < 0.7 and len(pool):
            center = pool[int(rng.integers(len(pool)))] + rng.integers(-size // 3, size // 3 + 1)
        else:
            center = rng.integers(0, shape)
        start = np.clip(center - size // 2, 0, np.maximum(shape - size, 0))
        block = tuple(slice(int(a), int(a + s)) for a, s in zip(start, size, strict=True))
        hu, target = case["hu"][block], case["classes"][block]
        pad = [(0, int(s - h)) for s, h in zip(size, hu.shape, strict=True)]
        return np.pad(hu, pad, constant_values=int(AIR_HU)), np.pad(target, pad)


class RealBackground:
    """A real CT with known target volumes (OpenKBP: `hu`, `labels`, `spacing_zyx_mm`): what is not a target."""

    def __init__(self, path: Path, spacing_mm: float) -> None:
        with np.load(path, allow_pickle=False) as archive:
            z, y, x = (float(s) for s in archive["spacing_zyx_mm"])
            affine = affine_from((z, y, x))
            self.ct = Volume(archive["hu"].astype(np.int16), affine)
            targets = (archive["labels"] >= 8).astype(np.float32)
        self.targets = Volume(targets, affine)
        self.spacing = (spacing_mm, spacing_mm, spacing_mm)
        self.body = np.argwhere(self.ct.array > -200)

    def patch(self, rng: np.random.Generator, size: tuple[int, int, int]) -> tuple[Array, Array]:
        center = self.ct.to_lps(self.body[int(rng.integers(len(self.body)))])
        hu = sample_block(self.ct, center, size, self.spacing, AIR_HU).array
        near_target = sample_block(self.targets, center, size, self.spacing, 0.0).array > 0.02
        return hu, np.where(near_target, IGNORE, 0)


def _real_files(folder: Path | None, config: dict[str, Any]) -> list[Path]:
    """Real scans whose targets are large enough to cover the lymph nodes of both sides."""
    if folder is None:
        return []
    chosen = []
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            volume = float((archive["labels"] >= 8).sum() * np.prod(archive["spacing_zyx_mm"]) / 1000)
        if volume >= config["real_least_target_ml"]:
            chosen.append(path)
        if len(chosen) == config["real_cases"]:
            break
    return chosen


def augmentation(seed: int):
    """MONAI's random transforms on a batch: geometry for image and target alike, intensity for the image."""
    from monai.transforms import (
        RandAdjustContrast,
        RandAffine,
        RandGaussianNoise,
        RandGaussianSmooth,
        RandScaleIntensity,
        RandShiftIntensity,
        RandSimulateLowResolution,
    )

    affine = RandAffine(prob=0.35, rotate_range=(0.26, 0.26, 0.26), scale_range=(0.15, 0.15, 0.15), cache_grid=False)
    intensity = [
        RandGaussianNoise(prob=0.25, std=0.03),
        RandGaussianSmooth(prob=0.2, sigma_x=(0.4, 1.0), sigma_y=(0.4, 1.0), sigma_z=(0.4, 1.0)),
        RandScaleIntensity(factors=0.12, prob=0.3),
        RandShiftIntensity(offsets=0.04, prob=0.3),
        RandAdjustContrast(prob=0.15, gamma=(0.8, 1.25)),
        RandSimulateLowResolution(prob=0.25, zoom_range=(0.35, 1.0)),
    ]

    def apply(images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator):
        out_images, out_targets = [], []
        for image, target in zip(images, targets, strict=True):
            for transform in (affine, *intensity):
                transform.set_random_state(int(rng.integers(2**31)))
            affine.randomize()
            moved, moved_target = image, target[None].float()
            if affine._do_transform:
                moved = affine(image, mode="bilinear", padding_mode="border", randomize=False)
                moved_target = affine(moved_target, mode="nearest", padding_mode="border", randomize=False)
            if rng.random() < 0.5:
                moved, moved_target = moved.flip(-1), moved_target.flip(-1)
            for transform in intensity:
                moved = transform(moved)
            out_images.append(torch.as_tensor(moved).as_subclass(torch.Tensor).clamp(0, 1))
            out_targets.append(torch.as_tensor(moved_target[0]).as_subclass(torch.Tensor).round().long())
        return torch.stack(out_images), torch.stack(out_targets)

    return apply


def train(config: dict[str, Any], work: Path, device: str = "cpu", real: Path | None = None, report=None) -> Path:
    """Train, or go on where a killed run stopped; returns the last checkpoint.

    Parameters
    ----------
    work
        Folder for data, checkpoint and curve; one per config.
    real
        Folder of real CT as OpenKBP arrays, or None: then simulated patches only.
    """
    data = work / "data"
    data.mkdir(parents=True, exist_ok=True)
    arguments = [
        (data, config["data_seed"], n, config["difficulty"], config["spacing_mm"]) for n in range(config["cases"])
    ]
    make(segmentation_case, [a for a in arguments if not (data / f"seg_{a[2]:04d}.npz").exists()], config["jobs"])
    torch.manual_seed(config["seed"])
    network = build(config["architecture"], config["arguments"]).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config["learning_rate"], total_steps=config["steps"], pct_start=0.15
    )
    return run(config, work, network, optimizer, schedule, Patches(config, data, real).batch, loss_function, device,
               report)  # fmt: skip
