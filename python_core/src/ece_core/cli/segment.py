"""`ece segment CT OUT`: find and outline lymph nodes, nothing more."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import (
    CT_HELP,
    OUT_HELP,
    add_rtstruct_argument,
    add_run_arguments,
    add_search_arguments,
    read_options,
)
from ece_core.cli.console import Console
from ece_core.cli.show_result import show_result


def add_parser(commands) -> None:
    parser = commands.add_parser("segment", help="find, outline and measure lymph nodes, without calling ECE")
    parser.add_argument("ct", type=Path, metavar="CT", help=CT_HELP)
    parser.add_argument("out", type=Path, metavar="OUT", help=OUT_HELP)
    add_search_arguments(parser)
    add_run_arguments(parser)
    add_rtstruct_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline import segment

    progress = console.progress()
    result = segment(asked.ct, asked.out, read_options(asked), progress)
    progress.end()
    show_result(console, asked.out, result)
