"""Numbers out of many slices' headers, with one error that counts the slices in which they are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Array
from ece_core.io.dicom_file import DAMAGED_FIX, DicomFile
from ece_core.io.quiet import LIBRARY_ERRORS, quiet


def of_slices(bad: int, total: int) -> str:
    """ "all 60 slices" or "3 of 60 slices"."""
    if total == 1:
        return "the slice"
    return f"all {total} slices" if bad == total else f"{bad} of {total} slices"


def numbers(
    files: Sequence[DicomFile],
    keyword: str,
    count: int,
    error: type[InputError] = GeometryError,
    fix: str = DAMAGED_FIX,
) -> Array:
    """Read one element of every slice.

    Parameters
    ----------
    keyword
        DICOM keyword.
    count
        How many numbers the element holds.

    Returns
    -------
    Array
        (slices, count) float64; may hold NaN and infinity, as the headers may.

    Raises
    ------
    InputError
        Of the kind ``error``: in at least one slice the element is absent, holds no number or another count.
    """
    found = [_numbers(file, keyword) for file in files]
    missing = sum(value is None for value in found)
    if missing:
        raise error(f"{keyword} is missing in {of_slices(missing, len(files))}.", fix)
    wrong = sum(len(value) != count for value in found if value is not None)
    if wrong:
        what = "a number" if count == 1 else f"{count} numbers"
        raise error(f"{keyword} does not hold {what} in {of_slices(wrong, len(files))}.", fix)
    return np.array(found, dtype=np.float64)


def _numbers(file: DicomFile, keyword: str) -> list[float] | None:
    """None: absent or empty. []: not a number."""
    try:
        with quiet():
            value = file.header.get(keyword)
            if value is None or value == "":
                return None
            parts = list(value) if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else [value]
            return [float(part) for part in parts] or None
    except LIBRARY_ERRORS:
        return []
