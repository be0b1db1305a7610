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

from ece_core.errors import ECEError, InputError
from ece_core.export.dicom_seg import PATIENT_GROUP, POSITION_TOLERANCE_MM, SERIES_NUMBER, TYPE_2, check_grid
from ece_core.export.result import Result
from ece_core.geometry import Volume
from ece_core.io.dicom_enhanced import all_frames
from ece_core.io.dicom_file import read_header
from ece_core.io.dicom_folder import is_multi_frame_ct
from ece_core.io.dicom_instances import headers_on, instance_in, instance_of, resampled_headers, uid_of_slice
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
        headers = _headers(seg, grid, result.input.get("frames"))
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
        found = [read_header(Path(file)) for file in files]
        slices = all_frames(found) if is_multi_frame_ct(found[0]) else found
        headers: list[Dataset] = [file.header for file in slices]
        normal = grid.direction[:, 2]
        headers.sort(key=lambda header: float(normal @ np.array(header.ImagePositionPatient, float)))
        uid = str(headers[0].SeriesInstanceUID)
    if hashlib.sha256(uid.encode()).hexdigest() != result.input.get("series_uid_sha256"):
        raise InputError("The chosen volume is another series than the one that was analyzed.",
                         "Choose the scan that was analyzed as input volume.")  # fmt: skip
    try:
        check_grid(grid, headers)
    except InputError:
        raise InputError(
            "The scan's DICOM files do not lie on the grid of the result: its geometry was corrected (resampled) by "
            "the analysis, or files are missing.",
            "Open the result from its folder, which knows its slices, or load the whole series.",
        ) from None
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


def _headers(seg: Dataset, grid: Volume, frames: Sequence[Sequence[int]] | None) -> list[Dataset]:
    (series,) = seg.ReferencedSeriesSequence
    common = Dataset()
    for element in seg:
        if element.tag.group == PATIENT_GROUP or element.keyword in STUDY:
            common.add(element)
    common.Modality, common.SeriesInstanceUID = "CT", series.SeriesInstanceUID
    common.SeriesNumber = int(seg.SeriesNumber) - SERIES_NUMBER
    sources = [instance_in(item) for item in series.ReferencedInstanceSequence]
    if not any(frame.DerivationImageSequence for frame in seg.PerFrameFunctionalGroupsSequence):
        return resampled_headers(grid, common, sources)
    if frames is None:
        uids = [source.sop_instance_uid for source in sources]
    else:
        uids = [uid_of_slice(sources[number].sop_instance_uid, frame) for number, frame in frames]
    if len(uids) != grid.shape[0]:
        raise ValueError("the SEG refers to another number of slices")
    return headers_on(grid, common, uids, sources[0].sop_class_uid)


def _check_frames(seg: Dataset, headers: list[Dataset]) -> None:
    """Each frame of the SEG says where it lies and, unless the CT was resampled, which slice it was drawn on."""
    place_of = {instance_of(header): np.array(header.ImagePositionPatient, float) for header in headers}
    for frame in seg.PerFrameFunctionalGroupsSequence:
        place = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        for derivation in frame.DerivationImageSequence:
            named = place_of[instance_in(derivation.SourceImageSequence[0])]
            if np.abs(named - place).max() > POSITION_TOLERANCE_MM:
                raise ValueError("a frame of the SEG does not lie on the slice that it names")
