"""Size and affine of a NIfTI file from its own header: ITK drops what it cannot represent without a word.

Source: https://nifti.nimh.nih.gov/nifti-1 (nifti1.h, methods 2 and 3).
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Array
from ece_core.io.grid_of_file import GridOfFile, check_voxel_size, checked
from ece_core.io.quiet import library_call

HEADER_BYTES = 348
MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown (mm by custom), meter, millimeter, micrometer
SCALAR_TYPES = frozenset({2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280})
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME_ORIENTATION_MM = 0.1  # sform and qform are float32 and quaternions: they agree only about so well


def nifti_grid(path: Path) -> GridOfFile:
    """Read size and affine.

    Raises
    ------
    GeometryError
        The file says nothing about orientation, or nonsense.
    InputError
        It is no NIfTI-1 file of one 3D volume.
    """
    header = _header(path)
    order = _byte_order(header)
    dimensions = struct.unpack(f"{order}8h", header[40:56])
    datatype = struct.unpack(f"{order}h", header[70:72])[0]
    if not 1 <= dimensions[0] <= 7 or dimensions[0] < 3 or any(n > 1 for n in dimensions[4 : dimensions[0] + 1]):
        shown = " x ".join(str(n) for n in dimensions[1 : max(1, min(dimensions[0], 7)) + 1])
        raise InputError(f"The image is not a single 3D volume ({shown}).", "Choose a single 3D volume.")
    if datatype not in SCALAR_TYPES:
        raise InputError("The voxels are not plain numbers (color or complex).", "Choose the CT itself.")
    affine, warnings = _affine(header, order, dimensions[1:4])
    grid = checked(GridOfFile(size_ijk=dimensions[1:4], affine=affine, warnings=warnings))
    _check_complete(path, _bytes_needed(header, order, grid))
    return grid


def _header(path: Path) -> bytes:
    with library_call("The file is not a NIfTI file, or it is empty or damaged.", "Save the image again."):
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        raise InputError("The file is not a NIfTI file, or it is empty or damaged.", "Save the image again.")
    return header


def _byte_order(header: bytes) -> str:
    for order in "<>":
        if struct.unpack(f"{order}i", header[:4])[0] == HEADER_BYTES and header[344:347] == b"n+1":
            return order
    raise InputError("The file is not a single-file NIfTI-1 image.", "Save the image again as .nii.gz.")


def _bytes_needed(header: bytes, order: str, grid: GridOfFile) -> int:
    offset = struct.unpack(f"{order}f", header[108:112])[0]
    bits = struct.unpack(f"{order}h", header[72:74])[0]
    with library_call("The NIfTI header is damaged.", "Save the image again."):
        return int(offset) + math.prod(grid.size_ijk) * bits // 8


def _check_complete(path: Path, needed: int) -> None:
    """Count the bytes, since ITK fills up what is missing with zeros."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        available = file.seek(0, os.SEEK_END)
        if packed and available >= 18:
            file.seek(-4, os.SEEK_END)
            available = int.from_bytes(file.read(4), "little")  # what gzip says it has packed
    if packed and available != needed:  # cut off, in several parts, or with something behind the voxels
        available = _unpacked_bytes(path, needed)
    if available < needed:
        raise InputError(f"The voxels are incomplete: {available} bytes of {needed}.", "Copy the file again.")


def _unpacked_bytes(path: Path, enough: int) -> int:
    count = 0
    with contextlib.suppress(EOFError, OSError, zlib.error), gzip.open(path) as file:
        while count < enough and (block := file.read(2**20)):
            count += len(block)
    return count


def _affine(header: bytes, order: str, size: tuple[int, ...]) -> tuple[Array, tuple[str, ...]]:
    unit = MM_OF_UNIT.get(header[123] & 7)
    if unit is None:
        raise GeometryError("The unit of the voxel size is not a length.", "Save the image again in millimeters.")
    qform_code, sform_code = struct.unpack(f"{order}2h", header[252:256])
    qform = _qform(header, order) if qform_code > 0 else None
    sform = _sform(header, order) if sform_code > 0 else None
    ras = sform if sform is not None else qform
    if ras is None:
        raise GeometryError(
            "The NIfTI file holds no orientation (sform and qform codes are 0): left and right cannot be told apart.",
            "Convert the original DICOM series again, with its orientation.",
        )
    warnings: tuple[str, ...] = ()
    if sform is not None and qform is not None and not _agree(sform, qform, size):
        warnings = ("The NIfTI file holds two different orientations; its sform was used.",)
    scale = np.diag([unit, unit, unit, 1.0])
    return RAS_TO_LPS @ scale @ ras, warnings


def _sform(header: bytes, order: str) -> Array:
    return np.vstack([np.reshape(struct.unpack(f"{order}12f", header[280:328]), (3, 4)), [0, 0, 0, 1]])


def _qform(header: bytes, order: str) -> Array:
    pixdim = struct.unpack(f"{order}4f", header[76:92])
    check_voxel_size(np.array(pixdim[1:]))
    b, c, d, x, y, z = struct.unpack(f"{order}6f", header[256:280])
    squared = 1.0 - (b * b + c * c + d * d)
    a = np.sqrt(squared) if squared > 0 else 0.0
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    handedness = -1.0 if pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * (pixdim[1], pixdim[2], pixdim[3] * handedness)
    affine[:3, 3] = x, y, z
    return affine


def _agree(one: Array, other: Array, size: tuple[int, ...]) -> bool:
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in size], indexing="ij")).reshape(3, -1)
    corners = np.vstack([corners, np.ones(corners.shape[1])])
    return bool(np.abs((one - other) @ corners).max() <= SAME_ORIENTATION_MM)
