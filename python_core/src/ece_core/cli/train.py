"""`ece train TASK CONFIG`: train a network and make a model bundle. `ece train plan DATASET`: plan one."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console


def add_parser(commands) -> None:
    parser = commands.add_parser("train", help="train a network and make a model bundle; goes on where it stopped")
    parser.add_argument("task", metavar="TASK", help="segmentation, classification or plan")
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="training settings (see configs/); for plan: the data set's folder"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the bundle, or the plan, and all else go")
    parser.add_argument("--real-ct", type=Path, metavar="DIR", help="real CT as OpenKBP arrays, as background")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--layout", metavar="NAME", help="plan: simulated, nnunet, dicom, hecktor or nrrd")
    parser.add_argument("--memory-gb", type=float, default=8.0, metavar="GB", help="plan: of the GPU (default: 8)")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    if asked.task == "plan":
        _plan(asked, console)
    else:
        _train(asked, console)


def _plan(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.classes import CLASS_NAMES
    from ece_core.io.datasets import load_dataset
    from ece_core.training.planning import fingerprint_of, write_plan

    dataset = load_dataset(asked.config, asked.layout)
    progress = console.progress()
    fingerprint = fingerprint_of(dataset, progress)
    progress.end()
    path = (asked.out or Path("runs") / "plan") / "plan.json"
    stages = write_plan(path, dataset.title, fingerprint, CLASS_NAMES, asked.memory_gb)
    console.event({"event": "result", "id": None, "folder": str(path.parent)})
    for stage in stages:
        console.say(stage.sentence())
    for note in fingerprint.notes:
        console.say(note)
    console.say(f"Plan: {path}")


def _train(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline.networks import choose_device
    from ece_core.training import main

    progress = console.progress()
    bundle = main(asked.task, asked.config, asked.out, asked.real_ct, choose_device(asked.device), progress)
    progress.end()
    console.event({"event": "result", "id": None, "folder": str(bundle)})
    console.say(f"Model bundle: {bundle}")
    console.say(f"Next step: ece models import {bundle}")
