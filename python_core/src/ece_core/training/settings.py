"""The settings of a segmentation training: what the config says, what its plan says, and the recipe for the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ece_core.errors import InputError, ModelError
from ece_core.training.curves import need_tensorboard
from ece_core.training.labels import labels_of
from ece_core.training.model_input import tile_multiple
from ece_core.training.planning.read_plan import read_plan, stage_settings

Config = dict[str, Any]

# How the shipped weights were trained: simulated scans, an hour on two CPU cores.
SIMULATOR: Config = {
    "optimizer": "adamw_one_cycle",
    "clip": 5.0,
    "loss": {"labels": 0.5, "union": 1.0, "smooth": 1.0},
    "deep_supervision": False,
    "augmentation": "simulator",
    "foreground_share": 0.7,
    "translation": 2 / 3,
    "focus": "metastatic",
    "loaders": 1,
    "real_share": 0.0,
}
# nnU-Net v2's (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z; nnUNetTrainer of nnunetv2 2.8.1). "translation" is
# the seed paper's: lymph nodes lie anywhere in the patch, not in its middle (Cancers 2023;15:5890).
NNUNET: Config = {
    "optimizer": "sgd_polynomial",
    "learning_rate": 0.01,
    "clip": 12.0,
    "loss": {"labels": 1.0, "union": 0.0, "smooth": 1e-5},
    "deep_supervision": True,
    "augmentation": "nnunet",
    "foreground_share": 1 / 3,
    "translation": 1.0,
    "focus": "labels",
    "loaders": 4,
    "steps": 250_000,  # 1000 epochs of 250
    "log_every": 250,
    "checkpoint_every": 250,
    "validate_every": 1000,
    "seed": 1,
}
MAIN = ("task", "name", "version", "seed", "steps", "batch_size", "learning_rate", "patch_size", "spacing_mm",
        "architecture", "arguments", "tile_size", "log_every", "checkpoint_every")  # fmt: skip
OF_SIMULATOR = ("data_seed", "difficulty", "cases", "jobs")
OPTIONAL = ("labels", "limits", "license", "dataset", "plan", "layout", "bf16", "start_from", "tensorboard",
            "validate_every", "least_confidence", "real_share", "real_cases", "real_least_target_ml",
            "training_data")  # fmt: skip


def stages_of(config: Config, only: str | None = None) -> list[Config]:
    """Complete settings of each network to train, in the order of training: two for a plan of two stages.

    What the config says comes first, then its plan, then the recipe.

    Parameters
    ----------
    only
        The stage that is asked for, which must be one of them.

    Raises
    ------
    InputError
        The plan cannot be read, a setting is missing, unknown or has no sensible value, or what it asks for is not
        there.
    """
    labels_of(config)
    if "plan" not in config:
        stages = [{**SIMULATOR, **config}]
    elif not isinstance(config["plan"], str):
        raise InputError('"plan" in the config is not the name of a file.', "Give the plan.json of `ece train plan`.")
    else:
        plan = read_plan(Path(config["plan"]))
        stages = [{**NNUNET, **stage_settings(plan, stage), **config} for stage in plan["stages"]]
    for stage in stages:
        _check(stage)
    if only not in (None, *(stage.get("stage") for stage in stages)):
        known = ", ".join(stage.get("stage", "none") for stage in stages)
        raise InputError(f"There is no stage {only!r} to train.", f"The config's plan has: {known}.")
    if config.get("tensorboard"):
        need_tensorboard()
    if "dataset" in config and not Path(config["dataset"]).is_dir():
        raise InputError("The data set that the config names is not a folder.", 'Correct "dataset" in the config.')
    return stages


def _check(config: Config) -> None:
    planned = "plan" in config
    needed = MAIN + (("dataset",) if planned else OF_SIMULATOR)
    missing = [key for key in needed if key not in config]
    if missing:
        raise InputError(f"The config lacks {_quoted(missing)}.", "Add it; docs/training.md shows whole configs.")
    known = {*needed, *OPTIONAL, *SIMULATOR, *NNUNET, *PLANNED_KEYS}
    unknown = sorted(set(config) - known)
    if unknown:
        raise InputError(
            f"The config has {_quoted(unknown)}, which no training knows.", "Check the spelling in docs/training.md."
        )
    for key, (fits, words) in RULES.items():
        if key in config and not fits(config[key]):
            raise InputError(f'"{key}" in the config is {config[key]!r}, not {words}.', "Correct it in the config.")
    _check_network(config)


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


def _check_network(config: Config) -> None:
    """The network can be built, and the patch and the tile fit it."""
    import torch

    from ece_core.models.registry import build
    from ece_core.training.labels import network_arguments

    try:
        with torch.device("meta"):  # nothing is computed: only whether it fits together
            build(config["architecture"], network_arguments(config))
    except (ModelError, AssertionError, AttributeError, IndexError, RuntimeError, ZeroDivisionError) as error:
        raise InputError(
            f"The config's arguments do not make a network {config['architecture']!r}.",
            'Take "architecture" and "arguments" from a plan or from a file in configs/.',
        ) from error
    stride = tile_multiple(config["arguments"])
    for key in ("patch_size", "tile_size"):
        if any(edge % step for edge, step in zip(config[key], stride, strict=True)):
            raise InputError(
                f'"{key}" in the config is {config[key]}, which the network cannot halve as often as it has to.',
                f"Choose multiples of {stride}.",
            )


def _whole(least: int) -> tuple[Callable[[Any], bool], str]:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return fits, f"a whole number of at least {least}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _above_zero(value: Any) -> bool:
    return _number(value) and value > 0


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1


def _three(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) == 3 and all(map(fits, value))


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _one_of(*known: str) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in known, f"one of {', '.join(known)}"


def _name(value: Any) -> bool:
    return _text(value) and not value.startswith(".") and all(letter.isalnum() or letter in "-_." for letter in value)


def _loss(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"labels", "union", "smooth"} and all(map(_number, value.values()))


A_FLAG = (lambda value: isinstance(value, bool), "true or false")
THREE_EDGES = (_three(_whole(1)[0]), "three whole numbers of voxels (k, j, i)")
PLANNED_KEYS = ("normalization", "recipe", "stage")
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_name, "a name that can be a folder's: letters, digits, - _ ."),
    "version": (_text, "a text such as \"1.0\""),
    "steps": _whole(1),
    "batch_size": _whole(1),
    "seed": _whole(0),
    "data_seed": _whole(0),
    "cases": _whole(1),
    "jobs": _whole(1),
    "loaders": _whole(0),
    "log_every": _whole(1),
    "checkpoint_every": _whole(1),
    "validate_every": _whole(1),
    "learning_rate": (_above_zero, "a number above 0"),
    "clip": (_above_zero, "a number above 0"),
    "patch_size": THREE_EDGES,
    "tile_size": THREE_EDGES,
    "spacing_mm": (lambda value: _above_zero(value) or _three(_above_zero)(value), "one or three (k, j, i) mm above 0"),
    "architecture": (_text, "the name of a network"),
    "arguments": (lambda value: isinstance(value, dict), "the arguments of a network"),
    "foreground_share": (_share, "a share from 0 to 1"),
    "translation": (_share, "a share from 0 to 1"),
    "real_share": (_share, "a share from 0 to 1"),
    "loss": (_loss, 'the weights {"labels": .., "union": .., "smooth": ..}'),
    "optimizer": _one_of("adamw_one_cycle", "sgd_polynomial"),
    "augmentation": _one_of("simulator", "nnunet", "none"),
    "focus": _one_of("labels", "metastatic"),
    "deep_supervision": A_FLAG,
    "bf16": A_FLAG,
    "tensorboard": A_FLAG,
    "dataset": (_text, "the folder of a data set"),
}
