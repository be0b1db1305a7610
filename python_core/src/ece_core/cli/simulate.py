"""`ece simulate OUT`: simulated contrast neck CT with the truth beside it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.errors import InputError

SPACE_HELP = "a case takes about 90 MB as dicom, 50 MB as nifti (more with thin slices), and 1 to 2 GB of memory a job"


def add_parser(commands) -> None:
    parser = commands.add_parser(
        "simulate",
        help="make simulated patients with known truth",
        description=f"Make simulated patients with known truth. Space: {SPACE_HELP}.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="cohort folder to make, or to go on with")
    parser.add_argument("--cases", type=int, default=1, metavar="N", help="number of patients (default: 1)")
    parser.add_argument("--case", type=int, metavar="NUMBER", help="make only this one of the cohort, from 0")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed gives the same patients")
    parser.add_argument("--difficulty", choices=("easy", "medium", "hard"), default="medium")
    parser.add_argument(
        "--as", dest="as_", choices=("dicom", "nifti"), default="dicom",
        help="dicom: CT, RTSTRUCT and SEG; nifti: CT and label maps (default: dicom)",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="patients made at the same time (default: 1)")
    parser.add_argument(
        "--label-noise", type=float, default=0.0, metavar="SHARE",
        help="share of P and ENE that a reader confuses, written beside the truth (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--truth-only", action="store_true", help="no scans: truth and manifest alone; mean HU is then the drawn one"
    )
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline.simulated_cohort import case_numbers, cohort_settings, simulate_cohort, space_needed

    if asked.jobs < 1:
        raise InputError(f"--jobs is {asked.jobs}.", "Give 1 or more.")
    settings = cohort_settings(asked.seed, asked.difficulty, asked.as_, asked.label_noise, asked.truth_only)
    numbers = case_numbers(asked.cases, asked.case)
    if len(numbers) > 1 and not asked.truth_only:
        console.say(f"{len(numbers)} patients take about {space_needed(numbers, settings)} of space.")
    progress = console.progress()
    manifest = simulate_cohort(
        asked.out, asked.cases, asked.seed, asked.difficulty, asked.as_, asked.jobs, progress,
        case=asked.case, label_noise=asked.label_noise, truth_only=asked.truth_only,
    )  # fmt: skip
    progress.end()
    declared, warnings = manifest["declared"], manifest["warnings"]
    console.event(
        {"event": "result", "id": None, "folder": str(asked.out), "baselines": declared, "warnings": warnings}
    )
    _say(manifest, asked, console)


def _say(manifest: dict[str, Any], asked: argparse.Namespace, console: Console) -> None:
    from ece_core.simulate.baselines import Baseline

    count = manifest["lymph_nodes"]
    console.say(f"{len(manifest['cases'])} simulated patient(s): {asked.out}")
    console.say(f"Lymph nodes: {count['N']} N, {count['P']} P, {count['ENE']} ENE. Difficulty: {asked.difficulty}.")
    for figure in manifest["declared"]:
        console.say(f"  {Baseline(**{key: value for key, value in figure.items() if key != 'within'}).words()}")
    if manifest["warnings"]:
        console.say(
            "Warning: some figures lie outside their declared band. Small cohorts do so by chance; "
            "with hundreds of patients, do not use the cohort to judge a model."
        )
    if not asked.truth_only:
        first = manifest["cases"][0]["case"] if asked.case is None else f"case_{asked.case:04d}"
        first_ct = asked.out / first / ("ct" if asked.as_ == "dicom" else "ct.nii.gz")
        console.say(f"Next step: ece analyze {first_ct} RESULT")
