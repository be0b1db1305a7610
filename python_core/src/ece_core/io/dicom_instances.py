"""Which DICOM instance a slice of a volume is: a file of its own, a frame of one, or none, since it was resampled.

Each slice has a header as a classic slice's. That of a frame has a SOPInstanceUID like ``1.2.3#17``, that of a
resampled slice one like ``#17``, and lists the instances that it came from as its Source Image Sequence (PS3.3
C.7.6.1.4). No DICOM object may have such a UID, so what we write names the true instances instead.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pydicom.valuerep import DSfloat

from ece_core.geometry import Volume
from ece_core.io.dicom_file import text_of

MARK = "#"
OF_A_SLICE = (
    "SOPClassUID", "SOPInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "SliceThickness", "SliceLocation", "Rows", "Columns", "SourceImageSequence", "InstanceNumber",
)  # fmt: skip


@dataclass(frozen=True)
class Instance:
    """A reference to a DICOM object, or to one of its frames (from 1)."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None = None

    def item(self) -> Dataset:
        """As an item of a sequence of references (PS3.3 10.8, with a frame 10.3)."""
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = self.sop_class_uid, self.sop_instance_uid
        if self.frame is not None:
            item.ReferencedFrameNumber = self.frame
        return item


def instance_in(reference: Dataset) -> Instance:
    """What an item of a sequence of references names."""
    frame = reference.get("ReferencedFrameNumber")
    uids = str(reference.ReferencedSOPClassUID), str(reference.ReferencedSOPInstanceUID)
    return Instance(*uids, None if frame is None else int(frame))


def uid_of_slice(sop_instance_uid: str, number: int) -> str:
    """The SOPInstanceUID in the header of a frame, or with an empty one of a resampled slice."""
    return f"{sop_instance_uid}{MARK}{number}"


def is_instance(header: Dataset) -> bool:
    """Whether the slice is a file of its own."""
    return MARK not in text_of(header, "SOPInstanceUID")


def instance_of(header: Dataset) -> Instance | None:
    """What the slice is; None if it was resampled."""
    uid, _, number = text_of(header, "SOPInstanceUID").partition(MARK)
    if not uid:
        return None
    return Instance(text_of(header, "SOPClassUID") or CTImageStorage, uid, int(number) if number else None)


def instances_of(headers: Sequence[Dataset]) -> list[Instance]:
    """The objects that a volume was read from, each once, without frames."""
    found: dict[str, Instance] = {}
    for header in headers:
        one = instance_of(header)
        if one is not None:
            found.setdefault(one.sop_instance_uid, Instance(one.sop_class_uid, one.sop_instance_uid))
    if headers and not found:  # resampled: all slices list the same
        for item in headers[0].get("SourceImageSequence") or ():
            one = instance_in(item)
            found.setdefault(one.sop_instance_uid, one)
    return list(found.values())


def frames_of_slices(headers: Sequence[Dataset]) -> list[list[int]] | None:
    """Of a multi-frame CT [number of the object in ``instances_of``, from 0; frame] per slice; else None."""
    numbers = {one.sop_instance_uid: number for number, one in enumerate(instances_of(headers))}
    found = [instance_of(header) for header in headers]
    if not found or any(one is None or one.frame is None for one in found):
        return None
    return [[numbers[one.sop_instance_uid], one.frame] for one in found if one is not None and one.frame is not None]


def slices_by_reference(headers: Sequence[Dataset]) -> dict[str, int | None]:
    """What a reference to an image may say (``1.2.3``, or ``1.2.3#17`` with a frame) -> k; None: not one slice."""
    found: dict[str, int | None] = {one.sop_instance_uid: None for one in instances_of(headers)}
    for k, header in enumerate(headers):
        if instance_of(header) is not None:
            found[text_of(header, "SOPInstanceUID")] = k
    return found


def headers_on(
    grid: Volume, common: Dataset, uids: Sequence[str], sop_class_uid: str = CTImageStorage
) -> list[Dataset]:
    """A classic slice's header per slice of a grid, in the order of k.

    Parameters
    ----------
    common
        What all slices share: patient, study, series, frame of reference.
    uids
        SOPInstanceUIDs, as many as slices.
    """
    shared = Dataset()
    left_out = {tag_for_keyword(keyword) for keyword in OF_A_SLICE}
    for tag in common.keys():  # noqa: SIM118 (a Dataset iterates elements, and so decodes what may be damaged)
        if tag not in left_out:  # pydicom would change the one element that all headers share
            shared[tag] = common.get_item(tag)
    k_mm, j_mm, i_mm = grid.spacing_mm
    shared.Rows, shared.Columns = grid.shape[1:]
    shared.PixelSpacing, shared.SliceThickness = [_ds(j_mm), _ds(i_mm)], _ds(k_mm)
    shared.ImageOrientationPatient = [_ds(value) for value in grid.direction[:, :2].T.ravel()]
    headers = []
    for k, uid in enumerate(uids):
        header = Dataset()
        header.update(shared)
        header.SOPClassUID, header.SOPInstanceUID = sop_class_uid, uid
        header.ImagePositionPatient = [_ds(value) for value in grid.to_lps((k, 0, 0))]
        headers.append(header)
    return headers


def resampled_headers(grid: Volume, common: Dataset, sources: Sequence[Instance]) -> list[Dataset]:
    """Headers of slices that are no instances: they lie between those of the series."""
    headers = headers_on(grid, common, [uid_of_slice("", k + 1) for k in range(grid.shape[0])])
    items = [source.item() for source in sources]
    for header in headers:
        header.SourceImageSequence = items
    return headers


def stand_in(header: Dataset) -> str:
    """A UID that highdicom takes for that of a classic slice; :func:`name_true_instances` removes it again."""
    name = "/".join(text_of(header, keyword) for keyword in ("SeriesInstanceUID", "SOPInstanceUID"))
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"


def name_true_instances(written: Dataset, headers: Sequence[Dataset]) -> None:
    """In a Segmentation or Parametric Map: frames instead of slices that stand in for them, and nothing where a slice
    was resampled: of such a frame it cannot be said which image it was drawn on.

    Parameters
    ----------
    written
        Made from headers whose UIDs are :func:`stand_in`; is changed.
    headers
        The slices' own.
    """
    true = {stand_in(header): instance_of(header) for header in headers if not is_instance(header)}
    if not true:
        return
    written.SourceImageSequence = [one.item() for one in instances_of(headers)]
    (series,) = written.ReferencedSeriesSequence
    series.ReferencedInstanceSequence = [one.item() for one in instances_of(headers)]
    for frame in written.PerFrameFunctionalGroupsSequence:
        for derivation in frame.DerivationImageSequence:
            for image in derivation.SourceImageSequence:
                one = true.get(str(image.ReferencedSOPInstanceUID))
                if one is not None:  # highdicom shares the item between the segments of a slice: it may be done
                    image.update(one.item())
        if None in true.values():
            frame.DerivationImageSequence = []


def _ds(value: float) -> DSfloat:
    return DSfloat(float(value) + 0.0, auto_format=True)
