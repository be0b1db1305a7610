"""Trains the paper's network, and asks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ece_core.training.loop import run
from ece_core.training.parotid.augmentation import augmented
from ece_core.training.parotid.cases import ParotidCase, dice_of
from ece_core.training.parotid.loss import dice_focal_loss
from ece_core.training.parotid.unet import ParotidUNet

Report = Callable[[str, float], None] | None
NO_CLIP = 1e9  # the paper says nothing of clipped gradients


def train_parotid(
    config: dict[str, Any], work: Path, cases: Sequence[ParotidCase], epochs: int, device: str = "cpu",
    report: Report = None,
) -> ParotidUNet:  # fmt: skip
    """The network after so many epochs on these cases, in evaluation mode; a killed training goes on in ``work``.

    Adam (0.9, 0.999, 1e-7), batch 1, the rate falling by a cosine over all steps.

    Raises
    ------
    InputError
        ``work`` holds a training of other settings or other cases.
    """
    work.mkdir(parents=True, exist_ok=True)
    steps = epochs * len(cases)
    settings = {
        key: config[key] for key in ("seed", "filters", "learning_rate", "last_learning_rate", "log_every", "augment")
    }  # fmt: skip
    settings |= {
        "steps": steps, "batch_size": 1, "cases": [case.name for case in cases], "bf16": False, "loaders": 0,
        "clip": NO_CLIP, "checkpoint_every": config["checkpoint_every"],
    }  # fmt: skip
    torch.manual_seed(config["seed"])
    network = ParotidUNet(config["filters"]).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=config["learning_rate"], betas=(0.9, 0.999), eps=1e-7)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, config["last_learning_rate"])
    batch = _Batches(config, cases)
    run(
        settings, work, network, optimizer, schedule, batch,
        lambda images, truth: dice_focal_loss(network(images), truth), device, report,
    )  # fmt: skip
    return network.eval()


class _Batches:
    """One case a step, every case once an epoch, in an order that the epoch's number decides."""

    def __init__(self, config: dict[str, Any], cases: Sequence[ParotidCase]) -> None:
        self.seed, self.augment, self.cases = config["seed"], config["augment"], cases

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(step, len(self.cases))
        case = self.cases[np.random.default_rng([self.seed, epoch]).permutation(len(self.cases))[place]]
        if not self.augment:
            return _tensor(case.image), _tensor(case.truth)
        drawn = int(np.random.default_rng([self.seed, step, 1]).integers(2**31))
        image, truth = augmented(case.image, case.truth, drawn)
        return image[None], truth[None]


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))[None, None]


def probabilities(network: ParotidUNet, image: np.ndarray, device: str = "cpu") -> np.ndarray:
    """(k, j, i) float32: probability of parotid."""
    with torch.inference_mode():
        return network(_tensor(image).to(device)).sigmoid()[0, 0].cpu().numpy()


def dices(network: ParotidUNet, cases: Sequence[ParotidCase], device: str = "cpu") -> np.ndarray:
    """Of each case, at a probability of one half."""
    return np.array([dice_of(probabilities(network, case.image, device) >= 0.5, case.truth) for case in cases])


def without_the_worst(cases: Sequence[ParotidCase], dice: np.ndarray, share: float) -> list[ParotidCase]:
    """The paper's automatic curation: the ``share`` of the cases with the lowest Dice is left out, order kept."""
    left_out = set(np.argsort(dice, kind="stable")[: round(share * len(cases))].tolist())
    return [case for place, case in enumerate(cases) if place not in left_out]
