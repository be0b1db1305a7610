"""Enhanced (multi-frame) CT: each frame as if it were a slice of a classic series, so that one set of checks holds.

What a classic slice says at its top level stands here in functional groups, those of the frame before those that all
frames share (DICOM PS3.3 A.38, C.7.6.16). Pixels stay where they are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset

from ece_core.errors import InputError
from ece_core.io.dicom_file import DicomFile
from ece_core.io.dicom_instances import MARK, uid_of_slice
from ece_core.io.limits import MAX_SLICES
from ece_core.io.quiet import library_call

GROUPS = {  # functional group -> what a classic slice calls its elements
    "PlanePositionSequence": {"ImagePositionPatient": "ImagePositionPatient"},
    "PlaneOrientationSequence": {"ImageOrientationPatient": "ImageOrientationPatient"},
    "PixelMeasuresSequence": {"PixelSpacing": "PixelSpacing", "SliceThickness": "SliceThickness"},
    "PixelValueTransformationSequence": {
        "RescaleSlope": "RescaleSlope", "RescaleIntercept": "RescaleIntercept", "RescaleType": "RescaleType",
    },
    "CTReconstructionSequence": {"ConvolutionKernel": "ConvolutionKernel"},
    "CTXRayDetailsSequence": {"KVP": "KVP"},
    "CTImageFrameTypeSequence": {"FrameType": "ImageType"},
    "FrameContentSequence": {"FrameAcquisitionNumber": "AcquisitionNumber"},
}  # fmt: skip
ONE_ITEM = tuple(GROUPS)[:4]  # where voxels lie and what they mean
OWN = (
    "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "NumberOfFrames", "SOPInstanceUID",
    "InstanceNumber", *(classic for names in GROUPS.values() for classic in names.values()),
)  # fmt: skip
DAMAGED_FIX = "Export the series again, or as a classic CT series with one file per slice."


def frames_of(file: DicomFile) -> list[DicomFile]:
    """One file per frame, as :func:`~ece_core.io.dicom_file.read_header` would give it of a classic slice.

    Their SOPInstanceUIDs are those of :mod:`~ece_core.io.dicom_instances`: they name no object of a PACS.

    Raises
    ------
    InputError
        There are too many frames, or they are not described one by one.
    """
    text = file.text("NumberOfFrames") or "1"
    count = int(text) if text.isdecimal() and len(text) <= 10 else 0
    if count > MAX_SLICES:
        raise InputError(
            f"The multi-frame CT has {count} frames; more than {MAX_SLICES} are not read.", "Choose a shorter series."
        )
    with library_call("The frames of the multi-frame CT are not described, or the file is damaged.", DAMAGED_FIX):
        own = file.header.get("PerFrameFunctionalGroupsSequence") or []
        shared = _only_one(file.header, "SharedFunctionalGroupsSequence") or Dataset()
        if len(own) != count or not count:
            raise InputError(
                f"The multi-frame CT describes {len(own)} frames, but says that it has {count}.", DAMAGED_FIX
            )
        common, uid = _common(file), file.text("SOPInstanceUID")
        if not uid or MARK in uid:
            raise InputError("The SOPInstanceUID of the multi-frame CT is missing, or is no UID.", DAMAGED_FIX)
        return [
            replace(file, header=_header(common, groups, shared, uid, number), frame=number, frames=count)
            for number, groups in enumerate(own)
        ]


def all_frames(files: Sequence[DicomFile]) -> Iterator[DicomFile]:
    """The frames of several multi-frame objects: a long series may be cut into several."""
    for file in files:
        yield from frames_of(file)


def _common(file: DicomFile) -> Dataset:
    """What all frames share at the top level. What each frame has of its own must not be in it: pydicom would change
    the one element that all headers share."""
    left_out = {tag_for_keyword(name) for name in OWN}
    common = Dataset()
    for tag in file.header.keys():  # noqa: SIM118 (a Dataset iterates elements)
        if tag not in left_out and not tag.is_private:
            common[tag] = file.header.get_item(tag)
    return common


def _header(common: Dataset, own: Dataset, shared: Dataset, uid: str, number: int) -> FileDataset:
    header = FileDataset(io.BytesIO(), Dataset())
    header.update(common)
    for keyword, names in GROUPS.items():
        item = _item(own, keyword) or _item(shared, keyword)
        for theirs, classic in names.items():
            if item is not None and theirs in item:
                setattr(header, classic, item[theirs].value)
    header.SOPInstanceUID = uid_of_slice(uid, number + 1)
    header.InstanceNumber = number + 1
    return header


def _item(groups: Dataset, keyword: str) -> Dataset | None:
    if keyword in ONE_ITEM:
        return _only_one(groups, keyword)
    items = list(groups.get(keyword) or ())
    return items[0] if items else None


def _only_one(dataset: Dataset, keyword: str) -> Dataset | None:
    items = list(dataset.get(keyword) or ())
    if len(items) > 1:  # nobody can tell which of them holds
        raise InputError(f"The multi-frame CT has {len(items)} items in its {keyword}, where one may be.", DAMAGED_FIX)
    return items[0] if items else None
