"""The settings of a GMGENet training: `configs/gmgenet.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ece_core.errors import InputError, ModelError
from ece_core.training.folds import FOLDS
from ece_core.training.settings import RULES, THREE_EDGES

Config = dict[str, Any]

EXTRACTOR, CLASSIFIER = "extractor", "classifier"
ONE_STEP = ("densenet", "cnn")  # comparators, on the whole volume
NETWORKS = (EXTRACTOR, CLASSIFIER, *ONE_STEP)
OF_NETWORK = ("architecture", "arguments", "steps", "batch_size", "learning_rate")
MAIN = ("task", "name", "seed", "data_seed", "difficulty", "patients", "extractor_patients", "scan_shape",
        "scan_spacing_mm", "volume_shape", "voi_shape", "gradcam_layer", "networks", "jobs", "log_every",
        "checkpoint_every")  # fmt: skip
SHAPES = ("scan_shape", "volume_shape", "voi_shape")


def load_settings(path: Path) -> Config:
    """The settings, checked before an hour is spent on patients.

    Raises
    ------
    InputError
        The file cannot be read, is for another task, or a setting is missing, unknown or cannot be.
    """
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("The GMGENet config cannot be read as JSON.", "Start from configs/gmgenet.json.") from error
    if not isinstance(config, dict) or config.get("task") != "gmgenet":
        raise InputError("The config is not one for gmgenet.", "Start from configs/gmgenet.json.")
    _check_keys(config, MAIN, "config")
    _check_values(config)
    if not isinstance(config["networks"], dict):
        raise InputError('"networks" in the config names no network.', "Start from configs/gmgenet.json.")
    _check_keys(config["networks"], NETWORKS, '"networks"')
    for network in config["networks"].values():
        _check_keys(network, OF_NETWORK, "config of a network")
        _check_values(network)
        _check_network(network)
    rest = config["patients"] - config["extractor_patients"]
    if config["extractor_patients"] < 2 or rest < 2 * FOLDS:
        raise InputError(
            f"The config leaves {config['extractor_patients']} patients to the extractor and {rest} to the rest.",
            f"Give at least 2 to the extractor and {2 * FOLDS} to the five folds.",
        )
    if any(box > edge for box, edge in zip(config["voi_shape"], config["volume_shape"], strict=True)):
        raise InputError("The volume of interest does not fit into the volume.", 'Correct "voi_shape".')
    return config


def run_settings(config: Config, network: str) -> Config:
    """What :func:`ece_core.training.loop.run` needs to train one of the networks."""
    common = {key: config[key] for key in ("seed", "log_every", "checkpoint_every")}
    # bfloat16 gradients of DenseNets are not finite on CPUs with torch 2.13; steps are drawn in this process.
    return {**common, **config["networks"][network], "bf16": False, "loaders": 0}


def _check_keys(found: Config, needed: tuple[str, ...], where: str) -> None:
    missing = [f'"{key}"' for key in needed if key not in found]
    unknown = sorted(f'"{key}"' for key in found if key not in needed)
    if missing:
        raise InputError(f"The {where} lacks {', '.join(missing)}.", "Start from configs/gmgenet.json.")
    if unknown:
        raise InputError(f"The {where} has {', '.join(unknown)}, which is not known.", "Check the spelling.")


def _check_values(config: Config) -> None:
    rules = {**RULES, **dict.fromkeys(SHAPES, THREE_EDGES), **dict.fromkeys(
        ("patients", "extractor_patients"), RULES["cases"]), "scan_spacing_mm": RULES["spacing_mm"]}  # fmt: skip
    for key, value in config.items():
        fits, words = rules.get(key, (lambda _: True, ""))
        if not fits(value):
            raise InputError(f'"{key}" in the config is {value!r}, not {words}.', "Correct it in the config.")


def _check_network(network: Config) -> None:
    import torch

    from ece_core.models.registry import build

    try:
        with torch.device("meta"):  # nothing is computed: only whether it fits together
            build(network["architecture"], network["arguments"])
    except (ModelError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"The config's arguments do not make a network {network['architecture']!r}.",
            "Take them from configs/gmgenet.json.",
        ) from error
