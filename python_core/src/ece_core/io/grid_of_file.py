"""Size and affine as an image file's own header states them, with the bounds that hold for every format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Array
from ece_core.io.limits import MAX_COORDINATE_MM, MAX_SPACING_MM, MAX_VOXELS, MIN_SPACING_MM

SHEAR_TOLERANCE = 1e-3  # cosine; the bound that Volume has
SAVE_FIX = "Save the image again from the program that made it."


@dataclass(frozen=True, eq=False)
class GridOfFile:
    """Geometry of an image file.

    Parameters
    ----------
    size_ijk
        Voxels along i, j, k.
    affine
        (4, 4) index (i, j, k) -> LPS mm, as ``Volume.affine``; not yet checked.
    warnings
        What the header leaves open.
    """

    size_ijk: tuple[int, ...]
    affine: Array
    warnings: tuple[str, ...] = ()


def checked(grid: GridOfFile) -> GridOfFile:
    """The grid itself, if its size is one that we open and its affine that of a rectangular grid.

    Raises
    ------
    GeometryError
        The affine is not finite, zero or out of bounds in a direction, or sheared.
    InputError
        The size is not positive or too large.
    """
    size = np.array(grid.size_ijk, dtype=np.float64)
    shown = " x ".join(f"{n:.0f}" for n in size)
    if (size < 1).any():
        raise InputError(f"The image says that it has {shown} voxels.", SAVE_FIX)
    if (size < 2).any():
        raise InputError(f"The image is a single slice ({shown}), which is no volume.", "Choose a 3D volume.")
    if size.prod() > MAX_VOXELS:
        raise InputError(f"The image says that it has {shown} voxels; at most {MAX_VOXELS:.3g} are read.", SAVE_FIX)
    if not np.isfinite(grid.affine).all():
        raise GeometryError("Voxel size or position is not a finite number.", SAVE_FIX)
    spacing = np.linalg.norm(grid.affine[:3, :3], axis=0)
    check_voxel_size(spacing)
    if np.abs(grid.affine[:3, 3]).max() > MAX_COORDINATE_MM:
        raise GeometryError("The image lies more than 100 m from the scanner's origin.", SAVE_FIX)
    unit = grid.affine[:3, :3] / spacing
    cosine = np.abs(unit.T @ unit - np.eye(3)).max()
    if cosine > SHEAR_TOLERANCE:
        raise GeometryError(
            f"The image axes are not at right angles (a sheared volume, {np.degrees(np.arcsin(min(1, cosine))):.1f} "
            "degrees): a gantry tilt or an affine registration does this.",
            "Resample the image to a rectangular grid first.",
        )
    return grid


def check_voxel_size(spacing_ijk_mm: Array) -> None:
    """Refuse voxel sizes that are no positive length of a scanner.

    Raises
    ------
    GeometryError
        One is not a number, or out of bounds.
    """
    if not ((spacing_ijk_mm >= MIN_SPACING_MM) & (spacing_ijk_mm <= MAX_SPACING_MM)).all():
        raise GeometryError(
            f"The voxel size is {' x '.join(f'{mm:.4g}' for mm in spacing_ijk_mm)} mm; each must lie between "
            f"{MIN_SPACING_MM:g} and {MAX_SPACING_MM:g} mm.",
            SAVE_FIX,
        )
