"""`ece train TASK CONFIG`: train a network and make a model bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console


def add_parser(commands) -> None:
    parser = commands.add_parser("train", help="train a network and make a model bundle; goes on where it stopped")
    parser.add_argument("task", metavar="TASK", help="segmentation or classification")
    parser.add_argument("config", type=Path, metavar="CONFIG", help="training settings (see configs/)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where data, checkpoint, curve and bundle go")
    parser.add_argument("--real-ct", type=Path, metavar="DIR", help="real CT as OpenKBP arrays, as background")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline.networks import choose_device
    from ece_core.training import main

    progress = console.progress()
    bundle = main(asked.task, asked.config, asked.out, asked.real_ct, choose_device(asked.device), progress)
    progress.end()
    console.event({"event": "result", "id": None, "folder": str(bundle)})
    console.say(f"Model bundle: {bundle}")
    console.say(f"Next step: ece models import {bundle}")
