"""Read DICOM Segmentations of any program: each segment's voxels on the grid of the CT, exactly or not at all.

BINARY and LABELMAP objects; frames in any order, in any of the CT's three orientations, cropped or not, empty
segments included. FRACTIONAL is refused: where its border lies would be our guess. Nothing is resampled. The writer is
``export/dicom_seg.py``. Standard: DICOM PS3.3 A.51, C.8.20.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.pixels import iter_pixels

from ece_core.errors import ECEError, GeometryError, InputError
from ece_core.geometry import Array, Volume
from ece_core.io.dicom_file import DicomFile, read_header, text_of
from ece_core.io.dicom_folder import is_ct_slice, kind_of
from ece_core.io.dicom_pixels import is_native
from ece_core.io.limits import MAX_MATRIX
from ece_core.io.nodal_names import is_nodal
from ece_core.io.quiet import library_call
from ece_core.io.scan import Scan

BINARY_SEG = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP_SEG = "1.2.840.10008.5.1.4.1.1.66.7"
SEGMENTATIONS = (BINARY_SEG, LABELMAP_SEG)
MAX_SEG_BYTES = 2**30  # 512 x 512 x 160 with 50 segments and no frame left out has 0.26 GiB
EXPORT_FIX = "Export the segmentation again from the program that made it."
OTHER_CT_FIX = "Choose the CT series that the segmentation was drawn on."
ON_GRID_MM = 0.1  # decimal strings are rounded and positions jitter; the next voxel is at least twice as far
ON_GRID_VOXELS = 0.25  # of the distance to the next voxel, where voxels are that small
# Lymph node, cervical lymph node, lymph node of head and neck, level I to V (SCT, reference/dicom.md section 6), and
# lymph node in the older SRT.
LYMPH_NODE_CODES = frozenset(
    ["59441001", "81105003", "312501005", "46055009", "59503006"]
    + ["245321008", "245322001", "245323006", "245324000", "T-C4000"]
)


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment of a DICOM Segmentation.

    Parameters
    ----------
    number
        SegmentNumber.
    label
        SegmentLabel, as the file's author wrote it.
    is_lymph_node
        Its codes say lymph node, or its label does.
    is_tracked
        It has a tracking UID: the file follows this object as one thing, however many pieces it has.
    error
        Why its voxels could not be placed; None if they could, also if there are none.
    """

    number: int
    label: str
    is_lymph_node: bool
    is_tracked: bool
    error: ECEError | None
    _grid: Volume = field(repr=False)
    _index_kji: Array = field(repr=False)

    @property
    def voxels(self) -> int:
        return len(self._index_kji)

    @property
    def mask(self) -> Volume | None:
        """(K, J, I) bool on the grid of the CT, made when asked for; None if there is an error."""
        if self.error is not None:
            return None
        array = np.zeros(self._grid.shape, dtype=bool)
        array[tuple(self._index_kji.T)] = True
        return self._grid.with_array(array)


@dataclass(frozen=True, eq=False)
class DicomSeg:
    """What a DICOM Segmentation holds: segments in the order of the file, and what to know about it."""

    segments: tuple[Segment, ...]
    warnings: tuple[str, ...] = ()


def is_dicom_seg(file: DicomFile) -> bool:
    """Whether the file is a DICOM Segmentation."""
    return file.text("SOPClassUID") in SEGMENTATIONS


def read_dicom_seg(path: Path | str, ct: Scan) -> DicomSeg:
    """Read the segments onto the grid of a CT.

    Parameters
    ----------
    ct
        The CT that it was drawn on. Of a CT that is no DICOM the frame of reference is unknown: the grid must fit,
        and a warning says that nothing else was checked.

    Returns
    -------
    DicomSeg
        A segment that does not fit the grid has an error; the other segments are there.

    Raises
    ------
    GeometryError
        The frame of reference is another one, or missing.
    InputError
        The file is damaged or no DICOM Segmentation, or FRACTIONAL.
    """
    path = Path(path)
    file = read_header(path)
    _check_kind(file)
    warnings = _check_frame_of_reference(file, ct)
    damaged = "The DICOM Segmentation is incomplete or damaged."
    with library_call(damaged, EXPORT_FIX):
        if path.stat().st_size > MAX_SEG_BYTES:
            raise InputError(f"The DICOM Segmentation has more than {MAX_SEG_BYTES // 2**30} GiB.", EXPORT_FIX)
        dataset = dcmread(path)
        described = _described(dataset)
        placed, errors = _placed(dataset, ct.volume, set(described))
    segments = tuple(
        Segment(
            number,
            text_of(description, "SegmentLabel"),
            _says_lymph_node(description),
            bool(text_of(description, "TrackingUID")),
            errors.get(number),
            ct.volume,
            np.concatenate(placed[number]) if placed[number] else np.zeros((0, 3), dtype=np.intp),
        )
        for number, description in described.items()
    )
    warnings += [sentence for segment in segments if (sentence := _about_gaps(segment))]
    return DicomSeg(segments, tuple(warnings))


def _about_gaps(segment: Segment) -> str:
    """A sentence if the segment lies on every n-th slice only: then it was drawn on thicker slices than the CT's."""
    slices = np.unique(segment._index_kji[:, 0])
    step = int(np.gcd.reduce(np.diff(slices))) if len(slices) > 2 else 1
    if segment.error is not None or step == 1:
        return ""
    nth = {2: "2nd", 3: "3rd"}.get(step, f"{step}th")
    return f"Segment {segment.number} lies only on every {nth} slice of the CT; the slices between were left empty."


def _check_kind(file: DicomFile) -> None:
    if not is_dicom_seg(file):
        raise InputError(
            f"The file is no DICOM Segmentation but: {'CT slice' if is_ct_slice(file) else kind_of(file)}.",
            "Choose a file that holds a segmentation.",
        )
    kind = file.text("SegmentationType")
    if kind not in ("BINARY", "LABELMAP"):
        what = "FRACTIONAL: it has no border" if kind == "FRACTIONAL" else "of a type that is not read here"
        raise InputError(f"The DICOM Segmentation is {what}.", "Export it as a BINARY segmentation.")


def _check_frame_of_reference(file: DicomFile, ct: Scan) -> list[str]:
    own = file.text("FrameOfReferenceUID")
    if not ct.headers:
        return ["The CT is no DICOM: whether the segmentation belongs to it was judged by its grid alone."]
    if not own:
        raise GeometryError("The DICOM Segmentation names no frame of reference.", EXPORT_FIX)
    if own != text_of(ct.headers[0], "FrameOfReferenceUID"):
        raise GeometryError(
            "The DICOM Segmentation lies in another frame of reference than the CT: it was drawn on another scan.",
            OTHER_CT_FIX,
        )
    return []


def _described(dataset: Dataset) -> dict[int, Dataset]:
    """SegmentNumber -> its item. Number 0 of a LABELMAP is the background, which some writers describe."""
    items = {int(item.SegmentNumber): item for item in dataset.SegmentSequence}
    if len(items) != len(dataset.SegmentSequence):
        raise InputError("Two segments of the DICOM Segmentation have one number.", EXPORT_FIX)
    return {number: item for number, item in items.items() if number > 0}


def _says_lymph_node(description: Dataset) -> bool:
    sequences = ("SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence")
    codes = {text_of(item, "CodeValue") for keyword in sequences for item in description.get(keyword) or ()}
    return bool(codes & LYMPH_NODE_CODES) or is_nodal(text_of(description, "SegmentLabel"))


def _placed(dataset: Dataset, ct: Volume, numbers: set[int]) -> tuple[dict[int, list[Array]], dict[int, ECEError]]:
    """Voxel indices (n, 3) kji of each segment's frames, and why segments could not be placed."""
    placed: dict[int, list[Array]] = {number: [] for number in numbers}
    errors: dict[int, ECEError] = {}
    seen: set[tuple[int, ...]] = set()
    labelmap = str(dataset.SegmentationType) == "LABELMAP"
    for groups, pixels in zip(_functional_groups(dataset), _frames(dataset), strict=True):
        held = [int(n) for n in np.unique(pixels[pixels > 0])] if labelmap else [_segment_of(groups)]
        unknown = set(held) - numbers
        if unknown:
            raise InputError(f"The DICOM Segmentation has no description of its segment {min(unknown)}.", EXPORT_FIX)
        for number in held:
            try:
                to_index = _place(groups, pixels.shape, ct)
                key = (number, *to_index.astype(int).ravel())
                if key in seen:
                    raise InputError("two frames have one position.", EXPORT_FIX)
                seen.add(key)
                where = np.argwhere(pixels == number if labelmap else pixels)
                placed[number].append(_inside(where @ to_index[1:] + to_index[0], ct))
            except InputError as error:
                errors.setdefault(number, type(error)(f"Segment {number}: {error.problem}", error.fix))
    return placed, errors


def _functional_groups(dataset: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    """Per frame: its own functional groups, and those that all frames share."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    own = dataset.PerFrameFunctionalGroupsSequence
    if len(own) != int(dataset.NumberOfFrames):
        raise InputError("The DICOM Segmentation describes another number of frames than it has.", EXPORT_FIX)
    return ((groups, shared) for groups in own)


def _group(groups: tuple[Dataset, Dataset], keyword: str) -> Dataset:
    for candidate in groups:
        if candidate.get(keyword):
            return candidate[keyword].value[0]
    raise InputError(f"A frame of the DICOM Segmentation has no {keyword}.", EXPORT_FIX)


def _segment_of(groups: tuple[Dataset, Dataset]) -> int:
    return int(_group(groups, "SegmentIdentificationSequence").ReferencedSegmentNumber)


def _frames(dataset: Dataset) -> Iterator[Array]:
    """(rows, columns) of each frame; of a BINARY one bool."""
    rows, columns, count = int(dataset.Rows), int(dataset.Columns), int(dataset.NumberOfFrames)
    if not (0 < rows <= MAX_MATRIX and 0 < columns <= MAX_MATRIX):
        raise InputError(f"The DICOM Segmentation says that it has {rows} rows and {columns} columns.", EXPORT_FIX)
    if int(dataset.BitsAllocated) != 1 or not is_native(dataset.file_meta.TransferSyntaxUID):
        frames = iter_pixels(dataset)
        return (frame != 0 if str(dataset.SegmentationType) == "BINARY" else frame for frame in frames)
    packed = np.frombuffer(dataset.PixelData, np.uint8)
    if 8 * len(packed) < rows * columns * count:
        raise InputError("The pixel data of the DICOM Segmentation are incomplete.", EXPORT_FIX)
    return (_unpacked(packed, number * rows * columns, rows, columns) for number in range(count))


def _unpacked(packed: Array, first_bit: int, rows: int, columns: int) -> Array:
    """Frames follow each other bit by bit: one may begin within a byte (PS3.5 8.1.1)."""
    skip = first_bit % 8
    last = first_bit + rows * columns
    bits = np.unpackbits(packed[first_bit // 8 : -(-last // 8)], bitorder="little")
    return bits[skip : skip + rows * columns].reshape(rows, columns).astype(bool)


def _place(groups: tuple[Dataset, Dataset], shape: tuple[int, ...], ct: Volume) -> Array:
    """(3, 3) int: voxel index kji of the frame's first pixel, its step from row to row, from column to column.

    Raises
    ------
    GeometryError
        The frame's pixels are not voxels of the CT.
    """
    position = np.array(_group(groups, "PlanePositionSequence").ImagePositionPatient, float)
    cosines = np.array(_group(groups, "PlaneOrientationSequence").ImageOrientationPatient, float).reshape(2, 3)
    row_mm, column_mm = (float(mm) for mm in _group(groups, "PixelMeasuresSequence").PixelSpacing)
    steps = np.array([cosines[1] * row_mm, cosines[0] * column_mm])  # to the next row, to the next column
    corners = np.array([(0, 0), (shape[0] - 1, 0), (0, shape[1] - 1), (shape[0] - 1, shape[1] - 1)])
    index = ct.to_index(position + corners @ steps)
    if not np.isfinite(index).all():
        raise GeometryError("a frame has no finite position.", EXPORT_FIX)
    whole = np.rint([index[0], *(ct.to_index(position + steps) - ct.to_index(position))])
    if (np.abs(whole[1:]).sum(axis=1) != 1).any():
        raise GeometryError(
            f"its pixels of {row_mm:.3g} x {column_mm:.3g} mm are not the voxels of the CT "
            f"({' x '.join(f'{mm:.3g}' for mm in ct.spacing_mm)} mm).",
            f"{OTHER_CT_FIX} Or resample it to this CT in the program that made it.",
        )
    spacing = np.array(ct.spacing_mm)
    beside_mm = np.abs(index - (whole[0] + corners @ whole[1:])) * spacing
    if (beside_mm > np.minimum(ON_GRID_MM, ON_GRID_VOXELS * spacing)).any():
        raise GeometryError(
            f"it lies between the voxels of the CT (up to {beside_mm.max():.2g} mm beside them).",
            f"{OTHER_CT_FIX} Or resample it to this CT in the program that made it.",
        )
    return whole.astype(np.intp)


def _inside(index: Array, ct: Volume) -> Array:
    if len(index) and ((index < 0).any() or (index >= ct.shape).any()):
        outside = int(((index < 0) | (index >= ct.shape)).any(axis=1).sum())
        raise GeometryError(f"{outside} of its voxels lie outside the CT.", OTHER_CT_FIX)
    return index
