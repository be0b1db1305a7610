"""`dicom/` of a result folder: outlines, report, heatmaps and, on request, contours, as objects of the CT's study."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ece_core.errors import ECEError
from ece_core.export.result import Result
from ece_core.geometry import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

FOLDER = "dicom"


def write_dicom_objects(
    folder: Path,
    result: Result,
    instances: Volume,
    heatmaps: Mapping[str, Volume],
    headers: Sequence[Dataset],
    *,
    rtstruct: bool = False,
) -> Result:
    """Write SEG and SR (both or none; without a lymph node the SR says so), and what lies on them.

    Parameters
    ----------
    folder
        The result folder.
    instances, heatmaps
        As :func:`~ece_core.export.result_folder.write_result` takes them.
    headers
        One per slice in the order of k.
    rtstruct
        Also write `rtstruct.dcm`.

    Returns
    -------
    Result
        Whose heatmaps name their objects, and whose warnings say what could not be written.
    """
    from ece_core.export.dicom_seg import write_dicom_seg  # highdicom takes a second to import
    from ece_core.export.dicom_sr import write_dicom_sr

    dicom = folder / FOLDER
    dicom.mkdir()
    seg = dicom / "seg.dcm" if result.lymph_nodes else None
    notes: list[str] = []
    try:
        if seg is not None:
            notes += write_dicom_seg(seg, instances, result.lymph_nodes, headers, result.models)
        write_dicom_sr(dicom / "sr.dcm", result.lymph_nodes, headers, result.models, seg)
    except ECEError as error:  # the analysis is worth more than its DICOM copy
        shutil.rmtree(dicom)
        return replace(result, warnings=(*result.warnings, str(error)))
    entries = []
    for number, entry in enumerate(result.heatmaps):
        named, of_heatmap = with_object(folder, entry, heatmaps[entry["method"]], instances, headers, number)
        entries.append(named)
        notes += of_heatmap
    if rtstruct and seg is not None:
        notes += _write_rtstruct(dicom / "rtstruct.dcm", result, instances, headers)
    return replace(result, heatmaps=tuple(entries), warnings=(*result.warnings, *dict.fromkeys(notes)))


def with_object(
    folder: Path, entry: Mapping[str, Any], heatmap: Volume, grid: Volume, headers: Sequence[Dataset], number: int
) -> tuple[dict[str, Any], list[str]]:
    """Write a heatmap's Parametric Map.

    Parameters
    ----------
    entry
        Of `heatmaps` in `result.json`.
    number
        Which of the result's heatmaps.

    Returns
    -------
    The entry, which names the file as ``dicom``; and a sentence why there is none, if so.
    """
    from ece_core.export.dicom_pm import write_dicom_pm

    file = f"{FOLDER}/heatmap_{file_name(entry['method'])}.dcm"
    unnamed = {name: value for name, value in entry.items() if name != FOLDER}
    title = entry.get("title") or entry["method"]
    try:
        write_dicom_pm(folder / file, heatmap, title, grid, headers, number=number)
    except ECEError as error:
        return unnamed, [f"There is no Parametric Map of {title}. {error.problem}"]
    return {**unnamed, FOLDER: file}, []


def file_name(method: str) -> str:
    """A method is a word of ours; a result of somebody else's may say anything."""
    return re.sub(r"[^\w-]", "_", method)[:64]


def _write_rtstruct(file: Path, result: Result, instances: Volume, headers: Sequence[Dataset]) -> Sequence[str]:
    from ece_core.export.terminology import segment_name
    from ece_core.io.rtstruct import write_rtstruct

    names = {node.label: segment_name(node) for node in result.lymph_nodes}
    drawn = {node.label: node.source for node in result.lymph_nodes}
    try:
        return write_rtstruct(file, instances, names, headers, drawn=drawn)
    except ECEError as error:
        return [f"There is no RT Structure Set. {error.problem}"]
