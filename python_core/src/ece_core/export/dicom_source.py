"""The CT's slices as a saved result knows them: enough to write further DICOM objects without the CT at hand.

`dicom/seg.dcm` holds the patient, the study, the frame of reference and a reference to every slice of the CT in their
order; `result.json` holds the grid. Together they give each slice's place. Frames of the SEG that name their slice must
agree with that, else nothing is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage
from pydicom.valuerep import DSfloat

from ece_core.errors import ECEError, InputError
from ece_core.export.dicom_seg import PATIENT_GROUP, POSITION_TOLERANCE_MM, SERIES_NUMBER, TYPE_2, check_grid
from ece_core.export.result import Result
from ece_core.geometry import Volume
from ece_core.io.quiet import library_call

SEG_FILE = Path("dicom") / "seg.dcm"
STUDY = ("SpecificCharacterSet", "StudyInstanceUID", "StudyDescription", "FrameOfReferenceUID",
         "PositionReferenceIndicator", *TYPE_2)  # fmt: skip
NO_DICOM_FIX = "Analyze the DICOM series to get one."


def source_headers(folder: Path, result: Result) -> list[Dataset]:
    """Headers of the CT's slices in the order of k: what our DICOM writers read of them, and no pixels.

    Raises
    ------
    InputError
        The result was not made from DICOM or has no lymph node, or its SEG does not fit its grid.
    """
    file = Path(folder) / SEG_FILE
    if not file.is_file():
        raise InputError(
            "The result has no DICOM SEG: its CT was not DICOM, or no lymph node was found.", NO_DICOM_FIX
        )
    with library_call("The result's DICOM SEG is damaged, or not of this result.", "Run the analysis again."):
        seg = dcmread(file, stop_before_pixels=True)
        grid = source_grid(result)
        headers = _headers(seg, grid)
        _check_frames(seg, headers)
    return headers


def headers_of_files(files: Sequence[Path | str], result: Result) -> list[Dataset]:
    """Headers of the CT's own files, in the order of k of the result's grid.

    Parameters
    ----------
    files
        One per slice, in any order.

    Raises
    ------
    InputError
        They are not the series that was analyzed, or not on its grid.
    """
    grid = source_grid(result)
    with library_call("A DICOM file of the scan cannot be read.", "Import the series into the DICOM database again."):
        headers: list[Dataset] = [dcmread(file, stop_before_pixels=True) for file in files]
        normal = grid.direction[:, 2]
        headers.sort(key=lambda header: float(normal @ np.array(header.ImagePositionPatient, float)))
        uid = str(headers[0].SeriesInstanceUID)
    if hashlib.sha256(uid.encode()).hexdigest() != result.input.get("series_uid_sha256"):
        raise InputError("The chosen volume is another series than the one that was analyzed.",
                         "Choose the scan that was analyzed as input volume.")  # fmt: skip
    check_grid(grid, headers)
    return headers


def source_grid(result: Result) -> Volume:
    """The CT's grid, as (K, J, I) of a single value that takes no memory.

    Raises
    ------
    InputError
        The result does not say it.
    """
    try:
        shape = tuple(int(size) for size in result.input["shape_kji"])
        return Volume(np.broadcast_to(np.uint8(0), shape), np.array(result.input["affine_lps"], float))
    except (KeyError, TypeError, ValueError, ECEError) as error:
        raise InputError("The result does not say which grid its CT has.", "Run the analysis again.") from error


def _headers(seg: Dataset, grid: Volume) -> list[Dataset]:
    (series,) = seg.ReferencedSeriesSequence
    common = Dataset()
    for element in seg:
        if element.tag.group == PATIENT_GROUP or element.keyword in STUDY:
            common.add(element)
    common.Modality, common.SeriesInstanceUID = "CT", series.SeriesInstanceUID
    common.SeriesNumber = int(seg.SeriesNumber) - SERIES_NUMBER
    common.Rows, common.Columns = grid.shape[1:]
    k_mm, j_mm, i_mm = grid.spacing_mm
    common.PixelSpacing, common.SliceThickness = [_ds(j_mm), _ds(i_mm)], _ds(k_mm)
    common.ImageOrientationPatient = [_ds(value) for value in grid.direction[:, :2].T.ravel()]
    instances = series.ReferencedInstanceSequence
    if len(instances) != grid.shape[0]:
        raise ValueError("the SEG refers to another number of slices")
    return [_header(common, grid, k, str(item.ReferencedSOPInstanceUID)) for k, item in enumerate(instances)]


def _header(common: Dataset, grid: Volume, k: int, uid: str) -> Dataset:
    header = Dataset()
    header.update(common)
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, uid
    header.ImagePositionPatient = [_ds(value) for value in grid.to_lps((k, 0, 0))]
    return header


def _check_frames(seg: Dataset, headers: list[Dataset]) -> None:
    """Each frame of the SEG says where it lies and which slice it was drawn on."""
    place_of = {header.SOPInstanceUID: np.array(header.ImagePositionPatient, float) for header in headers}
    for frame in seg.PerFrameFunctionalGroupsSequence:
        image = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        place = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        if np.abs(place_of[image] - place).max() > POSITION_TOLERANCE_MM:
            raise ValueError("a frame of the SEG does not lie on the slice that it names")


def _ds(value: float) -> DSfloat:
    return DSfloat(float(value) + 0.0, auto_format=True)
