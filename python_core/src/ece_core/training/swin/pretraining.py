"""Masked-autoencoder pretraining on CT without labels: `ece train pretrain CONFIG [--real-ct DIR]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ece_core.errors import InputError
from ece_core.models.bundle import save_bundle
from ece_core.models.registry import build
from ece_core.preprocessing.normalization import Normalization
from ece_core.training.loop import run
from ece_core.training.simulated_data import make
from ece_core.training.swin.card import card
from ece_core.training.swin.settings import Config, check
from ece_core.training.swin.volumes import MARGIN, expect_made_for, grid_of, real_scan, unlabeled_scan

Array = np.ndarray

KEPT_OUT = 10  # every tenth scan is not learned from: on these it is looked whether anything was learned


def hidden_blocks(rng: np.random.Generator, shape: Sequence[int], edge: int, ratio: float) -> Array:
    """(K, J, I) bool: this share of all blocks of ``edge`` voxels, drawn at random; at least one, never all."""
    blocks = [n // edge for n in shape]
    count = int(np.prod(blocks))
    chosen = np.zeros(count, bool)
    chosen[rng.permutation(count)[: min(max(1, round(ratio * count)), count - 1)]] = True
    hidden = chosen.reshape(blocks)
    for axis in range(3):
        hidden = hidden.repeat(edge, axis=axis)
    return hidden


def masked_loss(answer: Tensor, image: Tensor, hidden: Tensor) -> Tensor:
    """Mean absolute error over hidden voxels; what was seen counts nothing.

    Parameters
    ----------
    answer, image
        (n, c, k, j, i).
    hidden
        (n, 1, k, j, i) bool.
    """
    error = (answer.float() - image.float()).abs() * hidden
    return error.sum() / (hidden.sum() * image.shape[1]).clamp(min=1)


class MaskedBatches:
    """Blocks of scans, moved and mirrored, and what is hidden of them; every draw is determined by (seed, step)."""

    def __init__(self, config: Config, files: Sequence[Path]) -> None:
        self.config = config
        self.normalization = Normalization.of({"window_hu": config["window_hu"]})
        self.scans = [_hu(path) for path in files]

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images (n, 1, k, j, i) float32 and what is hidden of them (n, 1, k, j, i) bool."""
        rng = np.random.default_rng((self.config["seed"], step, 51))
        rows = [self._one(rng) for _ in range(self.config["batch_size"])]
        return torch.stack([image for image, _ in rows]), torch.stack([hidden for _, hidden in rows])

    def _one(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        scan = self.scans[int(rng.integers(len(self.scans)))]
        start, size = rng.integers(0, 2 * MARGIN + 1, 3), self.config["patch_size"]
        k, j, i = (slice(int(a), int(a) + n) for a, n in zip(start, size, strict=True))
        image = self.normalization(scan[k, j, i])
        if rng.random() < 0.5:
            image = image[:, :, ::-1]
        hidden = hidden_blocks(rng, size, self.config["mask_edge"], self.config["mask_ratio"])
        return torch.from_numpy(image[None].copy()), torch.from_numpy(hidden[None])

    def mean_image(self) -> Tensor:
        """(1, k, j, i): the mean of all scans. Whoever has learned anatomy in general, and nothing of the patient in
        front of him, says this."""
        total = np.zeros(self.config["patch_size"])
        for scan in self.scans:
            total += self.normalization(_middle(scan))
        return torch.from_numpy((total / len(self.scans)).astype(np.float32))[None]


def train(config: Config, work: Path, device: str = "cpu", real: Path | None = None, report=None) -> Path:
    """Train, or go on where a killed run stopped; returns the folder of the bundle that holds the encoder.

    Parameters
    ----------
    real
        Folder of real CT as OpenKBP arrays; without it only simulated CT is learned from.

    Raises
    ------
    InputError
        The config or the folder of real CT does not fit.
    """
    check(config)
    files, count = scans(config, work / "data", real)
    learned, kept_out = _split(files)
    torch.manual_seed(config["seed"])
    network: Any = build(config["architecture"], config["arguments"]).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config["learning_rate"], total_steps=config["steps"], pct_start=0.1
    )
    batches = MaskedBatches(config, learned)

    def loss_of(images: Tensor, hidden: Tensor) -> Tensor:
        return masked_loss(network(images, hidden), images, hidden)

    look = _validation(config, kept_out, network, batches.mean_image(), device)
    run(config, work, network, optimizer, schedule, batches.batch, loss_of, device, report, look)
    bundle = work / config["name"]
    save_bundle(bundle, card(config, count), network.eval(), half=False)
    return bundle


def scans(config: Config, data: Path, real: Path | None) -> tuple[list[Path], dict[str, int]]:
    """Files of all scans, made where they are not there yet, and how many are real and simulated.

    Raises
    ------
    InputError
        There are fewer real CT than the config asks for, or fewer than two scans in all.
    """
    sources = sorted(Path(real).glob("*.npz"))[: config["real_cases"]] if real is not None else []
    if real is not None and len(sources) < config["real_cases"]:
        raise InputError(
            f"The folder of real CT holds {len(sources)} arrays, and the config asks for {config['real_cases']}.",
            'Give the right folder, or lower "real_cases" in the config.',
        )
    if len(sources) + config["cases"] < 2:
        raise InputError(
            f"There are {len(sources) + config['cases']} scans to learn from.",
            'Raise "cases" in the config, or give real CT with --real-ct.',
        )
    shape, spacing = grid_of(config)
    expect_made_for(data, {"shape": shape, "spacing_mm": spacing, "seed": config["data_seed"],
                           "difficulty": config["difficulty"]})  # fmt: skip
    simulated = make(
        unlabeled_scan,
        [(data, config["data_seed"], n, config["difficulty"], shape, spacing) for n in range(config["cases"])],
        config["jobs"],
    ) if config["cases"] else []  # fmt: skip
    real_files = make(
        real_scan, [(data, source, n, shape, spacing) for n, source in enumerate(sources)], config["jobs"]
    ) if sources else []  # fmt: skip
    return [*simulated, *real_files], {"simulated": len(simulated), "real": len(real_files)}


def _split(files: list[Path]) -> tuple[list[Path], list[Path]]:
    kept_out = files[:: min(KEPT_OUT, len(files))]
    return [path for path in files if path not in kept_out], kept_out


def _validation(config: Config, files: list[Path], network, mean: Tensor, device: str):
    """Error on scans that are not learned from, beside that of saying the mean image."""
    fixed = MaskedBatches({**config, "batch_size": 1}, files)
    images, hidden = (torch.stack(part) for part in zip(*(_fixed(fixed, n) for n in range(len(files))), strict=True))

    @torch.inference_mode()
    def look() -> dict[str, float]:
        network.eval()
        errors = [
            float(masked_loss(network(image[None].to(device), mask[None].to(device)).cpu(), image[None], mask[None]))
            for image, mask in zip(images, hidden, strict=True)
        ]
        network.train()
        return {
            "masked_error": float(np.mean(errors)),
            "of_the_mean_image": float(masked_loss(mean[None].expand_as(images), images, hidden)),
        }

    return look


def _fixed(batches: MaskedBatches, number: int) -> tuple[Tensor, Tensor]:
    config = batches.config
    image = batches.normalization(_middle(batches.scans[number]))
    rng = np.random.default_rng((config["seed"], number, 52))
    hidden = hidden_blocks(rng, config["patch_size"], config["mask_edge"], config["mask_ratio"])
    return torch.from_numpy(image[None].copy()), torch.from_numpy(hidden[None])


def _middle(scan: Array) -> Array:
    return scan[MARGIN:-MARGIN, MARGIN:-MARGIN, MARGIN:-MARGIN]


def _hu(path: Path) -> Array:
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive["hu"])
