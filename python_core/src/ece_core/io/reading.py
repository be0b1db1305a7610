"""One door for every kind of CT input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ece_core.errors import InputError
from ece_core.io.dicom_file import is_dicom
from ece_core.io.dicom_series import read_dicom
from ece_core.io.image_files import READERS, read_image_file, suffix_of
from ece_core.io.scan import Scan


def read_ct(path: Path | str, series_uid: str | None = None, correct: Sequence[str] = ()) -> Scan:
    """Read a CT.

    Parameters
    ----------
    path
        A folder with a DICOM series (searched to any depth), one file of a series, or a NIfTI, NRRD or MetaImage file.
    series_uid
        SeriesInstanceUID, where a folder holds several CT series; "UID#2" for the second part of a series that holds
        several slices at each position (two kernels, two acquisitions).
    correct
        What of a DICOM series' geometry may be resampled instead of refused: "tilt", "spacing". The result's warnings
        say what was done; nothing is resampled that was not asked for.

    Returns
    -------
    Scan
        HU on a rectangular grid, never below -1024 (padding is air).

    Raises
    ------
    GeometryError
        The geometry is missing, contradictory, sheared or irregular.
    InputError
        There is nothing to read, more than one series, or the file is damaged or no CT.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("The file or folder does not exist.", "Check the path and try again.")
    if path.is_dir() or (suffix_of(path) not in READERS and is_dicom(path)):
        return read_dicom(path, series_uid, correct)
    if series_uid is not None:
        raise InputError("A series can be chosen in a DICOM folder only.", "Leave out --series.")
    return read_image_file(path)
