"""What the configs of both trainings must say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ece_core.errors import InputError, ModelError
from ece_core.models.swin_unetr import HALVINGS
from ece_core.training.settings import A_FLAG, RULES

Config = dict[str, Any]

COMMON = ("task", "name", "version", "seed", "data_seed", "difficulty", "jobs", "spacing_mm", "patch_size",
          "window_hu", "architecture", "arguments", "batch_size", "steps", "learning_rate", "log_every",
          "checkpoint_every")  # fmt: skip
OF_PRETRAINING = ("cases", "real_cases", "mask_ratio", "mask_edge")
OF_DUAL = ("dilation_mm", "case_weight", "focal_gamma")
ALLOWED = ("limits", "license", "bf16", "loaders", "validate_every", "tensorboard", "clip", "cases", "dataset",
           "layout", "patient_table", "start_from", "fold", "training_data")  # fmt: skip
OUR_ARCHITECTURE = {"pretrain": "MaskedAutoencoder", "classification": "DualSwinUNETR"}


def _above(low: float, high: float = float("inf")) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _window(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_above(-1e4), value)) and value[0] < value[1]


OURS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "mask_ratio": (lambda value: _above(0, 1)(value) and 0 < value < 1, "a share above 0 and below 1"),
    "mask_edge": (lambda value: _whole(value) and value > 0 and value % 2 == 0, "an even number of voxels"),
    "real_cases": (_whole, "a whole number of at least 0"),
    "cases": (_whole, "a whole number of at least 0"),
    "dilation_mm": (_above(0), "a number of at least 0"),
    "case_weight": (_above(0), "a number of at least 0"),
    "focal_gamma": (_above(0), "a number of at least 0"),
    "window_hu": (_window, "the lowest and the highest HU"),
    "bf16": A_FLAG,
}


def check(config: Config) -> None:
    """Refuses now what would fail after hours.

    Raises
    ------
    InputError
        A setting is missing, unknown or has no sensible value, or no network can be made of them.
    """
    pretraining = config["task"] == "pretrain"
    needed = (*COMMON, *(OF_PRETRAINING if pretraining else OF_DUAL))
    if not pretraining and "dataset" not in config:
        needed = (*needed, "cases")
    missing = [key for key in needed if key not in config]
    if missing:
        raise InputError(f"The config lacks {_quoted(missing)}.", "Start from a file in configs/.")
    unknown = sorted(set(config) - {*needed, *ALLOWED})
    if unknown:
        raise InputError(
            f"The config has {_quoted(unknown)}, which this training does not know.", "Check the spelling."
        )
    for key, (fits, words) in {**RULES, **OURS}.items():
        if key in config and not fits(config[key]):
            raise InputError(f'"{key}" in the config is {config[key]!r}, not {words}.', "Correct it in the config.")
    if any(edge % 2**HALVINGS for edge in config["patch_size"]):
        raise InputError(
            f'"patch_size" in the config is {config["patch_size"]}, which the network cannot halve five times.',
            f"Choose multiples of {2**HALVINGS}.",
        )
    if all(edge == 2**HALVINGS for edge in config["patch_size"]):
        raise InputError(
            f'"patch_size" in the config is {config["patch_size"]}, of which one token is left.',
            f"Make one edge at least {2 ** (HALVINGS + 1)}.",
        )
    if pretraining and any(edge % config["mask_edge"] for edge in config["patch_size"]):
        raise InputError(
            f'"patch_size" in the config is {config["patch_size"]}, no multiple of "mask_edge".',
            "Choose a mask_edge that divides every edge, such as 8.",
        )
    _check_network(config)


def _check_network(config: Config) -> None:
    from ece_core.models.registry import build

    wanted = OUR_ARCHITECTURE[config["task"]]
    try:
        if config["architecture"] != wanted:
            raise ModelError("another network", "none")
        build(config["architecture"], config["arguments"])
    except (ModelError, RuntimeError, ZeroDivisionError) as error:
        raise InputError(
            f"The config's arguments do not make a network {wanted!r}.", "Start from a file in configs/."
        ) from error


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
