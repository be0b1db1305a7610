"""Train the 3D UNet that finds lymph nodes: `ece train segmentation CONFIG`.

Patches of simulated scans, mixed with patches of real CT into which simulated lymph nodes were inserted. In real CT
what is inside the target volumes is ignored (there may be real lymph nodes), all else is background. Dice plus
cross-entropy, AdamW, one cycle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ece_core.errors import InputError
from ece_core.models.bundle import Bundle, load_bundle
from ece_core.models.registry import build
from ece_core.preprocessing import window
from ece_core.training.labels import labels_of, network_arguments, value_of_class
from ece_core.training.loop import run
from ece_core.training.simulated_data import (
    AIR_HU,
    LEAST_TARGET_LABEL,
    UNKNOWN,
    inserted_case,
    make,
    segmentation_case,
)

Array = np.ndarray


def loss_function(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Soft Dice over the foreground classes plus cross-entropy, both blind to voxels labeled 255.

    Parameters
    ----------
    logits
        (n, c, k, j, i).
    target
        (n, k, j, i) int64.
    """
    logits = logits.float()
    known = (target != UNKNOWN).unsqueeze(1).float()
    cross_entropy = nn.functional.cross_entropy(logits, target, ignore_index=UNKNOWN)
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

    def __init__(self, config: dict[str, Any], simulated: list[Path], real: list[Path]) -> None:
        self.config, self.size = config, tuple(config["patch_size"])
        self.simulated, self.real = simulated, real
        self.values = value_of_class(labels_of(config))
        self.cases: dict[Path, dict[str, Array]] = {}
        self.augment = augmentation()

    def _case(self, path: Path) -> dict[str, Array]:
        if path not in self.cases:
            with np.load(path) as archive:
                case = {"hu": archive["hu"], "classes": archive["classes"]}
            found, metastatic = (case["classes"] > 0), (case["classes"] > 1)
            case["foreground"], case["metastatic"] = (
                np.argwhere(mask & (case["classes"] != UNKNOWN)).astype(np.int16) for mask in (found, metastatic)
            )
            self.cases[path] = case
        return self.cases[path]

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 1, k, j, i) float32 in [0, 1] and (n, k, j, i) int64."""
        rng = np.random.default_rng((self.config["seed"], step))
        rows = []
        for _ in range(self.config["batch_size"]):
            files = self.real if self.real and rng.random() < self.config["real_share"] else self.simulated
            hu, target = self._patch(rng, self._case(files[int(rng.integers(len(files)))]))
            rows.append((window(hu), self.values[target]))
        images = torch.from_numpy(np.stack([image for image, _ in rows])[:, None])
        targets = torch.from_numpy(np.stack([target for _, target in rows]).astype(np.int64))
        return self.augment(images, targets, rng)

    def _patch(self, rng: np.random.Generator, case: dict[str, Array]) -> tuple[Array, Array]:
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


def _real_files(folder: Path | None, config: dict[str, Any]) -> list[Path]:
    """Real scans whose targets are large enough to cover the lymph nodes of both sides."""
    if folder is None:
        return []
    chosen = []
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path, allow_pickle=False) as archive:
            volume = float((archive["labels"] >= LEAST_TARGET_LABEL).sum() * np.prod(archive["spacing_zyx_mm"]) / 1000)
        if volume >= config["real_least_target_ml"]:
            chosen.append(path)
        if len(chosen) == config["real_cases"]:
            break
    return chosen


def augmentation():
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


def _start(config: dict[str, Any]) -> Bundle:
    bundle = load_bundle(Path(config["start_from"]))
    if tuple(bundle.spec["labels"]) != labels_of(config):
        raise InputError(
            f"The model to start from tells {', '.join(bundle.spec['labels'])} apart, "
            f"this config {', '.join(labels_of(config))}.",
            'Set "labels" to those of the model, or train without "start_from".',
        )
    return bundle


def train(config: dict[str, Any], work: Path, device: str = "cpu", real: Path | None = None, report=None) -> Path:
    """Train, or go on where a killed run stopped; returns the last checkpoint.

    Parameters
    ----------
    work
        Folder for data, checkpoint and curve; one per config.
    real
        Folder of real CT as OpenKBP arrays, or None: then simulated patches only.

    With ``start_from``, the folder of a bundle, training begins with that bundle's weights.
    """
    data = work / "data"
    data.mkdir(parents=True, exist_ok=True)
    arguments = [
        (data, config["data_seed"], n, config["difficulty"], config["spacing_mm"]) for n in range(config["cases"])
    ]
    simulated = make(segmentation_case, arguments, config["jobs"])
    sources = [
        (data, source, config["data_seed"], n, config["difficulty"], config["spacing_mm"])
        for n, source in enumerate(_real_files(real, config))
    ]
    inserted = make(inserted_case, sources, config["jobs"])
    torch.manual_seed(config["seed"])
    network = build(config["architecture"], network_arguments(config)).to(device)
    if "start_from" in config:
        network.load_state_dict(_start(config).network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config["learning_rate"], total_steps=config["steps"], pct_start=0.15
    )
    batch = Patches(config, simulated, inserted).batch

    def loss_of(images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return loss_function(network(images), target)

    return run(config, work, network, optimizer, schedule, batch, loss_of, device, report)
