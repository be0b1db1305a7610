"""What every slice's header must say before a library may touch its pixels. One function, one question, one answer.

Facts behind the bounds: reference/dicom.md sections 4 and 8.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import BinaryIO

import numpy as np
from pydicom.uid import UID

from ece_core.errors import GeometryError, InputError
from ece_core.io.dicom_file import DAMAGED_FIX, DicomFile
from ece_core.io.dicom_pixels import can_decode, expected_bytes, is_native, open_dataset, skip_element_header
from ece_core.io.header_numbers import numbers, of_slices
from ece_core.io.limits import (
    MAX_COORDINATE_MM,
    MAX_MATRIX,
    MAX_SLICES,
    MAX_SPACING_MM,
    MAX_VOXELS,
    MIN_MATRIX,
    MIN_SPACING_MM,
)
from ece_core.io.quiet import quiet

Files = Sequence[DicomFile]

SCANNER_FIX = "Export the original axial series from the scanner or PACS again."
ORTHOGONAL_TOLERANCE = 1e-3  # cosine between rows and columns; Volume has the same bound
UNIT_TOLERANCE = 1e-2  # length of a direction; writers round to as few as three digits
DECODER_PACKAGES = {  # transfer syntax -> what adds a decoder to pydicom (dicom.md section 8)
    "1.2.840.10008.1.2.4.50": "pylibjpeg-libjpeg or pillow",
    "1.2.840.10008.1.2.4.51": "pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.57": "python-gdcm or pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.70": "python-gdcm or pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pillow or pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.91": "pillow or pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg-openjpeg",
}


def check_headers(files: Files) -> None:
    """Every check of this module, in an order in which each may rely on those before it.

    Raises
    ------
    GeometryError
        Position, orientation or pixel spacing is absent or impossible.
    InputError
        The pixels are described as something that cannot be a CT slice.
    """
    for check in CHECKS:
        check(files)


def check_number_of_slices(files: Files) -> None:
    if len(files) > MAX_SLICES:
        raise InputError(
            f"The series has {len(files)} slices; more than {MAX_SLICES} are not read.", "Choose a shorter series."
        )
    if len(files) == 1:
        raise InputError(
            "The series has a single slice, which is no volume.", "Choose the series that covers the neck."
        )


def check_single_frame(files: Files) -> None:
    multi = sum(file.text("NumberOfFrames") not in ("", "1") for file in files)
    if multi:
        raise InputError(
            f"NumberOfFrames is not 1 in {of_slices(multi, len(files))}; a CT slice holds one frame.",
            "Export the series as one file per slice.",
        )


def check_matrix(files: Files) -> None:
    rows, columns = (numbers(files, keyword, 1, InputError)[:, 0] for keyword in ("Rows", "Columns"))
    sizes = np.stack([rows, columns], axis=1)
    if ((sizes < MIN_MATRIX) | (sizes > MAX_MATRIX)).any():
        row, column = sizes[((sizes < MIN_MATRIX) | (sizes > MAX_MATRIX)).any(axis=1)][0]
        raise InputError(
            f"A slice says it has {row:.0f} rows and {column:.0f} columns; "
            f"CT slices have {MIN_MATRIX} to {MAX_MATRIX}.",
            DAMAGED_FIX,
        )
    if (sizes != sizes[0]).any():
        kinds = ", ".join(f"{int(r)} x {int(c)}" for r, c in np.unique(sizes, axis=0))
        raise InputError(
            f"The slices of the series do not have one matrix size: {kinds}.",
            "Export only the slices of one reconstruction.",
        )
    if sizes[0].prod() * len(files) > MAX_VOXELS:
        raise InputError(
            f"The series has {sizes[0].prod() * len(files):.3g} voxels; at most {MAX_VOXELS:.3g} are read.",
            "Choose a series with a smaller matrix or fewer slices.",
        )


def check_pixel_format(files: Files) -> None:
    allocated, stored = (numbers(files, keyword, 1, InputError)[:, 0] for keyword in ("BitsAllocated", "BitsStored"))
    signed = numbers(files, "PixelRepresentation", 1, InputError)[:, 0]
    high = np.array([_high_bit(file, bits - 1) for file, bits in zip(files, stored, strict=True)])
    _refuse_values(files, "BitsAllocated", allocated, np.isin(allocated, (8, 16)), "8 or 16")
    _refuse_values(files, "BitsStored", stored, (stored >= 1) & (stored <= allocated), "1 up to BitsAllocated")
    _refuse_values(files, "HighBit", high, (high >= stored - 1) & (high < allocated), "BitsStored - 1")
    _refuse_values(files, "PixelRepresentation", signed, np.isin(signed, (0, 1)), "0 or 1")


def check_grayscale(files: Files) -> None:
    color = sum(
        file.text("SamplesPerPixel") not in ("", "1")
        or not file.text("PhotometricInterpretation").startswith("MONOCHROME")
        for file in files
    )
    if color:
        raise InputError(
            f"{of_slices(color, len(files)).capitalize()} of the series are color images, not CT numbers.",
            "Choose the series of the original CT slices.",
        )


def check_rescale(files: Files) -> None:
    fix = "Export the original series; derived or re-scaled copies often lose these values."
    slope = numbers(files, "RescaleSlope", 1, InputError, fix)[:, 0]
    intercept = numbers(files, "RescaleIntercept", 1, InputError, fix)[:, 0]
    zero = int((slope == 0).sum())
    if zero:
        raise InputError(f"RescaleSlope is 0 in {of_slices(zero, len(files))}: every voxel has one value.", fix)
    absurd = int((~(np.abs(slope) <= 1e4) | ~(np.abs(slope) >= 1e-6) | ~(np.abs(intercept) <= 1e6)).sum())
    if absurd:
        raise InputError(
            f"RescaleSlope or RescaleIntercept in {of_slices(absurd, len(files))} cannot lead to Hounsfield units.", fix
        )


def check_rescale_type(files: Files) -> None:
    other = sum(file.text("RescaleType") not in ("", "HU", "US", "HU_MOD") for file in files)
    if other:
        raise InputError(
            f"RescaleType says that {of_slices(other, len(files))} hold something else than Hounsfield units.",
            "Choose the CT series itself, not a material or effective-Z map.",
        )


def check_transfer_syntax(files: Files) -> None:
    for syntax in dict.fromkeys(file.transfer_syntax for file in files):
        if not can_decode(syntax):
            package = DECODER_PACKAGES.get(syntax)
            raise InputError(
                f"The compression of the pixels cannot be read here: {_syntax_name(syntax)}.",
                f"Install {package}, or export the series uncompressed."
                if package
                else "Export the series uncompressed.",
            )


def check_pixel_bytes(files: Files) -> None:
    absent = sum(file.pixel_offset is None for file in files)
    if absent:
        raise InputError(
            f"There are no pixel data in {of_slices(absent, len(files))}; the files are probably cut off.", DAMAGED_FIX
        )
    # Frames of one file lie in one element: its first frame answers for all.
    short = [file for file in files if file.frame == 0 and not _pixels_complete(file)]
    if short:
        size = f" ({expected_bytes(short[0])} bytes expected)" if is_native(short[0].transfer_syntax) else ""
        raise InputError(f"The pixel data are incomplete in {of_slices(len(short), len(files))}{size}.", DAMAGED_FIX)


def check_orientation(files: Files) -> None:
    axes = numbers(files, "ImageOrientationPatient", 6, GeometryError, SCANNER_FIX).reshape(-1, 2, 3)
    finite = np.isfinite(axes).all(axis=(1, 2))
    lengths = np.linalg.norm(np.where(np.isfinite(axes), axes, 0), axis=2)
    unit = (np.abs(lengths - 1) <= UNIT_TOLERANCE).all(axis=1)
    bad = int((~(finite & unit)).sum())
    if bad:
        raise GeometryError(
            f"ImageOrientationPatient is not made of unit directions in {of_slices(bad, len(files))}.", SCANNER_FIX
        )
    cosine = np.abs((axes[:, 0] * axes[:, 1]).sum(axis=1))
    oblique = int((cosine > ORTHOGONAL_TOLERANCE).sum())
    if oblique:
        degrees = np.degrees(np.arccos(min(1.0, cosine.max())))
        raise GeometryError(
            f"Rows and columns are not at right angles in {of_slices(oblique, len(files))} ({degrees:.1f} degrees).",
            SCANNER_FIX,
        )


def check_position(files: Files) -> None:
    positions = numbers(files, "ImagePositionPatient", 3, GeometryError, SCANNER_FIX)
    bad = int((~(np.abs(positions) <= MAX_COORDINATE_MM)).any(axis=1).sum())
    if bad:
        raise GeometryError(
            f"ImagePositionPatient is not a finite point near the scanner in {of_slices(bad, len(files))}.", SCANNER_FIX
        )


def check_pixel_spacing(files: Files) -> None:
    spacing = numbers(files, "PixelSpacing", 2, GeometryError, SCANNER_FIX)
    ok = (spacing >= MIN_SPACING_MM) & (spacing <= MAX_SPACING_MM)
    bad = int((~ok).any(axis=1).sum())
    if bad:
        row, column = spacing[(~ok).any(axis=1)][0]
        raise GeometryError(
            f"PixelSpacing is {row:g} x {column:g} mm in {of_slices(bad, len(files))}; "
            f"it must lie between {MIN_SPACING_MM:g} and {MAX_SPACING_MM:g} mm.",
            SCANNER_FIX,
        )
    if np.abs(spacing - spacing[0]).max() > 1e-3 * spacing[0].min():
        raise GeometryError(
            f"PixelSpacing differs between slices: {spacing.min():g} to {spacing.max():g} mm.",
            "Export only the slices of one reconstruction.",
        )


CHECKS: tuple[Callable[[Files], None], ...] = (
    check_number_of_slices,
    check_single_frame,
    check_grayscale,
    check_matrix,
    check_pixel_format,
    check_rescale,
    check_rescale_type,
    check_transfer_syntax,
    check_pixel_bytes,
    check_orientation,
    check_position,
    check_pixel_spacing,
)


def _high_bit(file: DicomFile, default: float) -> float:
    text = file.text("HighBit")
    return float(text) if text.isdecimal() else default


def _refuse_values(files: Files, keyword: str, values: np.ndarray, ok: np.ndarray, allowed: str) -> None:
    if not ok.all():
        raise InputError(
            f"{keyword} is {values[~ok][0]:g} in {of_slices(int((~ok).sum()), len(files))}; it must be {allowed}.",
            DAMAGED_FIX,
        )


def _syntax_name(syntax: UID) -> str:
    """The registered name; an unregistered UID is not repeated, it may be anything."""
    with quiet():
        return syntax.name if syntax.is_valid and syntax.name != syntax else "a transfer syntax unknown to DICOM"


def _pixels_complete(file: DicomFile) -> bool:
    with open_dataset(file.path, file.transfer_syntax) as stream:
        stream.seek(file.pixel_offset or 0)
        try:
            declared = skip_element_header(stream, file.transfer_syntax)
            if is_native(file.transfer_syntax):
                needed = expected_bytes(file) * file.frames
                return declared >= needed and file.size - stream.tell() >= needed
            return _fragments_complete(stream, file.size)
        except struct.error:
            return False


def _fragments_complete(stream: BinaryIO, size: int) -> bool:
    """Whether the items of encapsulated pixel data stay inside the file and end with their delimiter."""
    while True:
        group, element, length = struct.unpack("<HHI", stream.read(8))
        if (group, element) == (0xFFFE, 0xE0DD):
            return True
        if (group, element) != (0xFFFE, 0xE000) or stream.tell() + length > size:
            return False
        stream.seek(length, 1)
