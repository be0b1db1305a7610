"""The same slice twice, and two slices at one position."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ece_core.errors import GeometryError, InputError
from ece_core.io.dicom_checks import check_headers
from ece_core.io.dicom_file import DAMAGED_FIX, DicomFile
from ece_core.io.dicom_folder import is_multi_frame_ct
from ece_core.io.dicom_grid import SAME_POSITION_MM, along_normal
from ece_core.io.dicom_instances import MARK
from ece_core.io.dicom_pixels import stored_values
from ece_core.io.header_numbers import of_slices
from ece_core.io.quiet import LIBRARY_ERRORS, quiet

APART = {  # what may differ between slices at one position
    "ConvolutionKernel": "kernel",
    "AcquisitionNumber": "acquisition",
    "KVP": "tube voltage",
    "ImageType": "image type",
    "SliceThickness": "slice thickness",
}
MAX_ACQUISITIONS, MIN_ACQUISITION_SLICES = 4, 8  # of a few helical runs; step-and-shoot has dozens of one slice each


def without_copies(files: Sequence[DicomFile]) -> tuple[list[DicomFile], list[str]]:
    """Each SOPInstanceUID once, and a warning if there were copies.

    Raises
    ------
    InputError
        A SOPInstanceUID is missing, or two files with one SOPInstanceUID differ in content.
    """
    first: dict[str, DicomFile] = {}
    copies = 0
    for file in files:
        uid = file.text("SOPInstanceUID")
        if not uid:
            nameless = sum(not other.text("SOPInstanceUID") for other in files)
            raise InputError(f"SOPInstanceUID is missing in {of_slices(nameless, len(files))}.", DAMAGED_FIX)
        if MARK in uid and not is_multi_frame_ct(file):  # a made-up UID, which no file may have
            raise InputError("The SOPInstanceUID of a slice is no UID.", DAMAGED_FIX)
        if uid not in first:
            first[uid] = file
        elif same_content(first[uid], file):
            copies += 1
        else:
            raise InputError(
                "Two files carry one SOPInstanceUID but differ in content: one of them was changed after the scan.",
                "Export the series again from one source.",
            )
    what = "1 exact copy of a slice was" if copies == 1 else f"{copies} exact copies of slices were"
    return list(first.values()), [f"{what} left out."] if copies else []


def same_content(one: DicomFile, other: DicomFile) -> bool:
    """Whether two files hold the same bytes, or else the same header and the same pixels."""
    if one.size == other.size and one.path.read_bytes() == other.path.read_bytes():
        return True
    try:
        with quiet():
            check_headers([one, other])
            return bool(one.header == other.header) and np.array_equal(stored_values(one), stored_values(other))
    except (InputError, *LIBRARY_ERRORS):
        return False


def one_slice_per_position(files: Sequence[DicomFile], part: int | None = None) -> list[DicomFile]:
    """The slices themselves if no two share a position; else the part of the series that was asked for.

    Parameters
    ----------
    files
        One series, in order along the normal.
    part
        1..n: which of the sets of slices that share positions (two kernels, two acquisitions).

    Raises
    ------
    GeometryError
        Several slices share a position, and no part was asked for. The text lists the parts and what sets them apart.
    """
    starts = np.flatnonzero(np.diff(along_normal(files), prepend=-np.inf) > SAME_POSITION_MM)
    if len(starts) == len(files):
        acquisitions = _acquisitions(files)
        if len(acquisitions) > 1:
            return _chosen(f"The series holds {len(acquisitions)} acquisitions side by side", acquisitions, part)
        if part is not None:
            raise InputError("The series has no parts to choose from.", "Leave out the # and what follows it.")
        return list(files)
    if len(starts) == 1:
        raise GeometryError(
            f"All {len(files)} slices lie at one position.", "Choose the series of the neck, not a perfusion or test."
        )
    groups = [[files[index] for index in group] for group in np.split(np.arange(len(files)), starts[1:])]
    doubled = [group for group in groups if len(group) > 1]
    problem = f"{len(doubled)} of {len(groups)} positions hold more than one slice"
    parts = _parts(files, doubled[0])
    if not parts:
        raise GeometryError(
            f"{problem}, which the headers do not tell apart.", "Export one of them as a series of its own."
        )
    return _chosen(problem, parts, part)


def _chosen(problem: str, parts: dict[str, list[DicomFile]], part: int | None) -> list[DicomFile]:
    if part is not None and 1 <= part <= len(parts):
        return one_slice_per_position(list(parts.values())[part - 1])
    listed = ", ".join(f"#{n} {name} ({len(found)} slices)" for n, (name, found) in enumerate(parts.items(), start=1))
    uid = next(iter(parts.values()))[0].text("SeriesInstanceUID")
    named = uid if re.fullmatch(r"[0-9.]{1,64}", uid) else "UID"  # a damaged header may hold anything there
    raise GeometryError(
        f"{problem}: {listed}.",
        f"Choose one of them by its number: --series {named}#1. In Slicer, load one of them as a volume of its own.",
    )


def _acquisitions(files: Sequence[DicomFile]) -> dict[str, list[DicomFile]]:
    """The series' acquisitions if they are a few long ones: between them the patient moves. Scanners that number
    every rotation have many short ones, which belong together."""
    found: dict[str, list[DicomFile]] = {}
    for file in files:
        found.setdefault(file.text("AcquisitionNumber"), []).append(file)
    if not 2 <= len(found) <= MAX_ACQUISITIONS or min(map(len, found.values())) < MIN_ACQUISITION_SLICES:
        return {}
    return {_named("acquisition", value, number): found[value] for number, value in enumerate(sorted(found), start=1)}


def _parts(files: Sequence[DicomFile], doubled: Sequence[DicomFile]) -> dict[str, list[DicomFile]]:
    """Name -> slices, by the first setting that differs between slices at one position; empty if none does."""
    for keyword, word in APART.items():
        if len({file.text(keyword) for file in doubled}) == len(doubled):
            parts: dict[str, list[DicomFile]] = {}
            for file in files:
                parts.setdefault(file.text(keyword), []).append(file)
            return {_named(word, value, number): parts[value] for number, value in enumerate(sorted(parts), start=1)}
    return {}


def _named(word: str, value: str, number: int) -> str:
    """A scanner's setting as the header names it; anything longer or stranger is only counted."""
    harmless = re.fullmatch(r"[\w.,+ -]{1,24}", value)
    return f"{word} {value if harmless else number}"
