"""`ece analyze CT OUT`: everything, from the CT to the result folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import (
    CT_HELP,
    OUT_HELP,
    add_explain_argument,
    add_patient_model_argument,
    add_run_arguments,
    add_search_arguments,
    read_options,
)
from ece_core.cli.console import Console
from ece_core.cli.show_result import show_result


def add_parser(commands) -> None:
    parser = commands.add_parser("analyze", help="find, measure, classify and explain lymph nodes")
    parser.add_argument("ct", type=Path, metavar="CT", help=CT_HELP)
    parser.add_argument("out", type=Path, metavar="OUT", help=OUT_HELP)
    add_explain_argument(parser)
    add_patient_model_argument(parser)
    add_search_arguments(parser)
    add_run_arguments(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline import analyze

    progress = console.progress()
    result = analyze(asked.ct, asked.out, read_options(asked), progress)
    progress.end()
    show_result(console, asked.out, result)
