"""`ece simulate OUT`: simulated contrast neck CT with the truth beside it."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.errors import InputError


def add_parser(commands) -> None:
    parser = commands.add_parser("simulate", help="make simulated patients with known truth")
    parser.add_argument("out", type=Path, metavar="OUT", help="cohort folder to make")
    parser.add_argument("--cases", type=int, default=1, metavar="N", help="number of patients (default: 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed gives the same patients")
    parser.add_argument("--difficulty", choices=("easy", "medium", "hard"), default="medium")
    parser.add_argument("--as", dest="as_", choices=("dicom", "nifti"), default="dicom", help="format of the CT")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="patients made at the same time")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.simulate.cohort import simulate_cohort

    if asked.jobs < 1:
        raise InputError(f"--jobs is {asked.jobs}.", "Give 1 or more.")
    progress = console.progress()
    simulate_cohort(asked.out, asked.cases, asked.seed, asked.difficulty, asked.as_, asked.jobs, progress)
    progress.end()
    console.event({"event": "result", "id": None, "folder": str(asked.out)})
    console.say(f"{asked.cases} simulated patient(s): {asked.out}")
    first_ct = asked.out / "case_0000" / ("ct" if asked.as_ == "dicom" else "ct.nii.gz")
    console.say(f"Next step: ece analyze {first_ct} RESULT")
