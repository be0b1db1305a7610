"""Write lymph nodes as a DICOM RT Structure Set: one ROI per lymph node, contours half way between voxel centers.

The contour around a mask is drawn at level 0.5, between the voxels inside and those outside. Read back by even-odd at
voxel centers, by us or by others, it gives every voxel back (reference/dicom.md section 5.4). Its corners are cut: the
polygon's own area is smaller than the voxels' (half of it for a single voxel), so volumes are taken from voxels.
"""

from __future__ import annotations

import hashlib
import io
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, RTStructureSetStorage

from ece_core import RESEARCH_USE_ONLY, __version__
from ece_core.errors import EmptyMaskError, GeometryError, InputError
from ece_core.geometry import Array, Volume
from ece_core.io.ct_series_writer import IMPLEMENTATION_UID
from ece_core.io.dicom_file import text_of
from ece_core.io.dicom_instances import instance_of, instances_of
from ece_core.io.quiet import LIBRARY_ERRORS
from ece_core.io.rtstruct_names import ONE_LYMPH_NODE
from ece_core.io.strict_dicom import strict_dicom

# Patient and study of the CT: what an object of the same study must repeat (PS3.3 C.7.1.1, C.7.2.1), and no more.
COPIED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
NEEDED = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
SERIES_NUMBER = 9100  # plus the CT's, so that it sorts behind the scanner's own series and our SEG
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management: retired, and still what PS3.3 C.8.8.5 asks for
POSITION_TOLERANCE_MM = 0.1  # a DICOM decimal string is rounded; a wrong slice is off by its thickness
COLORS = ((68, 172, 100), (220, 130, 40), (90, 130, 230), (200, 80, 160), (190, 180, 50), (70, 180, 190))
MAX_NAME_LENGTH = 64  # value representation LO, PS3.5 6.2
SERIES_FIX = "Use the headers of the CT series that the lymph nodes were found on."


def write_rtstruct(
    path: Path | str,
    instances: Volume,
    names: Mapping[int, str],
    headers: Sequence[Dataset],
    *,
    created: datetime | None = None,
    drawn: Mapping[int, str] | None = None,
) -> tuple[str, ...]:
    """Write one ROI per lymph node, referring to the CT series.

    Parameters
    ----------
    path
        The file to write.
    instances
        (K, J, I) integers on the CT's grid, one label per lymph node.
    names
        Label -> ROI name, at most 64 characters; exactly the labels of ``instances``. ROI numbers are the labels.
    headers
        The CT's, one per slice in the order of k, as ``Scan.headers``.
    created
        Date and time to write; None for now. All UIDs derive from the content: with a date given, the same input
        writes the same bytes.
    drawn
        Label -> "AUTOMATIC", "SEMIAUTOMATIC" or "MANUAL": how it was outlined. What is not in it is automatic.

    Returns
    -------
    tuple of str
        Which malformed elements of the CT were left empty. Never their values.

    Raises
    ------
    EmptyMaskError
        There is no lymph node, or a name has no voxel.
    GeometryError
        The headers are not those of this grid.
    InputError
        A name is none that DICOM allows, the headers lack what a structure set needs, or the file cannot be written.
    ValueError
        A label has no name.
    """
    _check_names(instances, names)
    _check_headers(instances, headers)
    with strict_dicom():
        try:
            dataset, blanked = build_rtstruct(instances, names, headers, created or datetime.now(), drawn or {})
            dataset.save_as(os.fspath(path), enforce_file_format=True)
        except LIBRARY_ERRORS as error:
            raise InputError(
                "The RT Structure Set could not be written.", "Check the folder and the free space."
            ) from error  # the library's words quote values: they stay in the cause
    if not blanked:
        return ()
    return (f"Malformed in the CT's headers and left empty in the RT Structure Set: {', '.join(blanked)}.",)


def build_rtstruct(
    instances: Volume,
    names: Mapping[int, str],
    headers: Sequence[Dataset],
    created: datetime,
    drawn: Mapping[int, str],
) -> tuple[FileDataset, list[str]]:
    """The object, not yet written, and the keywords of what was left empty."""
    uid = _content_uid(instances, names, headers, created)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, UID(uid("instance"))
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, UID(IMPLEMENTATION_UID)
    ds = FileDataset(io.BytesIO(), Dataset(), file_meta=meta, preamble=b"\0" * 128)
    ds.SpecificCharacterSet = "ISO_IR 192"  # UTF-8: holds the patient's name and the ROI names, whatever the CT's was
    ds.SOPClassUID, ds.SOPInstanceUID = RTStructureSetStorage, uid("instance")
    blanked = _copy_patient_and_study(ds, headers[0])
    _add_series_and_equipment(ds, headers[0], uid("series"))
    _add_dates(ds, created)
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = text_of(headers[0], "FrameOfReferenceUID"), ""
    ds.StructureSetLabel, ds.StructureSetName = "LYMPH_NODES", "Lymph nodes"
    ds.StructureSetDescription = f"Cervical lymph nodes. {RESEARCH_USE_ONLY}"
    ds.ReferencedFrameOfReferenceSequence = [_referenced_frame(headers)]
    ds.StructureSetROISequence = [
        _roi(label, names[label], headers[0], drawn.get(label, "AUTOMATIC")) for label in sorted(names)
    ]
    ds.ROIContourSequence = [_roi_contours(instances, label, headers) for label in sorted(names)]
    ds.RTROIObservationsSequence = [_observation(label) for label in sorted(names)]
    ds.ApprovalStatus = "UNAPPROVED"
    return ds, blanked


def half_level_contours(mask: Array) -> list[Array]:
    """Closed contours of one slice, half way between voxel centers inside and outside.

    Parameters
    ----------
    mask
        (J, I) bool.

    Returns
    -------
    list
        (n, 2) each: corners (j, i) in voxel indices, the first one not repeated. Voxels that touch by a corner only
        have contours of their own; a hole has one, too.
    """
    from skimage.measure import find_contours

    padded = np.pad(mask.astype(np.uint8), 1)
    return [contour[:-1] - 1 for contour in find_contours(padded, 0.5, fully_connected="low")]


def _check_names(instances: Volume, names: Mapping[int, str]) -> None:
    if not names:
        raise EmptyMaskError("There is no lymph node to write.", "Write no RT Structure Set for this patient.")
    labels = {label for label in range(1, int(instances.array.max()) + 1) if instances.label_box(label)}
    if labels - set(names):
        raise ValueError(f"names lacks the labels {sorted(labels - set(names))}")
    for label, name in names.items():
        _box_and_mask(instances, label)
        if not name.strip() or len(name) > MAX_NAME_LENGTH or "\\" in name or not name.isprintable():
            raise InputError(
                f"The name of lymph node {label} cannot be an ROI name: DICOM allows 1 to {MAX_NAME_LENGTH} printable "
                "characters without a backslash.",
                "Give it a shorter or plainer name.",
            )


def _check_headers(instances: Volume, headers: Sequence[Dataset]) -> None:
    """Refuse headers of another grid: every lymph node would lie in the wrong place."""
    if len(headers) != instances.shape[0]:
        raise GeometryError(
            f"There are {len(headers)} DICOM slices, but the segmentation has {instances.shape[0]}.", SERIES_FIX
        )
    missing = [keyword for keyword in NEEDED if not all(text_of(header, keyword) for header in headers)]
    if missing:
        raise InputError(f"The CT's headers lack {', '.join(missing)}.", "Export the CT series again from the PACS.")
    corners = [
        (k, j, i) for k in range(len(headers)) for j, i in ((0, 0), (instances.shape[1] - 1, instances.shape[2] - 1))
    ]
    try:
        expected = np.concatenate([_first_and_last(header, instances) for header in headers])
    except LIBRARY_ERRORS as error:
        raise GeometryError("The CT's headers state no position.", SERIES_FIX) from error
    if not np.abs(instances.to_lps(corners) - expected).max() <= POSITION_TOLERANCE_MM:
        raise GeometryError("The segmentation is not on the grid of the DICOM series.", SERIES_FIX)


def _first_and_last(header: Dataset, grid: Volume) -> Array:
    """(2, 3) centers of the slice's first and last voxel, LPS mm, straight from the standard (PS3.3 C.7.6.2.1.1)."""
    first = np.array(header.ImagePositionPatient, float)
    row, column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = (float(value) for value in header.PixelSpacing)
    last = first + row * between_columns * (grid.shape[2] - 1) + column * between_rows * (grid.shape[1] - 1)
    return np.array([first, last])


def _content_uid(
    instances: Volume, names: Mapping[int, str], headers: Sequence[Dataset], created: datetime
) -> Callable[[str], str]:
    """A function of a word: UIDs that differ between two objects that differ in anything."""
    digest = hashlib.sha256()
    for label in sorted(names):
        box, mask = _box_and_mask(instances, label)
        digest.update(repr((label, names[label], box)).encode() + np.packbits(mask).tobytes())
    sources = [text_of(header, "SOPInstanceUID") for header in headers]
    digest.update(repr((sources, instances.affine.tolist(), created, __version__)).encode())
    root = uuid.UUID(bytes=digest.digest()[:16], version=5)
    return lambda word: f"2.25.{uuid.uuid5(root, word).int}"


def _box_and_mask(instances: Volume, label: int) -> tuple[tuple[int, int, int], Array]:
    """Where the box of one lymph node starts (k, j, i), and its voxels within it."""
    box = instances.label_box(label)
    if box is None:
        raise EmptyMaskError(f"Lymph node {label} has no voxel.", "Leave it out, or outline it again.")
    start, stop = box
    return start, instances.array[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] == label


def _copy_patient_and_study(ds: Dataset, header: Dataset) -> list[str]:
    """All of these must be present; what the CT holds in a form that the standard forbids is left empty."""
    blanked = []
    for keyword in COPIED:
        try:
            text = str(header.get(keyword) or "")  # of a name, too: as text it is encoded anew, in UTF-8
            if keyword == "PatientSex" and text not in ("", "M", "F", "O"):
                raise ValueError("not a defined term")
            ds.add(DataElement(keyword, dictionary_VR(keyword), text, validation_mode=config.RAISE))
        except LIBRARY_ERRORS:
            ds.add(DataElement(keyword, dictionary_VR(keyword), None))
            blanked.append(keyword)
    return blanked


def _add_series_and_equipment(ds: Dataset, header: Dataset, series_uid: str) -> None:
    number = text_of(header, "SeriesNumber")
    ds.Modality, ds.SeriesInstanceUID = "RTSTRUCT", series_uid
    ds.SeriesNumber = SERIES_NUMBER + (int(number) % 1000 if number.isdecimal() else 0)
    ds.SeriesDescription = f"Lymph nodes. {RESEARCH_USE_ONLY}"
    ds.OperatorsName = ""
    ds.Manufacturer, ds.ManufacturerModelName = "ECEDetector (open source)", "ece_core"
    ds.SoftwareVersions = __version__


def _add_dates(ds: Dataset, created: datetime) -> None:
    date, time = f"{created:%Y%m%d}", f"{created:%H%M%S}"
    ds.InstanceCreationDate, ds.InstanceCreationTime = date, time
    ds.SeriesDate, ds.SeriesTime = date, time
    ds.StructureSetDate, ds.StructureSetTime = date, time


def _referenced_frame(headers: Sequence[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = text_of(headers[0], "SeriesInstanceUID")
    series.ContourImageSequence = [one.item() for one in instances_of(headers)]
    study = Dataset()
    study.ReferencedSOPClassUID = STUDY_CLASS
    study.ReferencedSOPInstanceUID = text_of(headers[0], "StudyInstanceUID")
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = text_of(headers[0], "FrameOfReferenceUID")
    frame.RTReferencedStudySequence = [study]
    return frame


def _roi(label: int, name: str, header: Dataset, drawn: str) -> Dataset:
    roi = Dataset()
    roi.ROINumber = label
    roi.ReferencedFrameOfReferenceUID = text_of(header, "FrameOfReferenceUID")
    roi.ROIName = name
    roi.ROIDescription = f"{ONE_LYMPH_NODE} {RESEARCH_USE_ONLY}"
    roi.ROIGenerationAlgorithm = drawn
    return roi


def _roi_contours(instances: Volume, label: int, headers: Sequence[Dataset]) -> Dataset:
    entry = Dataset()
    entry.ROIDisplayColor = list(COLORS[(label - 1) % len(COLORS)])
    entry.ContourSequence = []
    start, mask = _box_and_mask(instances, label)
    for k, section in enumerate(mask, start=start[0]):
        for corners in half_level_contours(section):
            index = np.column_stack([np.full(len(corners), k), corners + start[1:]])
            entry.ContourSequence.append(_contour(instances.to_lps(index), headers[k]))
    entry.ReferencedROINumber = label
    return entry


def _contour(points_lps: Array, header: Dataset) -> Dataset:
    contour = Dataset()
    drawn_on = instance_of(header)
    if drawn_on is not None:  # no image lies there where the CT was resampled
        contour.ContourImageSequence = [drawn_on.item()]
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(points_lps)
    # Four decimals keep a decimal string within its 16 characters, and a contour within 0.1 micrometer. They are
    # handed over as they will be written: pydicom's check of each number would take most of the time.
    data = [f"{value:.4f}" for value in points_lps.ravel()]
    contour.add(DataElement("ContourData", "DS", data, already_converted=True))
    return contour


def _observation(label: int) -> Dataset:
    observation = Dataset()
    observation.ObservationNumber = label
    observation.ReferencedROINumber = label
    observation.RTROIInterpretedType = ""  # the defined terms are of treatment planning; a lymph node is none of them
    observation.ROIInterpreter = ""
    return observation
