"""`ece classify CT MASK OUT`: measure and classify lymph nodes that someone outlined."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import (
    CT_HELP,
    OUT_HELP,
    add_patient_model_argument,
    add_rtstruct_argument,
    add_run_arguments,
    read_options,
)
from ece_core.cli.console import Console
from ece_core.cli.show_result import show_result


def add_parser(commands) -> None:
    parser = commands.add_parser("classify", help="measure and classify lymph nodes of a mask")
    parser.add_argument("ct", type=Path, metavar="CT", help=CT_HELP)
    parser.add_argument(
        "mask",
        type=Path,
        metavar="MASK",
        help="lymph nodes on the CT's grid: labelmap (NIfTI, NRRD, MHA; one label a lymph node), RTSTRUCT or DICOM SEG",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help=OUT_HELP)
    parser.add_argument(
        "--roi",
        action="append",
        default=[],
        metavar="NAME",
        help="ROI or segment to use, may be repeated (default: those named like lymph nodes, such as GTVn)",
    )
    add_patient_model_argument(parser)
    add_run_arguments(parser)
    add_rtstruct_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline import classify

    progress = console.progress()
    result = classify(asked.ct, asked.mask, asked.out, read_options(asked), progress, asked.roi)
    progress.end()
    show_result(console, asked.out, result)
