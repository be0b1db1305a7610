"""`ece train TASK CONFIG`: train a network and make a model bundle. `ece train plan DATASET`: plan one. `ece train
ensemble DIR`: the bundles of its folds as one."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console


def add_parser(commands) -> None:
    parser = commands.add_parser("train", help="train a network and make a model bundle; goes on where it stopped")
    parser.add_argument("task", metavar="TASK", help="segmentation, classification, pretrain, plan or ensemble")
    parser.add_argument(
        "config", type=Path, metavar="CONFIG",
        help="training settings (see configs/); for plan: the data set's folder; for ensemble: the training's (--out)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the bundle, or the plan, and all else go")
    parser.add_argument("--real-ct", type=Path, metavar="DIR", help="real CT as OpenKBP arrays, as background")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--fold", default="all", metavar="F", help="0 to 4: without a fifth of the patients")
    parser.add_argument("--stage", metavar="NAME", help="of a plan with two: low_resolution or full_resolution")
    parser.add_argument("--layout", metavar="NAME", help="plan: simulated, nnunet, dicom, hecktor or nrrd")
    parser.add_argument("--memory-gb", type=float, default=8.0, metavar="GB", help="plan: of the GPU (default: 8)")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    tasks = {"plan": _plan, "ensemble": _ensemble}
    tasks.get(asked.task, _train)(asked, console)


def _plan(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.classes import LABEL_SETTINGS
    from ece_core.io.datasets import load_dataset
    from ece_core.training.planning import fingerprint_of, write_plan
    from ece_core.training.planning.first_config import write_first_config

    dataset = load_dataset(asked.config, asked.layout)
    progress = console.progress()
    fingerprint = fingerprint_of(dataset, progress)
    progress.end()
    path = (asked.out or Path("runs") / "plan") / "plan.json"
    labels = fingerprint.label_setting
    stages = write_plan(path, dataset.title, fingerprint, LABEL_SETTINGS[labels], asked.memory_gb)
    config = path.with_name("segmentation.json")
    is_new = write_first_config(config, asked.config, asked.layout, path, labels)
    console.event({"event": "result", "id": None, "folder": str(path.parent)})
    for stage in stages:
        console.say(stage.sentence())
    for note in fingerprint.notes:
        console.say(note)
    console.say(f"Plan: {path}")
    console.say(f"Config{'' if is_new else ' (kept as it was)'}: {config}")
    console.say(f"Next step: ece train segmentation {config}")


def _train(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline.networks import choose_device
    from ece_core.training import main
    from ece_core.training.torchrun import is_first_process

    progress = console.progress()
    bundle = main(asked.task, asked.config, asked.out, asked.real_ct, choose_device(asked.device), progress,
                  asked.fold, asked.stage)  # fmt: skip
    progress.end()
    if is_first_process():
        _say_bundle(bundle, console)


def _ensemble(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.training.ensemble import ensemble_of_folds

    _say_bundle(ensemble_of_folds(asked.config, asked.out), console)


def _say_bundle(bundle: Path, console: Console) -> None:
    console.event({"event": "result", "id": None, "folder": str(bundle)})
    console.say(f"Model bundle: {bundle}")
    console.say(f"Next step: ece models import {bundle}")
