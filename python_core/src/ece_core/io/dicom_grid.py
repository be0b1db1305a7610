"""Slices to a regular grid: order by position along the normal, and refusal of everything that is no such grid.

Facts behind the tolerances: reference/dicom.md section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.errors import GeometryError
from ece_core.geometry import Array
from ece_core.io.dicom_file import DicomFile

STEP_TOLERANCE_MM = 0.01  # scanners round positions
STEP_TOLERANCE = 0.02  # of the slice distance
DRIFT_TOLERANCE_MM = 0.05  # sideways, over the whole series
SAME_POSITION_MM = 0.01
SPACING_FIX = "Export the original series again, with equal slice distances, or have it resampled: --correct spacing."


def normal_of(file: DicomFile) -> Array:
    """(3,) unit vector: row direction x column direction."""
    row, column = axes_of(file)
    normal = np.cross(row, column)
    return normal / np.linalg.norm(normal)


def axes_of(file: DicomFile) -> tuple[Array, Array]:
    """Unit vectors in LPS along which the column index and the row index grow."""
    axes = np.array(file.header.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    row, column = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    return row, column


def positions_of(files: Sequence[DicomFile]) -> Array:
    """(slices, 3) LPS mm of each slice's first pixel."""
    return np.array([file.header.ImagePositionPatient for file in files], dtype=np.float64)


def along_normal(files: Sequence[DicomFile]) -> Array:
    """(slices,) mm of each slice along the first slice's normal."""
    return positions_of(files) @ normal_of(files[0])


def sorted_along_normal(files: Sequence[DicomFile]) -> list[DicomFile]:
    """The slices, ascending along the normal. InstanceNumber plays no part: scanners and exports misuse it."""
    order = np.argsort(along_normal(files), kind="stable")
    return [files[index] for index in order]


def grid_affine(files: Sequence[DicomFile]) -> Array:
    """Affine (i, j, k) -> LPS of slices that stand in order and have distinct positions.

    Raises
    ------
    GeometryError
        The gantry was tilted, slices are missing, unevenly spaced or shifted sideways.
    """
    check_no_tilt(files)
    check_no_sideways_shift(files)
    check_no_missing_slice(files)
    check_even_steps(files)
    row, column = axes_of(files[0])
    row_mm, column_mm = (float(value) for value in files[0].header.PixelSpacing)
    heights = along_normal(files)
    affine = np.eye(4)
    affine[:3, 0] = row * column_mm
    affine[:3, 1] = column * row_mm
    affine[:3, 2] = normal_of(files[0]) * (heights[-1] - heights[0]) / (len(files) - 1)
    affine[:3, 3] = positions_of(files)[0]
    return affine


def check_no_tilt(files: Sequence[DicomFile]) -> None:
    """Positions on a straight line that is not the normal: the table moved through a tilted gantry."""
    drift = sideways(files)
    steps = np.arange(len(files))
    slope = drift[-1] / steps[-1]
    straight = np.abs(drift - steps[:, None] * slope).max() <= DRIFT_TOLERANCE_MM
    if straight and np.linalg.norm(drift[-1]) > DRIFT_TOLERANCE_MM:
        height = along_normal(files)
        degrees = np.degrees(np.arctan2(np.linalg.norm(drift[-1]), height[-1] - height[0]))
        raise GeometryError(
            f"The gantry was tilted by {degrees:.1f} degrees: each slice is shifted sideways against the one below, "
            "so the slices form no rectangular volume.",
            "Use a scan without gantry tilt, or have the tilt corrected (resampled): --correct tilt.",
        )


def check_no_sideways_shift(files: Sequence[DicomFile]) -> None:
    shift = np.linalg.norm(sideways(files), axis=1)
    if shift.max() > DRIFT_TOLERANCE_MM:
        raise GeometryError(
            f"Slices are shifted sideways against each other by up to {shift.max():.2f} mm.",
            "Export the slices of one acquisition only.",
        )


def check_no_missing_slice(files: Sequence[DicomFile]) -> None:
    steps = np.diff(along_normal(files))
    step = float(np.quantile(steps, 0.25, method="lower"))  # the true one even where half of few steps are gaps
    multiple = np.rint(steps / step)
    whole = np.abs(steps - multiple * step) <= multiple * step_tolerance(step)
    gaps = np.flatnonzero(multiple >= 2)
    if not len(gaps) or not whole.all() or len(gaps) > max(2, 0.2 * len(steps)):
        return
    lost = int((multiple[gaps] - 1).sum())
    before, after = positions_of(files)[gaps[0]], positions_of(files)[gaps[0] + 1]
    expected = before + (after - before) / multiple[gaps[0]]
    what = "A slice is" if lost == 1 else f"{lost} slices are"
    where = "expected at" if lost == 1 else "the first expected at"
    raise GeometryError(
        f"{what} missing: slices lie {step:.3g} mm apart, but {steps[gaps[0]]:.3g} mm between two of them; "
        f"{where} position ({', '.join(f'{x:.1f}' for x in expected)}) mm.",
        "Export the complete series again.",
    )


def check_even_steps(files: Sequence[DicomFile]) -> None:
    steps = np.diff(along_normal(files))
    step = float(np.median(steps))
    if np.abs(steps - step).max() > step_tolerance(step):
        raise GeometryError(f"Slice distances differ: from {steps.min():.3f} to {steps.max():.3f} mm.", SPACING_FIX)


def step_tolerance(step_mm: float) -> float:
    return max(STEP_TOLERANCE_MM, STEP_TOLERANCE * step_mm)


def sideways(files: Sequence[DicomFile]) -> Array:
    """(slices, 3) mm by which each slice lies beside the normal through the first."""
    normal = normal_of(files[0])
    offset = positions_of(files) - positions_of(files)[0]
    return offset - np.outer(offset @ normal, normal)
