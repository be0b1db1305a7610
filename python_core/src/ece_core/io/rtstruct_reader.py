"""Read a DICOM RT Structure Set: one mask per ROI on the CT's grid.

What is wrong with one ROI is told with that ROI, and leaves the others whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from ece_core.errors import ECEError, EmptyMaskError, GeometryError, InputError
from ece_core.geometry import Array, Volume
from ece_core.io.dicom_file import read_header, text_of
from ece_core.io.dicom_instances import slices_by_reference
from ece_core.io.quiet import library_call, quiet
from ece_core.io.rtstruct_contours import (
    EXPORT_FIX,
    OTHER_SERIES_FIX,
    check_images,
    closed_contours,
    gap_warnings,
    items_of,
    on_slices,
)
from ece_core.io.rtstruct_names import ONE_LYMPH_NODE, Names, name_filter
from ece_core.io.rtstruct_rasterizer import even_odd
from ece_core.io.scan import Scan

NO_NUMBER = -1


@dataclass(frozen=True, eq=False)
class Roi:
    """One region of interest: a mask, or the reason why there is none.

    Parameters
    ----------
    name
        As in the file: free text, which may hold anything. Not for logs.
    number
        ROINumber (some programs count from 0); -1 if the file gives none.
    mask
        (K, J, I) bool on the CT's grid, at least one voxel set; None if ``error`` is not.
    error
        Why the ROI could not be placed; names it by its number.
    one_lymph_node
        The file says that the ROI is a single lymph node, so that its pieces belong together.
    warnings
        What a reader of the mask must know.
    """

    name: str
    number: int
    mask: Volume | None
    error: ECEError | None = None
    one_lymph_node: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RTStruct:
    """A structure set on one CT.

    Parameters
    ----------
    rois
        In the order of the file; only those whose name was asked for.
    warnings
        About the file as a whole and, named by number, about its ROIs. No patient data.
    """

    rois: tuple[Roi, ...]
    warnings: tuple[str, ...] = ()


@quiet()
def read_rtstruct(path: Path | str, ct: Scan, names: Names = None, *, check_references: bool = True) -> RTStruct:
    """Read the ROIs of a structure set.

    Parameters
    ----------
    path
        RT Structure Set file.
    ct
        The scan that the contours were drawn on. If it was not DICOM, there are no references to check, and position
        alone decides.
    names
        Which ROIs: a function of the name, a regular expression to be found in it, or None for all.
        :func:`~ece_core.io.nodal_names.is_nodal` picks those that hold lymph nodes.
    check_references
        False: ignore which images and which frame of reference the contours name (a CT that was anonymized or
        converted apart from them), and place them by position alone.

    Returns
    -------
    RTStruct
        Voxels whose centers lie inside an odd number of a slice's contours. ``rois`` is empty if no name fits.

    Raises
    ------
    InputError
        The file is no RT Structure Set, is damaged as a whole, or defines no ROI.
    """
    wanted = name_filter(names)
    dataset = _structure_set(Path(path))
    with library_call("The list of ROIs in the structure set is damaged.", EXPORT_FIX):
        defined = items_of(dataset, "StructureSetROISequence")
        contours = _by_number(items_of(dataset, "ROIContourSequence"))
        numbers = [_number(item, "ROINumber") for item in defined]
    if not defined:
        raise InputError("The structure set defines no ROI.", EXPORT_FIX)
    reader = _Reader(ct, check_references)
    rois = [
        _read_roi(reader, item, number, contours.get(number, []), numbers.count(number))
        for item, number in zip(defined, numbers, strict=True)
        if wanted(text_of(item, "ROIName"))
    ]
    rois += [_unnamed(number) for number in contours if number not in numbers and names is None]
    warnings = [text for roi in rois for text in roi.warnings]
    if check_references and not ct.headers:
        warnings.insert(0, "The CT is not DICOM: contours are placed by position alone.")
    return RTStruct(tuple(rois), tuple(warnings))


class _Reader:
    """What all ROIs share: the CT's grid and what its headers say."""

    def __init__(self, ct: Scan, check_references: bool) -> None:
        self.grid = ct.volume
        headers = ct.headers if check_references else ()
        self.slice_of = slices_by_reference(headers)
        self.frame = text_of(headers[0], "FrameOfReferenceUID") if headers else ""

    def mask(self, item: Dataset, contour_items: list[Dataset], roi: str) -> tuple[Volume, list[str]]:
        contours, warnings = closed_contours(contour_items, roi)
        if self.slice_of:
            self.check_frame(item, roi)
            warnings += check_images(contours, self.slice_of, self.grid, roi)
        placed = on_slices(contours, self.grid, roi)
        array = np.zeros(self.grid.shape, bool)  # pages that no contour touches are never written, and take no memory
        for k, polygons in placed.items():
            _fill(array[k], polygons)
        if not any(array[k].any() for k in placed):
            raise EmptyMaskError(
                f"The contours of {roi} are so small that they enclose no voxel center.",
                "Draw it again, or leave it out.",
            )
        return Volume(array, self.grid.affine), warnings + gap_warnings(list(placed), roi)

    def check_frame(self, item: Dataset, roi: str) -> None:
        frame = text_of(item, "ReferencedFrameOfReferenceUID")
        if frame and self.frame and frame != self.frame:
            raise GeometryError(
                f"{roi} lies in another frame of reference than the CT, so its coordinates mean other places.",
                f"{OTHER_SERIES_FIX} If you know that both are the same, have the contours placed by position alone.",
            )


def _read_roi(reader: _Reader, item: Dataset, number: int, contours: list[Dataset], defined: int) -> Roi:
    roi, name = f"ROI {number}", text_of(item, "ROIName")
    single = text_of(item, "ROIDescription").startswith(ONE_LYMPH_NODE)
    try:
        if number == NO_NUMBER:
            raise InputError("An ROI of the structure set has no number, so it has no contours.", EXPORT_FIX)
        if defined > 1:
            raise InputError(
                f"{defined} ROIs share the number {number}, so their contours cannot be told apart.", EXPORT_FIX
            )
        with library_call(f"The contours of {roi} are damaged.", EXPORT_FIX):
            items = [contour for entry in contours for contour in items_of(entry, "ContourSequence")]
            mask, warnings = reader.mask(item, items, roi)
    except InputError as error:
        return Roi(name, number, None, error, single)
    return Roi(name, number, mask, None, single, tuple(warnings))


def _unnamed(number: int) -> Roi:
    error = InputError(f"The contours of ROI {number} belong to no ROI that the file defines.", EXPORT_FIX)
    return Roi("", number, None, error)


def _fill(plane: Array, polygons: list[Array]) -> None:
    """Fill (J, I) within the contours' bounding box."""
    corners = np.concatenate(polygons)
    low = np.clip(np.floor(corners.min(axis=0)), 0, plane.shape).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1, low, plane.shape).astype(int)
    box = plane[low[0] : high[0], low[1] : high[1]]
    box[:] = even_odd([polygon - low for polygon in polygons], (box.shape[0], box.shape[1]))


def _structure_set(path: Path) -> Dataset:
    header = read_header(path).header
    if text_of(header, "SOPClassUID") != RTStructureSetStorage:
        raise InputError("The DICOM file is not an RT Structure Set.", "Choose the RTSTRUCT file of the CT's study.")
    return header


def _by_number(items: list[Dataset]) -> dict[int, list[Dataset]]:
    """ROI number -> its entries in ROIContourSequence."""
    found: dict[int, list[Dataset]] = {}
    for item in items:
        found.setdefault(_number(item, "ReferencedROINumber"), []).append(item)
    return found


def _number(item: Dataset, keyword: str) -> int:
    text = text_of(item, keyword)
    return int(text) if text.isdecimal() else NO_NUMBER
