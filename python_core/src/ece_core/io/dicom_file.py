"""One DICOM file: its header, and where its pixels lie, without reading them."""

from __future__ import annotations

import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_file_meta_info, read_partial, read_preamble
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ece_core.errors import InputError
from ece_core.io.limits import MAX_INFLATED_BYTES
from ece_core.io.quiet import LIBRARY_ERRORS, library_call, quiet

PIXEL_TAGS = frozenset({Tag("PixelData"), Tag("FloatPixelData"), Tag("DoubleFloatPixelData")})
DAMAGED_FIX = "Export the series again."


@dataclass(frozen=True, eq=False)
class DicomFile:
    """Header of one DICOM file.

    Parameters
    ----------
    path
        For opening the file again; never for a message.
    header
        Everything before the pixels.
    transfer_syntax
        How the pixels are encoded.
    pixel_offset
        Position of the pixel element's tag, in the file (after inflating, if the file is deflated);
        None if the file holds no pixels.
    size
        Bytes of the file (after inflating).
    frame, frames
        Which of how many frames of the file this is, from 0; of a classic slice the only one.
    """

    path: Path
    header: FileDataset
    transfer_syntax: UID
    pixel_offset: int | None
    size: int
    frame: int = 0
    frames: int = 1

    def text(self, keyword: str) -> str:
        """A header value as text, backslash between several; empty if absent or unreadable."""
        return text_of(self.header, keyword)


def text_of(dataset: Dataset, keyword: str) -> str:
    """A value as text, backslash between several; empty if absent or unreadable."""
    try:
        with quiet():
            value = dataset.get(keyword)
            if value is None or isinstance(value, str):
                return (value or "").strip()
            if hasattr(value, "__iter__"):
                return "\\".join(str(part).strip() for part in value)
            return str(value).strip()
    except LIBRARY_ERRORS:
        return ""


def is_dicom(path: Path) -> bool:
    """Whether the file has the DICOM preamble."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_header(path: Path) -> DicomFile:
    """Read everything before the pixels.

    Raises
    ------
    InputError
        The file is not DICOM, is empty or its header is damaged; or it inflates to more than any slice needs.
    """
    with library_call("A file is not a DICOM file, or it is empty or damaged.", DAMAGED_FIX):
        meta = read_file_meta_info(path)
        syntax = UID(str(meta.get("TransferSyntaxUID", "")))
        with open_dataset(path, syntax) as file:
            header = (
                _read_inflated(file, FileMetaDataset(meta)) if syntax == DeflatedExplicitVRLittleEndian else _read(file)
            )
            offset = file.tell()
            size = file.seek(0, os.SEEK_END)
        if not syntax:  # allowed by nobody, written by some: pydicom has looked at the first element instead
            syntax = ImplicitVRLittleEndian if header.original_encoding[0] else ExplicitVRLittleEndian
    return DicomFile(path, header, syntax, offset if size - offset >= 8 else None, size)


def open_dataset(path: Path, syntax: UID) -> BinaryIO:
    """The file to read from; of a deflated file the inflated dataset alone, without preamble and meta header."""
    if syntax != DeflatedExplicitVRLittleEndian:
        return path.open("rb")
    return io.BytesIO(_inflate(path))


def _read(file: BinaryIO) -> FileDataset:
    return read_partial(file, stop_when=_at_pixels)


def _read_inflated(file: BinaryIO, meta: FileMetaDataset) -> FileDataset:
    dataset = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_at_pixels)
    header = FileDataset(io.BytesIO(), dataset, file_meta=meta, is_implicit_VR=False, is_little_endian=True)
    header.set_original_encoding(False, True)
    return header


def _at_pixels(tag: int, vr: str | None, length: int) -> bool:
    return tag in PIXEL_TAGS


def _inflate(path: Path) -> bytes:
    with path.open("rb") as file:
        read_preamble(file, False)
        file.seek(_meta_length(file), os.SEEK_CUR)
        packed = file.read(MAX_INFLATED_BYTES)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(packed, MAX_INFLATED_BYTES)
    if inflater.unconsumed_tail:
        raise InputError(
            f"A deflated file grows to more than {MAX_INFLATED_BYTES // 2**20} MiB, far more than a CT slice needs.",
            "Leave it out, or export the series uncompressed.",
        )
    if not inflater.eof:  # nothing checks what was inflated: without its end it may be anything
        raise InputError("A deflated file is cut off or damaged: its compressed data do not end.", DAMAGED_FIX)
    return inflated


def _meta_length(file: BinaryIO) -> int:
    """Bytes of the file meta group, which starts where ``file`` stands; ``file`` is left there."""
    start = file.tell()
    group = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, vr, n: tag >> 16 != 2)
    del group
    length = file.tell() - start
    file.seek(start)
    return length
