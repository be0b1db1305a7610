"""Stored pixel values of one slice, and HU from them."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLossless,
    JPEGLosslessSV1,
)

from ece_core.errors import InputError
from ece_core.geometry import Array
from ece_core.io.dicom_file import DAMAGED_FIX, DicomFile, open_dataset
from ece_core.io.limits import AIR_HU
from ece_core.io.quiet import LIBRARY_ERRORS, itk_quiet, library_call, quiet

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
# JPEG Lossless is common in CT archives, and pydicom has no decoder of its own for it (dicom.md section 8).
GDCM_DECODES = (JPEGLossless, JPEGLosslessSV1)
MAX_TISSUE_HU = 3071  # 12-bit CT ends here; a padding value above it cannot be meant for tissue


def is_native(syntax: UID) -> bool:
    """Whether the pixels lie in the file as plain numbers."""
    return syntax in NATIVE


def can_decode(syntax: UID) -> bool:
    """Whether the pixels can be read here: as they lie, by a decoder of pydicom, or by GDCM inside SimpleITK."""
    return is_native(syntax) or decoder_of(syntax) is not None


def decoder_of(syntax: UID) -> str | None:
    """What decompresses the pixels here, by the name of its package; None if nothing does."""
    plugins = _plugins(syntax)
    if plugins:
        return plugins[0]
    return "GDCM in SimpleITK" if syntax in GDCM_DECODES else None


def stored_values(file: DicomFile) -> Array:
    """Decode the pixels.

    Returns
    -------
    Array
        (J, I) int32 as stored: sign and number of bits as the header says, before rescale.

    Raises
    ------
    InputError
        The pixel data are incomplete, damaged or cannot be decoded here.
    """
    with library_call("The pixel data of a slice are incomplete or damaged.", DAMAGED_FIX):
        if is_native(file.transfer_syntax) and not _inflated_anew(file):
            return _meaningful_bits(_native(file), file)
        decode = _pydicom if _inflated_anew(file) or _pydicom_decodes(file.transfer_syntax) else _gdcm
        values = decode(file)
    if values.shape != (int(file.header.Rows), int(file.header.Columns)):
        raise InputError("The compressed pixels have another size than the header says.", DAMAGED_FIX)
    return values.astype(np.int32)


def _inflated_anew(file: DicomFile) -> bool:
    """Whether reading one frame would inflate the whole object each time."""
    return file.frames > 1 and file.transfer_syntax == DeflatedExplicitVRLittleEndian


def hounsfield(file: DicomFile) -> Array:
    """Pixels in HU; padding becomes air.

    Returns
    -------
    Array
        (J, I) int32 where slope and intercept are whole numbers, else float32. Never below -1024.

    Raises
    ------
    InputError
        The pixel data are incomplete, damaged or cannot be decoded here.
    """
    slope, intercept = float(file.header.RescaleSlope), float(file.header.RescaleIntercept)
    stored = stored_values(file)
    if whole_rescale(file):
        hu = stored if slope == 1 else stored * int(slope)
        hu = hu + int(intercept)
    else:
        hu = (stored * slope + intercept).astype(np.float32)
    padding = padding_value(file)
    if padding is not None and not AIR_HU <= padding * slope + intercept <= MAX_TISSUE_HU:
        hu[stored == padding] = AIR_HU
    return np.maximum(hu, AIR_HU, out=hu)


def whole_rescale(file: DicomFile) -> bool:
    """Whether slope and intercept are whole numbers small enough that HU of the slice are exact in int32."""
    slope, intercept = float(file.header.RescaleSlope), float(file.header.RescaleIntercept)
    return slope.is_integer() and intercept.is_integer() and abs(slope) <= 2**14 and abs(intercept) <= 2**16


def padding_value(file: DicomFile) -> int | None:
    """PixelPaddingValue as a stored value; None if absent. Its sign is often written wrong: the pixels' counts."""
    try:
        with quiet():
            value = int(file.header.PixelPaddingValue)
    except LIBRARY_ERRORS:
        return None
    bits = int(file.header.BitsAllocated)
    value %= 2**bits
    return value - 2**bits if file.header.PixelRepresentation == 1 and value >= 2 ** (bits - 1) else value


def expected_bytes(file: DicomFile) -> int:
    """Length of one uncompressed frame."""
    header = file.header
    return int(header.Rows) * int(header.Columns) * (int(header.BitsAllocated) // 8)


def _native(file: DicomFile) -> Array:
    """(J, I) unsigned integers, all allocated bits."""
    order = ">" if file.transfer_syntax == ExplicitVRBigEndian else "<"
    with open_dataset(file.path, file.transfer_syntax) as stream:
        stream.seek(file.pixel_offset or 0)
        skip_element_header(stream, file.transfer_syntax)
        stream.seek(file.frame * expected_bytes(file), 1)
        data = stream.read(expected_bytes(file))
    if len(data) < expected_bytes(file):
        raise InputError("The pixel data of a slice are incomplete or damaged.", DAMAGED_FIX)
    dtype = np.dtype(f"{order}u{int(file.header.BitsAllocated) // 8}")
    return np.frombuffer(data, dtype).reshape(int(file.header.Rows), int(file.header.Columns))


def _pydicom_decodes(syntax: UID) -> bool:
    return bool(_plugins(syntax))


def _plugins(syntax: UID) -> tuple[str, ...]:
    """pydicom's decoders for a compression that are installed."""
    try:
        with quiet():
            return tuple(get_decoder(syntax).available_plugins)
    except LIBRARY_ERRORS:
        return ()


def _pydicom(file: DicomFile) -> Array:
    if file.frames == 1:
        return pixel_array(dcmread(file.path))
    return pixel_array(_whole(file.path), index=file.frame)


@lru_cache(maxsize=1)
def _whole(path: Path) -> Dataset:
    """A multi-frame object with its compressed pixels: frames are decoded one after the other."""
    return dcmread(path)


def release() -> None:
    """Forget the multi-frame object that was decoded last; it takes memory."""
    _whole.cache_clear()


def _gdcm(file: DicomFile) -> Array:
    """Stored values by way of SimpleITK, which applies the rescale that the header asks for."""
    import SimpleITK as sitk

    if file.frames > 1:
        raise InputError("A multi-frame CT in this compression is not read here.", "Export it as a classic CT series.")
    with itk_quiet():
        image = sitk.ReadImage(str(file.path), imageIO="GDCMImageIO")
    rescaled = sitk.GetArrayFromImage(image).reshape(image.GetSize()[1::-1])
    slope, intercept = float(file.header.RescaleSlope), float(file.header.RescaleIntercept)
    return np.rint((rescaled.astype(np.float64) - intercept) / slope)


def skip_element_header(stream: BinaryIO, syntax: UID) -> int:
    """Move from an element's tag to its value, and return the length that the element declares."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    head = stream.read(8)
    if syntax == ImplicitVRLittleEndian:
        return struct.unpack(f"{order}I", head[4:])[0]
    if head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN", b"OL", b"OV"):
        return struct.unpack(f"{order}I", stream.read(4))[0]
    return struct.unpack(f"{order}H", head[6:])[0]


def _meaningful_bits(values: Array, file: DicomFile) -> Array:
    """Keep BitsStored bits below HighBit, with their sign; what lies above (old overlays) is dropped."""
    allocated, stored = int(file.header.BitsAllocated), int(file.header.BitsStored)
    signed = file.header.PixelRepresentation == 1
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    if signed:
        native = native.view(f"i{allocated // 8}")
    if stored == allocated:
        return native.astype(np.int32)
    high_bit = int(file.header.get("HighBit", stored - 1))
    left = allocated - 1 - high_bit
    return ((native << left) >> (allocated - stored)).astype(np.int32)
