"""The trained extractor gives each other patient a volume of interest, and is judged by the contours of ENE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ece_core.explain.heat_overlap import heat_overlap
from ece_core.explain.hottest_region import hottest_box, volume_of_interest
from ece_core.preprocessing.head_and_neck import inside_head_and_neck
from ece_core.training.gmgenet.batches import Start
from ece_core.training.gmgenet.patients import Patient
from ece_core.training.gmgenet.settings import Config
from ece_core.training.gmgenet.split import refuse_leakage
from ece_core.training.gmgenet.train import digest_of, read_json, write_json

SAVED_EVERY = 20  # patients


def extract(
    config: Config, extractor: nn.Module, taught: Sequence[Patient], patients: Sequence[Patient], work: Path
) -> dict[str, dict[str, Any]]:
    """Per patient: ``start`` of the volume of interest, whether the map ``guided`` it, and its ``overlap`` with ENE.

    Kept in ``work/volumes_of_interest.json``; a killed run goes on there.

    Parameters
    ----------
    taught
        The patients whom the extractor learned from.

    Raises
    ------
    InputError
        One of the patients is among those.
    """
    refuse_leakage(taught, patients, "learned the volumes of interest", "get one")
    path = work / "volumes_of_interest.json"
    weights = _digest_of_weights(extractor)
    kept = read_json(path) or {}
    found: dict[str, dict[str, Any]] = kept["patients"] if kept.get("extractor") == weights else {}
    for number, patient in enumerate(patients, 1):
        if patient.name not in found:
            found[patient.name] = _of_patient(config, extractor, patient)
        if number % SAVED_EVERY == 0 or number == len(patients):
            write_json(path, {"extractor": weights, "patients": found})
    return found


def starts_of(found: dict[str, dict[str, Any]]) -> dict[str, Start]:
    """Start (k, j, i) of each patient's volume of interest."""
    return {name: tuple(each["start"]) for name, each in found.items()}


def _of_patient(config: Config, extractor: nn.Module, patient: Patient) -> dict[str, Any]:
    volume, shape = patient.volume(), tuple(config["voi_shape"])
    voi = volume_of_interest(extractor, volume, config["gradcam_layer"], shape)
    inside = inside_head_and_neck(volume)
    center = hottest_box(inside.astype(np.float32), shape)
    overlap = heat_overlap(voi, patient.contours(), inside, center)
    return {"start": list(voi.start), "guided": voi.is_guided, "overlap": None if overlap is None else asdict(overlap)}


def _digest_of_weights(network: nn.Module) -> str:
    return digest_of({name: float(value.double().sum()) for name, value in network.state_dict().items()})
