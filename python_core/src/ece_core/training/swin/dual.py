"""Train the dual-output SwinUNETR: `ece train classification CONFIG` where the architecture is DualSwinUNETR."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ece_core.errors import InputError
from ece_core.models.bundle import load_bundle, save_bundle
from ece_core.models.masked_autoencoder import take_encoder
from ece_core.models.registry import build
from ece_core.preprocessing.normalization import Normalization
from ece_core.training.augmentation import Augmentation
from ece_core.training.folds import ALL, split
from ece_core.training.loop import run
from ece_core.training.swin.card import PRETRAINED, card
from ece_core.training.swin.patients import Patient, expect_both_classes, load_patients
from ece_core.training.swin.settings import Config, check
from ece_core.training.swin.volumes import MARGIN
from ece_core.training.training_case import TrainingCase

Array = np.ndarray

PREDICTIONS = "predictions.json"


@dataclass(frozen=True)
class Prediction:
    """What the network says of a patient whom it has not learned from, and what is true.

    Attributes
    ----------
    probability
        Of ECE (also ENE), 0 to 1.
    dice
        Of the region at 0.5, 0 to 1.
    """

    patient: str
    has_ece: bool
    probability: float
    dice: float


class Batches:
    """Patients in random order, each as often as every other; every draw is determined by (seed, step)."""

    def __init__(self, config: Config, patients: Sequence[Patient]) -> None:
        self.config, self.patients = config, patients
        normalize = Normalization.of({"window_hu": config["window_hu"]})
        self.cases = [TrainingCase(patient.hu, (patient.region,), {}, normalize) for patient in patients]
        self.augment = Augmentation("simulator", config["patch_size"], np.broadcast_to(config["spacing_mm"], 3))

    def batch(self, step: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Images (n, 1, k, j, i), regions (n, 1, k, j, i) and ECE (n,), all float32."""
        first = step * self.config["batch_size"]
        rows = [self._one(number) for number in range(first, first + self.config["batch_size"])]
        images, regions, ece = zip(*rows, strict=True)
        return torch.stack(images), (torch.stack(regions), torch.tensor(ece))

    def _one(self, number: int) -> tuple[Tensor, Tensor, float]:
        seed, count = self.config["seed"], len(self.patients)
        at = int(np.random.default_rng((seed, number // count, 61)).permutation(count)[number % count])
        rng = np.random.default_rng((seed, number, 62))
        turn = self.augment.draw_turn(rng)
        size, case = self.augment.block_size(turn), self.cases[at]
        center = np.array(case.image.shape) // 2 + rng.integers(-MARGIN, MARGIN + 1, 3)
        image, region = self.augment.apply(*case.block(center - size // 2, size), turn, rng)
        return image, region.float(), float(self.patients[at].has_ece)


def region_loss(logits: Tensor, region: Tensor, gamma: float) -> Tensor:
    """Soft Dice of the batch, plus cross-entropy in which what is sure already counts little (focal loss).

    Both look away from the many voxels outside of the region: the first has none of them, the second nearly none.

    Parameters
    ----------
    logits, region
        (n, 1, k, j, i); region 0 or 1.
    gamma
        0: plain cross-entropy.

    References
    ----------
    Milletari et al. 2016, arXiv:1606.04797 (Dice). Lin et al. 2017, arXiv:1708.02002 (focal loss).
    """
    logits = logits.float()
    probability = logits.sigmoid()
    dice = (2 * (probability * region).sum() + 1) / (probability.sum() + region.sum() + 1)
    wrong = (probability - region).abs()
    focal = (wrong**gamma * F.binary_cross_entropy_with_logits(logits, region, reduction="none")).mean()
    return 1 - dice + focal


def case_loss(logits: Tensor, ece: Tensor, weights: tuple[float, float]) -> Tensor:
    """Cross-entropy of the case, weighted by how rare its class is.

    Parameters
    ----------
    logits, ece
        (n,); ece 0 or 1.
    weights
        Of patients without and with ECE, see :func:`class_weights`.
    """
    weight = torch.where(ece > 0.5, weights[1], weights[0])
    return (weight * F.binary_cross_entropy_with_logits(logits.float(), ece, reduction="none")).mean()


def class_weights(patients: Sequence[Patient]) -> tuple[float, float]:
    """Weights of patients without and with ECE that make both classes count alike; their mean over patients is 1."""
    expect_both_classes(patients)
    positive, count = sum(patient.has_ece for patient in patients), len(patients)
    return count / (2 * (count - positive)), count / (2 * positive)


def train(config: Config, work: Path, device: str = "cpu", report=None, fold: str = ALL) -> Path:
    """Train, or go on where a killed run stopped; returns the bundle's folder.

    With a fold, `predictions.json` beside the bundle holds the answers about the patients that were kept out.

    Parameters
    ----------
    work
        For data, checkpoint, curve and bundle; a fold has a folder of its own in it.
    fold
        "0" to "4" keeps a fifth of the patients out; "all" none.

    Raises
    ------
    InputError
        The config or its data set does not fit, or a fold has patients of one kind only to learn from.
    """
    check(config)
    patients = load_patients(config, work / "data")
    return train_fold(config, patients, work, device, report, fold)


def train_fold(
    config: Config, patients: Sequence[Patient], work: Path, device: str = "cpu", report=None, fold: str = ALL
) -> Path:
    """As :func:`train`, with patients that are loaded already."""
    learned, kept_out = split(patients, [patient.name for patient in patients], fold)
    if fold != ALL:
        config = {**config, "fold": fold, "name": f"{config['name']}-fold-{fold}"}
        work = work / f"fold_{fold}"
    work.mkdir(parents=True, exist_ok=True)
    weights = class_weights(learned)
    network = start(config, device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config["learning_rate"], total_steps=config["steps"], pct_start=0.15
    )

    def loss_of(images: Tensor, targets: tuple[Tensor, Tensor]) -> Tensor:
        region, ece, ece_of_true = network.taught(images, targets[0])
        case = (case_loss(ece, targets[1], weights) + case_loss(ece_of_true, targets[1], weights)) / 2
        return region_loss(region, targets[0], config["focal_gamma"]) + config["case_weight"] * case

    run(config, work, network, optimizer, schedule, Batches(config, learned).batch, loss_of, device, report)
    bundle = work / config["name"]
    save_bundle(bundle, card(config, _counts(config, len(learned))), network.eval(), half=False)
    if kept_out:
        answers = predict(network, config, kept_out, device)
        _write(work / PREDICTIONS, [asdict(each) for each in answers])
    return bundle


def start(config: Config, device: str = "cpu") -> Any:
    """The network to begin with: fresh weights, the encoder's from ``start_from`` where the config names one.

    The fresh weights are the same with and without it, so that nothing but pretraining differs.

    Raises
    ------
    InputError
        The model to start from is of another kind, or its encoder has another shape.
    """
    torch.manual_seed(config["seed"])
    network: Any = build(config["architecture"], config["arguments"])
    if "start_from" in config:
        bundle = load_bundle(Path(config["start_from"]), fold=False)
        if bundle.task != PRETRAINED:
            raise InputError(
                f"The model {bundle.name} to start from is not a pretrained encoder.",
                'Give the bundle that `ece train pretrain` made, or leave out "start_from".',
            )
        try:
            take_encoder(network, bundle.network.state_dict())
        except ValueError as error:
            raise InputError(
                f"The encoder of the model {bundle.name} has another shape than the config's.",
                'Use the same "feature_size", "depths", "heads" and "window" in both configs.',
            ) from error
    return network.to(device)


@torch.inference_mode()
def predict(network: nn.Module, config: Config, patients: Sequence[Patient], device: str = "cpu") -> list[Prediction]:
    """The network's answers in float32, patient by patient, without augmentation."""
    network.eval()
    normalize = Normalization.of({"window_hu": config["window_hu"]})
    inner = (slice(MARGIN, -MARGIN),) * 3
    answers = []
    for patient in patients:
        image = torch.from_numpy(normalize(patient.hu[inner]))[None, None]
        logits, ece = network(image.to(device))
        found = (logits[0, 0] > 0).cpu().numpy()
        answers.append(
            Prediction(patient.name, patient.has_ece, float(ece.float().sigmoid()), dice(found, patient.region[inner]))
        )
    return answers


def dice(found: Array, true: Array) -> float:
    """2 |A and B| / (|A| + |B|); 1 where both are empty."""
    total = float(found.sum() + true.astype(bool).sum())
    return 1.0 if total == 0 else float(2 * (found & true.astype(bool)).sum() / total)


def read_predictions(path: Path) -> list[Prediction]:
    """What :func:`train_fold` has written."""
    return [Prediction(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _counts(config: Config, count: int) -> dict[str, int]:
    return {"own" if "dataset" in config else "simulated": count, "pretrained": int("start_from" in config)}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
