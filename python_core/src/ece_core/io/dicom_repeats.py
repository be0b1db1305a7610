"""The same slice twice, and two slices at one position."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ece_core.errors import GeometryError, InputError
from ece_core.io.dicom_checks import check_headers
from ece_core.io.dicom_file import DAMAGED_FIX, DicomFile
from ece_core.io.dicom_grid import SAME_POSITION_MM, along_normal
from ece_core.io.dicom_pixels import stored_values
from ece_core.io.header_numbers import of_slices
from ece_core.io.quiet import LIBRARY_ERRORS, quiet

APART = {  # what may differ between two sets of slices in one series, in words
    "ConvolutionKernel": "kernel",
    "AcquisitionNumber": "acquisition",
    "KVP": "tube voltage",
    "ImageType": "image type",
    "SliceThickness": "slice thickness",
    "AcquisitionTime": "",
    "ContentTime": "",
}


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


def check_one_slice_per_position(files: Sequence[DicomFile]) -> None:
    """Refuse slices that stand in order and lie at one position.

    Raises
    ------
    GeometryError
        Several slices share a position; the text names what sets them apart.
    """
    starts = np.flatnonzero(np.diff(along_normal(files), prepend=-np.inf) > SAME_POSITION_MM)
    if len(starts) == len(files):
        return
    if len(starts) == 1:
        raise GeometryError(
            f"All {len(files)} slices lie at one position.", "Choose the series of the neck, not a perfusion or test."
        )
    groups = np.split(np.arange(len(files)), starts[1:])
    doubled = [group for group in groups if len(group) > 1]
    apart = _what_differs([files[index] for index in doubled[0]])
    raise GeometryError(
        f"{len(doubled)} of {len(groups)} positions hold more than one slice{apart}.",
        "Export only one of them as a series of its own.",
    )


def _what_differs(files: Sequence[DicomFile]) -> str:
    for keyword, word in APART.items():
        values = list(dict.fromkeys(file.text(keyword) for file in files))
        if len(values) > 1:
            if not word:
                return ": the series was acquired several times"
            shown = " and ".join(_technical(value) for value in values[:4])
            return f": the series holds several {word}s ({shown})" if shown else f": the series holds several {word}s"
    return ": two reconstructions that the headers do not tell apart"


def _technical(value: str) -> str:
    """A scanner setting as the header names it; anything longer or stranger is not repeated."""
    return value if re.fullmatch(r"[\w.,+\-/\\ ]{1,24}", value) else "unnamed"
