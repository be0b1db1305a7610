"""Slices that form no rectangular grid, resampled onto one: only when somebody asks for it, and always said.

Gantry tilt: slices are parallel, but each is shifted sideways against the one below. Each is moved back in its own
plane (linear), on a plane large enough to lose nothing. Irregular spacing: slices stand at unequal distances; new ones
are interpolated between their two neighbors (linear) at the series' usual distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Array, Volume
from ece_core.io.dicom_file import DicomFile
from ece_core.io.dicom_grid import (
    DRIFT_TOLERANCE_MM,
    along_normal,
    axes_of,
    check_even_steps,
    check_no_missing_slice,
    normal_of,
    positions_of,
    sideways,
    step_tolerance,
)
from ece_core.io.limits import AIR_HU, MAX_MATRIX, MAX_VOXELS

CORRECTIONS = ("tilt", "spacing")
MAX_GAP_MM = 10.0  # between two slices that are interpolated: lymph nodes that matter would be lost in a larger one
MAX_TILT_DEGREES = 31.0  # gantries tilt by 30 degrees at most


@dataclass(frozen=True, eq=False)
class Regrid:
    """How to bring slices in order along the normal onto a rectangular grid.

    Parameters
    ----------
    affine
        (i, j, k) -> LPS mm of the grid that results.
    shifts
        (slices, 2) rows and columns by which each slice lies beside the first; zeros without tilt.
    heights
        (slices,) mm along the normal; the first is 0.
    step_mm
        Slice distance of the result.
    """

    affine: Array
    shifts: Array
    heights: Array
    step_mm: float

    def apply(self, array: Array) -> Volume:
        """(K, J, I) HU as the slices hold them to float32 on the new grid; air where no slice was."""
        planes = self._straightened(array)
        wanted = np.arange(self._slices()) * self.step_mm
        below = np.clip(np.searchsorted(self.heights, wanted, side="right") - 1, 0, len(self.heights) - 2)
        part = (wanted - self.heights[below]) / (self.heights[below + 1] - self.heights[below])
        out = np.empty((len(wanted), *planes.shape[1:]), np.float32)
        for k, (low, weight) in enumerate(zip(below, np.clip(part, 0, 1), strict=True)):
            out[k] = planes[low] if weight == 0 else (1 - weight) * planes[low] + weight * planes[low + 1]
        return Volume(out, self.affine)

    def shape_of(self, rows: int, columns: int) -> tuple[int, int, int]:
        more = self._margins()[1]
        return self._slices(), rows + int(more[0]), columns + int(more[1])

    def _slices(self) -> int:
        return int(np.floor(self.heights[-1] / self.step_mm + 1e-6)) + 1

    def _margins(self) -> tuple[Array, Array]:
        """Whole rows and columns put before the first, and in all."""
        before = np.ceil(np.maximum(0, -self.shifts.min(axis=0)) - 1e-6)
        after = np.ceil(np.maximum(0, self.shifts.max(axis=0)) - 1e-6)
        return before, before + after

    def _straightened(self, array: Array) -> Array:
        if not self.shifts.any():
            return array
        from scipy import ndimage  # late: it would double the time that reading a CT takes to start

        before, _ = self._margins()
        planes = np.empty((len(array), *self.shape_of(*array.shape[1:])[1:]), np.float32)
        for plane, slice_, shift in zip(planes, array, self.shifts, strict=True):
            ndimage.affine_transform(
                slice_.astype(np.float32), np.ones(2), -(before + shift), output=plane, output_shape=plane.shape,
                order=1, mode="constant", cval=AIR_HU, prefilter=False,
            )  # fmt: skip
        return planes


def planned(files: Sequence[DicomFile], asked: Sequence[str]) -> tuple[Regrid, list[str]] | None:
    """What to do about slices in order along the normal; None if nothing that was asked for is needed.

    Parameters
    ----------
    asked
        Of CORRECTIONS.

    Returns
    -------
    Regrid and sentences for the result's warnings.

    Raises
    ------
    GeometryError
        The slices are shifted otherwise than by a tilt, or too far apart to interpolate.
    """
    tilt = _tilt_degrees(files) if "tilt" in asked else 0.0
    uneven = "spacing" in asked and not _even(files)
    if not tilt and not uneven:
        return None
    if not uneven:  # what is not asked for stays refused
        check_no_missing_slice(files)
        check_even_steps(files)
    heights = along_normal(files) - along_normal(files)[0]
    steps = np.diff(heights)
    step = float(np.median(steps))
    said = []
    if tilt:
        said.append(f"The gantry was tilted by {tilt:.1f} degrees: slices were moved back (resampled) on request.")
    if uneven:
        if steps.max() > MAX_GAP_MM:
            raise GeometryError(
                f"Slices lie up to {steps.max():.1f} mm apart; more than {MAX_GAP_MM:g} mm are not interpolated.",
                "Export the complete series again.",
            )
        said.append(
            f"Slice distances differ ({steps.min():.2f} to {steps.max():.2f} mm): slices at every {step:.2f} mm were "
            "interpolated (resampled) on request."
        )
    regrid = Regrid(np.eye(4), _shifts(files) if tilt else np.zeros((len(files), 2)), heights, step)
    return _placed(regrid, files), said


def check_corrections(asked: Sequence[str]) -> None:
    unknown = [name for name in asked if name not in CORRECTIONS]
    if unknown:
        raise InputError("There is no such correction of the geometry.", f"Choose from: {', '.join(CORRECTIONS)}.")


def _placed(regrid: Regrid, files: Sequence[DicomFile]) -> Regrid:
    """With its affine, which needs the margins that the shifts ask for."""
    rows, columns = int(files[0].header.Rows), int(files[0].header.Columns)
    shape = regrid.shape_of(rows, columns)
    if max(shape[1:]) > MAX_MATRIX or int(np.prod(shape, dtype=np.int64)) > MAX_VOXELS:
        raise GeometryError("The corrected series would be larger than what is read.", "Choose a shorter series.")
    row, column = axes_of(files[0])
    row_mm, column_mm = (float(value) for value in files[0].header.PixelSpacing)
    before, _ = regrid._margins()
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * column_mm, column * row_mm
    affine[:3, 2] = normal_of(files[0]) * regrid.step_mm
    affine[:3, 3] = positions_of(files)[0] - affine[:3, 1] * before[0] - affine[:3, 0] * before[1]
    return Regrid(affine, regrid.shifts, regrid.heights, regrid.step_mm)


def _tilt_degrees(files: Sequence[DicomFile]) -> float:
    """0 without tilt. Sideways positions must grow with the height, in a straight line: else it is another defect.

    Raises
    ------
    GeometryError
        The tilt is larger than a gantry's.
    """
    drift = sideways(files)
    height = along_normal(files) - along_normal(files)[0]
    straight = np.abs(drift - np.outer(height / height[-1], drift[-1])).max() <= DRIFT_TOLERANCE_MM
    if not straight or np.linalg.norm(drift[-1]) <= DRIFT_TOLERANCE_MM:
        return 0.0
    degrees = float(np.degrees(np.arctan2(np.linalg.norm(drift[-1]), height[-1])))
    if degrees > MAX_TILT_DEGREES:
        raise GeometryError(
            f"Slices are shifted as by a tilt of {degrees:.0f} degrees, which no gantry has.",
            "Export the original series again.",
        )
    return degrees


def _shifts(files: Sequence[DicomFile]) -> Array:
    row, column = axes_of(files[0])
    row_mm, column_mm = (float(value) for value in files[0].header.PixelSpacing)
    drift = sideways(files)
    return np.column_stack([drift @ column / row_mm, drift @ row / column_mm])


def _even(files: Sequence[DicomFile]) -> bool:
    steps = np.diff(along_normal(files))
    step = float(np.median(steps))
    return bool(np.abs(steps - step).max() <= step_tolerance(step))
