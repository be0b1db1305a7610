"""Writes a reviewed result for others: DICOM SEG and SR, table, report. All of it, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ece_core.errors import ECEError, InputError
from ece_core.export.lymph_nodes_csv import write_lymph_nodes_csv
from ece_core.export.result import Result
from ece_core.export.result_folder import new_result_folder, read_heatmaps
from ece_core.geometry import Volume
from ece_core.review.preflight import FORMATS, ExportPlan

FILES = {"seg": "seg.dcm", "sr": "sr.dcm", "csv": "lymph_nodes.csv", "html": "report.html"}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    folder
    files
        By format.
    notes
        What was left empty in the DICOM objects because the CT's headers hold it malformed; never the values.
    series_uids
        SeriesInstanceUID by format, of the DICOM objects. Ours, made for this export.
    instance_uids
        SOPInstanceUID by format.
    """

    folder: Path
    files: dict[str, Path]
    notes: tuple[str, ...]
    series_uids: dict[str, str]
    instance_uids: dict[str, str]


def export_review(
    plan: ExportPlan,
    formats: Sequence[str],
    out: Path | str,
    ct: Volume | None = None,
    result_folder: Path | str | None = None,
) -> Exported:
    """Write these formats into a new folder, which appears only when it is whole.

    Parameters
    ----------
    formats
        Names of FORMATS.
    out
        Must not exist, or be empty.
    ct
        (K, J, I) HU on the grid of the outlines, for the key images of the report; None: it has none and says so.
    result_folder
        Where the heatmaps of the report are; None or gone: it has none.

    Raises
    ------
    InputError
        A format that cannot be written (the plan says why), none at all, or a folder that is taken.
    RunError
        The disk is full.
    """
    _check(plan, formats)
    with new_result_folder(Path(out)) as folder:
        notes = tuple(note for name in FILES if name in formats
                      for note in _write(name, folder, plan, ct, result_folder))  # fmt: skip
    files = {name: Path(out) / FILES[name] for name in FILES if name in formats}
    uids = {name: _uids(files[name]) for name in ("seg", "sr") if name in files}
    return Exported(Path(out), files, notes, {name: uid[0] for name, uid in uids.items()},
                    {name: uid[1] for name, uid in uids.items()})  # fmt: skip


def _check(plan: ExportPlan, formats: Sequence[str]) -> None:
    if not formats or not set(formats) <= set(FORMATS):
        raise InputError("Nothing was chosen to be exported.", f"Choose from: {', '.join(FORMATS.values())}.")
    for name in formats:
        if reason := plan.reason_not(name):
            raise InputError(f"{FORMATS[name]} cannot be exported.", reason)
    if "sr" in formats and "seg" not in formats:
        raise InputError("A DICOM SR refers to the outlines of its SEG.", "Export the SEG with it.")


def _write(name: str, folder: Path, plan: ExportPlan, ct: Volume | None, source: Path | str | None) -> Sequence[str]:
    reviewed, file = plan.reviewed, folder / FILES[name]
    result = Result.from_json(reviewed.result.to_json())  # plain values, and nothing that the allow-list lacks
    if name == "csv":
        write_lymph_nodes_csv(file, result)
    elif name == "html":
        from ece_core.export.report import write_report

        shown, heatmaps = _with_heatmaps(result, None if reviewed.redrawn else source)
        write_report(file, shown, reviewed.instances, heatmaps, ct)
    elif name == "seg":
        from ece_core.export.dicom_seg import write_dicom_seg

        return write_dicom_seg(file, reviewed.instances, result.lymph_nodes, plan.headers, result.models)
    else:
        from ece_core.export.dicom_sr import write_dicom_sr

        write_dicom_sr(file, result.lymph_nodes, plan.headers, result.models, folder / FILES["seg"])
    return ()


def _with_heatmaps(result: Result, folder: Path | str | None) -> tuple[Result, dict[str, Volume]]:
    """The result with its heatmaps, or without any where they cannot be read."""
    if folder is not None:
        with contextlib.suppress(ECEError):
            return result, read_heatmaps(Path(folder), result)
    return replace(result, heatmaps=()), {}


def _uids(file: Path) -> tuple[str, str]:
    from pydicom import dcmread

    header = dcmread(file, specific_tags=["SeriesInstanceUID", "SOPInstanceUID"], stop_before_pixels=True)
    return str(header.SeriesInstanceUID), str(header.SOPInstanceUID)
