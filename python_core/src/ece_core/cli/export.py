"""`ece export RESULT --to csv,html,seg,sr,pm,rtstruct --out FOLDER`: files of a result for others.

Where a reader has reviewed the result (`review.json`), what was accepted is exported, as it is outlined now.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.errors import InputError, RunError
from ece_core.export.result import Result, read_result
from ece_core.geometry import Volume
from ece_core.review import ACCEPTED, NOT_REJECTED, REVIEW_FILE, ReviewedResult, open_review, reviewed_result

Writer = Callable[[Path], object]
SEG_TYPES = ("binary", "labelmap")
IGNORE = "ignore"  # --review: what the AI found, whatever a reader said of it


@dataclass(frozen=True)
class Asked:
    """A result, and how its DICOM objects are to be written. ``reviewed``: as the reader left it, else the AI's own."""

    folder: Path
    result: Result
    seg_type: str = SEG_TYPES[0]
    deflate: bool = False
    reviewed: ReviewedResult | None = None
    formats: tuple[str, ...] = ()

    @property
    def instances(self) -> Volume:
        """(K, J, I) integers on the CT grid: the outlines of the result's lymph nodes."""
        if self.reviewed is not None:
            return self.reviewed.instances
        from ece_core.export.seg_nrrd import read_seg_nrrd

        return read_seg_nrrd(self.folder / "lymph_nodes.seg.nrrd")[0]


def add_parser(commands) -> None:
    parser = commands.add_parser(
        "export", help="write a result as table, report, DICOM SEG, SR, Parametric Map or RTSTRUCT"
    )
    parser.add_argument("result", type=Path, metavar="RESULT", help="result folder")
    parser.add_argument("--to", required=True, metavar="FORMATS", help=f"{', '.join(SOURCES)}, separated by commas")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files go")
    parser.add_argument(
        "--seg-type", choices=SEG_TYPES, default=SEG_TYPES[0],
        help="binary (default) is read by every program; labelmap is smaller, and an SR does not bring it along",
    )  # fmt: skip
    parser.add_argument(
        "--deflate", action="store_true",
        help="compress SEG and Parametric Maps as whole files; not every PACS reads that",
    )  # fmt: skip
    parser.add_argument(
        "--review", choices=(ACCEPTED, NOT_REJECTED, IGNORE), default=ACCEPTED,
        help="which lymph nodes of a result that was reviewed in Slicer: those that the reader accepted (default), all "
        "that were not rejected, or the AI's own as if nobody had looked",
    )  # fmt: skip
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    formats = read_formats(asked.to)
    what = _asked(asked, formats)
    if what.reviewed is not None:
        console.say(f"Reviewed: {len(what.reviewed.rows)} of {what.reviewed.listed} lymph nodes ({asked.review}).")
    files = {name: SOURCES[name](what) for name in formats}  # all or nothing: what is not there, before any is written
    taken = [file for name in formats for file in files[name] if (asked.out / file).exists()]
    if taken:
        raise InputError(f"The output folder already holds {', '.join(taken)}.", "Choose another folder.")
    _make(asked.out)
    written: list[Path] = []
    try:
        for name in formats:
            for file, write in files[name].items():
                written.append(asked.out / file)
                write(written[-1])
    except BaseException:  # also Ctrl-C
        for path in written:
            path.unlink(missing_ok=True)
        raise
    for name in formats:
        for file in files[name]:
            console.event({"event": "file", "format": name, "file": str(asked.out / file)})
            console.say(f"{name}: {asked.out / file}")


def _asked(asked: argparse.Namespace, formats: tuple[str, ...]) -> Asked:
    """The result, with the reader's work where there is one."""
    result = read_result(asked.result)
    what = Asked(asked.result, result, asked.seg_type, asked.deflate, formats=formats)
    if asked.review == IGNORE or not (asked.result / REVIEW_FILE).is_file():
        return what
    review = open_review(asked.result).review
    if review.state.hidden:
        raise InputError("The reader has not given a first opinion yet, so the findings are hidden.",
                         f"Finish the review in Slicer, or export with --review {IGNORE}.")  # fmt: skip
    affine = what.instances.affine
    reviewed = reviewed_result(result, review.state, affine, asked.review)
    if not reviewed.rows:
        raise InputError(
            "The result was reviewed, and no lymph node of it is to be exported.",
            f"Accept those that are right in Slicer, or export with --review {NOT_REJECTED} or --review {IGNORE}.",
        )
    return replace(what, result=reviewed.result, reviewed=reviewed)


def read_formats(text: str) -> tuple[str, ...]:
    """`csv,html` as names of SOURCES."""
    names = {name.strip() for name in text.split(",") if name.strip()}
    if not names or not names <= set(SOURCES):
        raise InputError("There is no such format to export to.", f"Choose from: {', '.join(SOURCES)}.")
    return tuple(name for name in SOURCES if name in names)  # the SEG before the SR that refers to it


def _csv(asked: Asked) -> dict[str, Writer]:
    from ece_core.export.lymph_nodes_csv import write_lymph_nodes_csv

    return {"lymph_nodes.csv": lambda file: write_lymph_nodes_csv(file, asked.result)}


def _html(asked: Asked) -> dict[str, Writer]:
    if asked.reviewed is not None:
        from ece_core.export.report import write_report

        result, instances = replace(asked.result, heatmaps=()), asked.instances
        return {"report.html": lambda file: write_report(file, result, instances, {}, None)}
    source = asked.folder / "report.html"
    return {"report.html": _copy(source, "The result has no report.", "Run the analysis again.")}


def _seg(asked: Asked) -> dict[str, Writer]:
    problem = "The result has no DICOM SEG: its CT was not DICOM, or no lymph node was found."
    copy = _copy(asked.folder / "dicom" / "seg.dcm", problem, "Analyze the DICOM series to get one.")
    if asked.seg_type == SEG_TYPES[0] and not asked.deflate and asked.reviewed is None:
        return {"seg.dcm": copy}

    from ece_core.export.dicom_seg import write_dicom_seg
    from ece_core.export.dicom_source import source_headers

    headers, instances = source_headers(asked.folder, asked.result), asked.instances
    options = {"labelmap": asked.seg_type == "labelmap", "deflated": asked.deflate}
    nodes, models = asked.result.lymph_nodes, asked.result.models
    return {"seg.dcm": lambda file: write_dicom_seg(file, instances, nodes, headers, models, **options)}


def _sr(asked: Asked) -> dict[str, Writer]:
    problem = "The result has no DICOM SR: its CT was not DICOM."
    if asked.reviewed is not None:
        return {"sr.dcm": _reviewed_sr(asked)}
    return {"sr.dcm": _copy(asked.folder / "dicom" / "sr.dcm", problem, "Analyze the DICOM series to get one.")}


def _reviewed_sr(asked: Asked) -> Writer:
    from ece_core.export.dicom_source import source_headers
    from ece_core.export.dicom_sr import write_dicom_sr

    if "seg" not in asked.formats or asked.seg_type != SEG_TYPES[0]:
        raise InputError("The SR of a reviewed result refers to its SEG.", "Export both: --to seg,sr (binary).")
    headers = source_headers(asked.folder, asked.result)
    nodes, models = asked.result.lymph_nodes, asked.result.models
    return lambda file: write_dicom_sr(file, nodes, headers, models, file.with_name("seg.dcm"))


def _pm(asked: Asked) -> dict[str, Writer]:
    """One file per heatmap: `heatmap_gradcam.dcm`."""
    if not asked.result.heatmaps:
        raise InputError("The result has no heatmap.", "Make one with `ece explain CT RESULT --method gradcam`.")

    from ece_core.export.dicom_objects import file_name
    from ece_core.export.dicom_pm import write_dicom_pm
    from ece_core.export.dicom_source import source_grid, source_headers
    from ece_core.export.nrrd import read_nrrd

    headers, grid = source_headers(asked.folder, asked.result), source_grid(asked.result)

    def writer(number: int, entry: dict) -> Writer:
        made = asked.folder / entry.get("dicom", "")
        if made.is_file() and not asked.deflate:
            return lambda file: shutil.copyfile(made, file)
        return lambda file: write_dicom_pm(
            file, read_nrrd(asked.folder / entry["file"]), entry.get("title") or entry["method"], grid, headers,
            number=number, deflated=asked.deflate,
        )  # fmt: skip

    return {
        f"heatmap_{file_name(entry['method'])}.dcm": writer(number, entry)
        for number, entry in enumerate(asked.result.heatmaps)
    }


def _rtstruct(asked: Asked) -> dict[str, Writer]:
    from ece_core.export.dicom_source import source_headers
    from ece_core.export.terminology import segment_name
    from ece_core.io.rtstruct import write_rtstruct

    made = asked.folder / "dicom" / "rtstruct.dcm"
    if made.is_file() and asked.reviewed is None:
        return {"rtstruct.dcm": lambda file: shutil.copyfile(made, file)}
    headers, instances = source_headers(asked.folder, asked.result), asked.instances
    names = {node.label: segment_name(node) for node in asked.result.lymph_nodes}
    drawn = {node.label: node.source for node in asked.result.lymph_nodes}
    return {"rtstruct.dcm": lambda file: write_rtstruct(file, instances, names, headers, drawn=drawn)}


def _copy(source: Path, problem: str, fix: str) -> Writer:
    if not source.is_file():
        raise InputError(problem, fix)
    return lambda file: shutil.copyfile(source, file)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError("The output folder cannot be made.", "Choose a folder that you may write to.") from error


SOURCES: dict[str, Callable[[Asked], dict[str, Writer]]] = {
    "csv": _csv, "html": _html, "seg": _seg, "sr": _sr, "pm": _pm, "rtstruct": _rtstruct,
}  # fmt: skip
