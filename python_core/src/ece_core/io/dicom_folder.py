"""Find the DICOM files of a folder, and sort CT slices from everything else that lies beside them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID

from ece_core.errors import InputError
from ece_core.io.dicom_file import DicomFile, is_dicom, read_header, text_of
from ece_core.io.limits import MAX_FILES
from ece_core.io.quiet import quiet

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MULTI_FRAME_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
DICOMDIR = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class Contents:
    """What a folder holds.

    Parameters
    ----------
    slices
        CT slices, of all series.
    multi_frame
        CT objects with many frames in one file.
    set_aside
        Kind of object -> number of files, for DICOM objects that are no CT slices.
    damaged
        Number of files that start as DICOM and cannot be read.
    not_dicom
        Number of files named .dcm that are no DICOM files.
    """

    slices: tuple[DicomFile, ...]
    multi_frame: tuple[DicomFile, ...]
    set_aside: dict[str, int]
    damaged: int
    not_dicom: int

    @property
    def unread(self) -> str:
        """A sentence about the files that could not be read; empty if there are none."""
        count = self.damaged + self.not_dicom
        if count == 1:
            return "1 file was left out: it is not a DICOM file, or it is empty or damaged."
        return f"{count} files were left out: they are not DICOM files, or they are empty or damaged." if count else ""


def read_folder(folder: Path, recursive: bool = True) -> Contents:
    """Read the header of every DICOM file.

    Raises
    ------
    InputError
        The folder holds more files than a study can have.
    """
    slices, multi_frame, kinds = [], [], Counter[str]()
    damaged = not_dicom = 0
    for path in _files(folder, recursive):
        if not is_dicom(path):
            not_dicom += path.suffix.lower() == ".dcm"
            continue
        try:
            file = read_header(path)
        except InputError:
            damaged += 1
            continue
        sop_class = _sop_class(file)
        if is_multi_frame_ct(file):
            multi_frame.append(file)
        elif is_ct_slice(file):
            slices.append(file)
        elif sop_class != DICOMDIR:
            kinds[kind_of(file)] += 1
    return Contents(tuple(slices), tuple(multi_frame), dict(kinds), damaged, not_dicom)


def is_ct_slice(file: DicomFile) -> bool:
    """Whether the file is a classic CT image, and no scout view."""
    return _sop_class(file) == CT_IMAGE and file.text("Modality") in ("", "CT") and not is_localizer(file)


def is_multi_frame_ct(file: DicomFile) -> bool:
    """Whether the file is an enhanced CT image, all of its frames in one file, and no scout view."""
    return _sop_class(file) in MULTI_FRAME_CT and not is_localizer(file)


def is_localizer(file: DicomFile) -> bool:
    """Whether the scanner marked the image as a scout view."""
    return "LOCALIZER" in file.text("ImageType").upper().split("\\")


def named(kinds: dict[str, int]) -> str:
    """ "1 localizer, 3 RT Structure Set Storage"."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _files(folder: Path, recursive: bool) -> Iterable[Path]:
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(folders) if recursive else []
        for name in sorted(names):
            path = Path(parent, name)
            if not path.is_file():  # a pipe or a device would block
                continue
            count += 1
            if count > MAX_FILES:
                raise InputError(f"The folder holds more than {MAX_FILES} files.", "Choose the folder of one study.")
            yield path


def _sop_class(file: DicomFile) -> str:
    return file.text("SOPClassUID") or text_of(file.header.file_meta, "MediaStorageSOPClassUID")


def kind_of(file: DicomFile) -> str:
    """The kind of object in words, such as "localizer" or "MR Image Storage"."""
    sop_class = _sop_class(file)
    if sop_class == CT_IMAGE and is_localizer(file):
        return "localizer"
    if sop_class == CT_IMAGE:
        return "CT image with another modality"
    with quiet():
        name = UID(sop_class).name
    return "unknown object" if name == sop_class else name
