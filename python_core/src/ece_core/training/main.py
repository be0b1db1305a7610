"""One command from a config to a model bundle; killed runs go on where they stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ece_core.errors import InputError
from ece_core.training.folds import ALL, parse_fold
from ece_core.training.torchrun import is_first_process, process_count

TASKS = ("segmentation", "classification", "pretrain")


def load_config(task: str, path: Path, stage: str | None = None) -> dict[str, Any]:
    """The training settings.

    Raises
    ------
    InputError
        The file cannot be read, is for another task, has a setting that cannot be, or not the stage that is asked for.
    """
    if task not in TASKS:
        known = f"{', '.join(TASKS[:-1])} or {TASKS[-1]}"
        raise InputError(f"There is no training task named {task!r}.", f"Choose {known}.")
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("The training config cannot be read as JSON.", "Start from a file in configs/.") from error
    if not isinstance(config, dict) or config.get("task") != task:
        raise InputError(f"The config is not one for {task}.", "Start from a file in configs/.")
    if task == "segmentation":  # refused now rather than after hours of making data
        from ece_core.training.settings import stages_of

        stages_of(config, stage)
    elif _is_swin(config):
        from ece_core.training.swin.settings import check

        check(config)
    return config


def _is_swin(config: dict[str, Any]) -> bool:
    return config["task"] == "pretrain" or config.get("architecture") == "DualSwinUNETR"


def main(
    task: str,
    config_path: Path,
    work: Path | None = None,
    real_ct: Path | None = None,
    device: str = "cpu",
    report=None,
    fold: str = ALL,
    stage: str | None = None,
) -> Path:
    """Train and write the bundle; returns its folder, ``WORK/NAME`` where there are neither folds nor stages.

    Parameters
    ----------
    work
        Where data, checkpoint, curve and bundle go; by default ``runs/NAME`` in the current folder.
    real_ct
        Folder of real CT as OpenKBP arrays: background for the segmentation, what is learned from in pretraining.
    fold, stage
        Of a segmentation: which patients are kept out, and which stage of its plan to train (default: all of them). The
        dual-output SwinUNETR has folds, too.
    """
    config = load_config(task, config_path, stage)
    fold = parse_fold(fold)
    has_folds = task == "segmentation" or config.get("architecture") == "DualSwinUNETR"
    if (fold != ALL and not has_folds) or (stage is not None and task != "segmentation"):
        kind = "A classification" if task == "classification" else "Pretraining"
        raise InputError(f"{kind} has neither folds nor stages.", "Leave out --fold and --stage.")
    if _is_swin(config) and process_count() > 1:
        raise InputError(
            f"{process_count()} processes were started, and this network is trained by one.",
            "Start it without torchrun; train several folds at the same time instead (--fold).",
        )
    work = Path(work) if work is not None else Path("runs") / config["name"]
    work.mkdir(parents=True, exist_ok=True)
    if is_first_process():
        (work / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    if task == "segmentation":
        from ece_core.training.segmentation import train as train_segmentation

        return train_segmentation(config, work, device, real_ct, report, fold, stage)
    if task == "pretrain":
        from ece_core.training.swin.pretraining import train as pretrain

        return pretrain(config, work, device, real_ct, report)
    if _is_swin(config):
        from ece_core.training.swin.dual import train as train_dual

        return train_dual(config, work, device, report, fold)
    from ece_core.training.classification import train
    from ece_core.training.export import export_bundle

    checkpoint = train(config, work, device, real_ct, report)
    return export_bundle(config, checkpoint, work / config["name"], real_ct is not None)
