"""`ece export RESULT --to csv,html,seg,sr --out FOLDER`: files of a result for others."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.errors import InputError, RunError
from ece_core.export.result import Result, read_result

FILES = {"csv": "lymph_nodes.csv", "html": "report.html", "seg": "seg.dcm", "sr": "sr.dcm"}


def add_parser(commands) -> None:
    parser = commands.add_parser("export", help="write a result as table, report, DICOM SEG or SR")
    parser.add_argument("result", type=Path, metavar="RESULT", help="result folder")
    parser.add_argument("--to", required=True, metavar="FORMATS", help="csv, html, seg, sr, separated by commas")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files go")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    formats = read_formats(asked.to)
    result = read_result(asked.result)
    taken = [FILES[name] for name in formats if (asked.out / FILES[name]).exists()]
    if taken:
        raise InputError(f"The output folder already holds {', '.join(taken)}.", "Choose another folder.")
    sources = {name: SOURCES[name](asked.result, result) for name in formats}  # all or nothing: before any is written
    _make(asked.out)
    for name, write in sources.items():
        file = asked.out / FILES[name]
        write(file)
        console.event({"event": "file", "format": name, "file": str(file)})
        console.say(f"{name}: {file}")


def read_formats(text: str) -> tuple[str, ...]:
    """`csv,html` as names of FILES."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or not set(names) <= set(FILES):
        raise InputError("There is no such format to export to.", f"Choose from: {', '.join(FILES)}.")
    return names


def _csv(folder: Path, result: Result) -> Callable[[Path], object]:
    from ece_core.export.lymph_nodes_csv import write_lymph_nodes_csv

    return lambda file: write_lymph_nodes_csv(file, result)


def _html(folder: Path, result: Result) -> Callable[[Path], object]:
    return _copy(folder / "report.html", "The result has no report.", "Run the analysis again.")


def _seg(folder: Path, result: Result) -> Callable[[Path], object]:
    return _copy(
        folder / "dicom" / "seg.dcm",
        "The result has no DICOM SEG: its CT was not DICOM, or no lymph node was found.",
        "Analyze the DICOM series to get one.",
    )


def _sr(folder: Path, result: Result) -> Callable[[Path], object]:
    return _copy(
        folder / "dicom" / "sr.dcm", "The result has no DICOM SR: its CT was not DICOM.",
        "Analyze the DICOM series to get one.",
    )  # fmt: skip


def _copy(source: Path, problem: str, fix: str) -> Callable[[Path], object]:
    if not source.is_file():
        raise InputError(problem, fix)
    return lambda file: shutil.copyfile(source, file)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError("The output folder cannot be made.", "Choose a folder that you may write to.") from error


SOURCES = {"csv": _csv, "html": _html, "seg": _seg, "sr": _sr}
