"""Trains one of the networks on given patients, and asks it about others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ece_core.models.registry import build
from ece_core.training.gmgenet.batches import Batches, Start, shown
from ece_core.training.gmgenet.patients import Patient
from ece_core.training.gmgenet.settings import Config, run_settings
from ece_core.training.loop import run

Report = Callable[[str, float], None] | None


def train_network(
    config: Config,
    name: str,
    work: Path,
    patients: Sequence[Patient],
    starts: Mapping[str, Start] | None = None,
    device: str = "cpu",
    report: Report = None,
) -> nn.Module:
    """The network ``name`` of the config, trained to its last step in ``work``, in evaluation mode.

    Parameters
    ----------
    starts
        Volumes of interest; without them the network sees whole volumes.

    Raises
    ------
    InputError
        ``work`` holds a training of other settings, other patients or other volumes of interest.
    """
    work.mkdir(parents=True, exist_ok=True)
    settings = {**run_settings(config, name), "patients": [patient.name for patient in patients]}
    shape = None
    if starts is not None:
        shape = tuple(config["voi_shape"])
        settings["volumes_of_interest"] = digest_of({patient.name: starts[patient.name] for patient in patients})
    torch.manual_seed(settings["seed"])
    network: Any = build(settings["architecture"], settings["arguments"]).to(device)
    # Adadelta as published. Its rate falls over the last third, so that a fold does not hang on its last few batches.
    optimizer = torch.optim.Adadelta(network.parameters(), lr=settings["learning_rate"])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _Falling(settings["steps"]))
    batches = Batches(settings, patients, starts, shape)

    def loss_of(images: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(network(images), labels)

    run(settings, work, network, optimizer, schedule, batches.batch, loss_of, device, report)
    return network.eval()


class _Falling:
    """1 for two thirds of the steps, then in a straight line towards 0."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self, step: int) -> float:
        return min(1.0, 3 * (1 - step / self.steps)) if step < self.steps else 0.0


def probabilities(
    network: nn.Module,
    patients: Sequence[Patient],
    starts: Mapping[str, Start] | None = None,
    shape: tuple[int, int, int] | None = None,
    device: str = "cpu",
) -> dict[str, float]:
    """Probability of ENE (also ECE) per patient."""
    found = {}
    network.eval()
    for patient in patients:
        x = torch.from_numpy(shown(patient, starts, shape))[None, None].to(device)
        with torch.inference_mode():
            found[patient.name] = float(network(x).softmax(1)[0, 1])
    return found


def digest_of(value: Any) -> str:
    """SHA-256 of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all: a killed run leaves no half file."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
