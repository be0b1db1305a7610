"""A plan file, read and checked, and what a training takes from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ece_core.errors import InputError
from ece_core.training.planning.plan import SCHEMA

FIX = "Make it again with `ece train plan DATASET --out DIR`."
OF_STAGE = ("name", "spacing_mm", "patch_size", "batch_size", "architecture", "arguments")


def read_plan(path: Path) -> dict[str, Any]:
    """The plan that `ece train plan` wrote.

    Raises
    ------
    InputError
        It is missing, damaged, or of another version.
    """
    try:
        plan = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("The plan that the config names is not there.", FIX) from error
    except (OSError, ValueError) as error:
        raise InputError("The plan cannot be read as JSON.", FIX) from error
    if not isinstance(plan, dict) or plan.get("schema") != SCHEMA:
        raise InputError(f"The plan is not one of this version ({SCHEMA}).", FIX)
    stages = plan.get("stages")
    if not isinstance(stages, list) or len(stages) not in (1, 2) or not all(map(_is_stage, stages)):
        raise InputError("The plan has no stages as `ece train plan` writes them.", FIX)
    hu = plan.get("foreground_hu")
    if not isinstance(hu, dict) or {"mean", "sd", "percentile_00_5", "percentile_99_5"} - set(hu):
        raise InputError("The plan does not say which HU lymph nodes have.", FIX)
    return plan


def _is_stage(stage: Any) -> bool:
    return isinstance(stage, dict) and set(OF_STAGE) <= set(stage)


def stage_settings(plan: dict[str, Any], stage: dict[str, Any]) -> dict[str, Any]:
    """What a config would have to say to train this stage.

    nnU-Net's normalization of CT: clipped to the 0.5th and 99.5th percentile of the foreground, then less its mean,
    over its SD.
    """
    hu = plan["foreground_hu"]
    return {
        "stage": stage["name"],
        "spacing_mm": stage["spacing_mm"],
        "patch_size": stage["patch_size"],
        "tile_size": stage["patch_size"],
        "batch_size": stage["batch_size"],
        "architecture": stage["architecture"],
        "arguments": stage["arguments"],
        "recipe": "nnunet",
        "normalization": {
            "clip_hu": [hu["percentile_00_5"], hu["percentile_99_5"]],
            "subtract_hu": hu["mean"],
            "divide_hu": max(hu["sd"], 1e-8),
        },
    }
