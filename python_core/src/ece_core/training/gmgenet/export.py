"""The study's networks as a model bundle: the extractor and the mean of the five classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ece_core.models.bundle import save_bundle
from ece_core.models.gmgenet import gmgenet_arguments
from ece_core.models.registry import build
from ece_core.training.export import INTENDED_USE
from ece_core.training.folds import FOLDS
from ece_core.training.gmgenet.settings import CLASSIFIER, EXTRACTOR, Config

TASK = "patient_ece"
LIMITS = (
    "Trained and judged on simulated patients only: nothing is known about real ones.",
    "The figures are those of one classifier per fold on patients whom it had not seen; the five of this bundle, asked "
    "together, have seen all of them but the extractor's, and were not measured.",
    "A scan must show the nose and the shoulders.",
)


def export_study(config: Config, work: Path, metrics: dict[str, Any]) -> Path:
    """Write ``work/NAME/model.json`` and its weights, of a study that is finished.

    Parameters
    ----------
    metrics
        For the card: the cross-validated figures.
    """
    networks = config["networks"]
    arguments = gmgenet_arguments(networks[EXTRACTOR], networks[CLASSIFIER], FOLDS)
    network: Any = build("GMGENet", arguments)
    network.extractor.load_state_dict(_weights(work / EXTRACTOR))
    for number, member in enumerate(network.classifier.members):
        member.load_state_dict(_weights(work / CLASSIFIER / f"fold_{number}"))
    out = work / config["name"]
    save_bundle(out, _card(config, arguments, metrics), network.eval())
    return out


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)["network"]


def _card(config: Config, arguments: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": config["name"],
        "version": "1.0",
        "task": TASK,
        "architecture": "GMGENet",
        "arguments": arguments,
        "input": {key: config[key] for key in ("volume_shape", "voi_shape")},
        "gradcam_layer": config["gradcam_layer"],
        "labels": ["no ENE", "ENE"],
        "target": "pENE",
        "training_data": (
            f"{config['patients']} simulated patients (no real scan, no pathology; difficulty {config['difficulty']}, "
            f"seed {config['data_seed']}), {config['extractor_patients']} of them for the extractor alone."
        ),
        "training": {key: config[key] for key in ("seed", "data_seed", "patients", "extractor_patients", "difficulty")},
        "metrics": metrics,
        "limits": list(LIMITS),
        "license": "Apache-2.0",
        "intended_use": INTENDED_USE,
    }
