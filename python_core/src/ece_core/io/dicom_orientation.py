"""Slices of one series that do not look the same way: a stray localizer is dropped, a real mixture is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.errors import GeometryError
from ece_core.io.dicom_checks import check_orientation
from ece_core.io.dicom_file import DicomFile

SAME_DIRECTION = 1e-3  # largest difference of direction cosines within one series (0.06 degrees)
STRAY_SLICES = 2  # an unmarked localizer is one view, or two
STRAY_PART = 0.1


def one_orientation(files: Sequence[DicomFile]) -> tuple[list[DicomFile], list[str]]:
    """The slices of the series' one orientation, and a warning for each stray view that was dropped.

    Raises
    ------
    GeometryError
        Orientation is absent or impossible, or the series mixes orientations.
    """
    check_orientation(files)
    groups: list[list[DicomFile]] = []
    for file in files:
        axes = np.array(file.header.ImageOrientationPatient, dtype=np.float64)
        for group in groups:
            reference = np.array(group[0].header.ImageOrientationPatient, dtype=np.float64)
            if np.abs(axes - reference).max() <= SAME_DIRECTION:
                group.append(file)
                break
        else:
            groups.append([file])
    groups.sort(key=len, reverse=True)
    stray = len(files) - len(groups[0])
    if stray == 0:
        return groups[0], []
    if stray <= STRAY_SLICES and stray <= STRAY_PART * len(files):
        what = "1 image" if stray == 1 else f"{stray} images"
        return groups[0], [f"Set aside, {what} of another orientation inside the series (probably a localizer)."]
    counts = ", ".join(f"{len(group)} {plane_of(group[0])}" for group in groups[:5])
    raise GeometryError(
        f"The series mixes slices of {len(groups)} orientations: {counts}.",
        "Export the slices of one orientation as a series of their own.",
    )


def plane_of(file: DicomFile) -> str:
    """The anatomical plane nearest to the slice."""
    axes = np.array(file.header.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(np.cross(*axes))))]
