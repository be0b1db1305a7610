"""The settings of the two parotid experiments: `configs/parotid_synthetic.json`, `configs/parotid_real.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ece_core.errors import InputError

COMMON = (
    "task", "seed", "edge", "filters", "learning_rate", "last_learning_rate", "augment", "log_every",
    "checkpoint_every", "epochs", "pattern_images", "mapped_voxels", "cam_layer",
)  # fmt: skip
OF_TASK = {
    "parotid-synthetic": ("variations", "cases", "noise", "mapped_cases"),
    "parotid-real": ("spacing_mm", "window_hu", "jitter_mm", "curate_after", "curate_share", "mapped_cases"),
}
LEAST_MULTIPLE = 8  # the network halves three times


def load_settings(path: Path, task: str) -> dict[str, Any]:
    """The settings, checked before an hour is spent.

    Raises
    ------
    InputError
        The file cannot be read, is for another task, or a setting is missing, unknown or impossible.
    """
    fix = f"Start from configs/{task.replace('-', '_')}.json."
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("The config cannot be read as JSON.", fix) from error
    if not isinstance(config, dict) or config.get("task") != task:
        raise InputError(f"The config is not one for {task}.", fix)
    needed = {*COMMON, *OF_TASK[task]}
    if needed != set(config):
        missing, unknown = sorted(needed - set(config)), sorted(set(config) - needed)
        words = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(unknown)}"] * bool(unknown)
        raise InputError(f"The config {' and '.join(words)}.", fix)
    if not isinstance(config["edge"], int) or config["edge"] < 16 or config["edge"] % LEAST_MULTIPLE:
        raise InputError(f'"edge" in the config is {config["edge"]!r}, not a multiple of 8 from 16 on.', fix)
    return config
