"""Contours of one ROI: what the file says, what of it we take, and on which slice of the CT each contour lies.

Every doubt is an error of this one ROI. Facts behind the rules: reference/dicom.md section 5.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from ece_core.errors import EmptyMaskError, GeometryError, InputError
from ece_core.geometry import Array, Volume
from ece_core.io.dicom_instances import uid_of_slice
from ece_core.io.limits import MAX_COORDINATE_MM

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")  # the second, of PS3.3 C.8.8.6.3, says what we do with the first
NOT_CLOSED = ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR")
# Of a slice distance, between a contour's points and the slice's plane: some programs round positions to 1 mm or to
# 0.1 mm. A contour further off was drawn on other slices, and would be shifted by half a slice without a word.
OFF_PLANE_TOLERANCE = 0.25
# Voxels that a contour may reach beyond the centers of the outermost ones: half a voxel to their edge, and as much
# again for a contour drawn along that edge.
BEYOND_EDGE_TOLERANCE = 1.0
EXPORT_FIX = "Export the structure set again from the program that drew it."
OTHER_SERIES_FIX = "Choose the CT series that the contours were drawn on, with all of its slices."


@dataclass(frozen=True, eq=False)
class Contour:
    """One closed contour.

    Parameters
    ----------
    points_lps
        (n, 3) mm, n >= 3, finite.
    image_uids
        SOPInstanceUIDs of the images that the contour names; usually one or none.
    """

    points_lps: Array
    image_uids: tuple[str, ...]


def closed_contours(items: Sequence[Dataset], roi: str) -> tuple[list[Contour], list[str]]:
    """The contours of one ROI, as far as the file alone can tell.

    Parameters
    ----------
    items
        Its ContourSequence.
    roi
        What messages call it: "ROI 3".

    Returns
    -------
    contours, warnings
        Contours of fewer than three points enclose nothing, and copies of a contour would undo it: both are left out,
        with a warning.

    Raises
    ------
    EmptyMaskError
        There is no contour that encloses anything.
    InputError
        A contour is open or a point, or its data are empty, not numbers, not finite, or cut off.
    """
    if not items:
        raise EmptyMaskError(f"{roi} has no contours.", "Draw it again, or leave it out.")
    _refuse_open(items, roi)
    found = [Contour(_points(item, roi), _image_uids(item)) for item in items]
    closed = [contour for contour in found if len(contour.points_lps) >= 3]
    once = list({contour.points_lps.tobytes(): contour for contour in closed}.values())
    warnings = []
    if len(closed) < len(found):
        warnings.append(f"{roi}: {len(found) - len(closed)} contours of one or two points were left out.")
    if len(once) < len(closed):
        warnings.append(f"{roi}: {len(closed) - len(once)} contours that the file holds twice were taken once.")
    if not once:
        raise EmptyMaskError(f"The contours of {roi} have one or two points and enclose nothing.", EXPORT_FIX)
    return once, warnings


def on_slices(contours: Sequence[Contour], grid: Volume, roi: str) -> dict[int, list[Array]]:
    """Contours in voxel indices, by the slice whose plane they lie in.

    Returns
    -------
    dict
        k -> contours (n, 2) of (j, i). The slice is found by position along the normal, whatever the CT's orientation.

    Raises
    ------
    GeometryError
        A contour is not parallel to the slices, lies between two of them, or leaves the scan.
    """
    indices = [grid.to_index(contour.points_lps) for contour in contours]
    k_mm = grid.spacing_mm[0]
    spread = max(float(np.ptp(index[:, 0])) for index in indices)
    if spread > OFF_PLANE_TOLERANCE:
        raise GeometryError(
            f"Contours of {roi} are not parallel to the CT's slices: one runs through {spread * k_mm:.1f} mm along the "
            "slice normal.",
            OTHER_SERIES_FIX,
        )
    heights = np.array([np.median(index[:, 0]) for index in indices])
    slices = np.rint(heights).astype(int)
    _refuse_outside(indices, slices, grid, roi)
    off = np.abs(heights - slices)
    if off.max() > OFF_PLANE_TOLERANCE:
        raise GeometryError(
            f"{int((off > OFF_PLANE_TOLERANCE).sum())} of {len(off)} contours of {roi} lie between two slices of the "
            f"CT, up to {off.max() * k_mm:.2f} mm from the nearest (slices are {k_mm:.2f} mm apart).",
            OTHER_SERIES_FIX,
        )
    placed: dict[int, list[Array]] = {}
    for k, index in zip(slices.tolist(), indices, strict=True):
        placed.setdefault(k, []).append(index[:, 1:])
    return dict(sorted(placed.items()))


def check_images(
    contours: Sequence[Contour], slice_of: Mapping[str, int | None], grid: Volume, roi: str
) -> list[str]:
    """The images that contours name must be slices of this CT.

    Parameters
    ----------
    slice_of
        As :func:`~ece_core.io.dicom_instances.slices_by_reference` gives it.

    Returns
    -------
    list of str
        A warning where a contour names a slice at another position (plastimatch 1.9.4 does on oblique series): the
        standard places contours by their coordinates, and so do we.

    Raises
    ------
    InputError
        A contour names an image that is not in the CT (a dangling reference).
    """
    dangling = [contour for contour in contours if not all(uid in slice_of for uid in contour.image_uids)]
    if dangling:
        raise InputError(
            f"{len(dangling)} of {len(contours)} contours of {roi} refer to images that are not in this CT series.",
            f"{OTHER_SERIES_FIX} If the CT was anonymized apart from its contours, have them placed by position alone.",
        )
    elsewhere = 0
    for contour in contours:
        height = float(np.median(grid.to_index(contour.points_lps)[:, 0]))
        named = [k for uid in contour.image_uids if (k := slice_of[uid]) is not None]
        elsewhere += bool(named) and min(abs(height - k) for k in named) > 0.5
    if not elsewhere:
        return []
    return [
        f"{roi}: {elsewhere} of {len(contours)} contours refer to a slice that they do not lie on; "
        "they were placed by their coordinates."
    ]


def gap_warnings(slices: Sequence[int], roi: str) -> list[str]:
    """A warning where contours sit on every n-th slice only. What lies between is never invented."""
    steps = np.diff(sorted(slices))
    if len(steps) < 2 or np.median(steps) < 2:
        return []
    return [
        f"{roi} has contours on about every {int(np.median(steps))}. slice only; the slices between them stay empty."
    ]


def items_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence; empty if it is absent."""
    return list(dataset.get(keyword) or ())


def _text(item: Dataset, keyword: str) -> str:
    """As ``dicom_file.text_of``, without its guard: one stands around the whole ROI, and contours are many."""
    return str(item.get(keyword) or "").strip()


def _refuse_open(items: Sequence[Dataset], roi: str) -> None:
    kinds = Counter(_text(item, "ContourGeometricType") for item in items)
    other = {kind: count for kind, count in kinds.items() if kind not in CLOSED}
    if not other:
        return
    # Only words of the standard are repeated: a damaged file may hold anything here.
    named = Counter({kind: count for kind, count in other.items() if kind in NOT_CLOSED})
    named["of an unknown type"] = sum(other.values()) - sum(named.values())
    listed = ", ".join(f"{count} {kind}" for kind, count in named.items() if count)
    raise InputError(
        f"{sum(other.values())} of {len(items)} contours of {roi} are not closed ({listed}); "
        "only CLOSED_PLANAR contours enclose voxels.",
        "Export the ROI as closed contours, or leave it out.",
    )


def _points(item: Dataset, roi: str) -> Array:
    """(n, 3) float64 as in the file, checked."""
    try:
        values = _numbers(item)
    except (ValueError, TypeError) as error:
        raise InputError(f"A contour of {roi} holds something that is not a number.", EXPORT_FIX) from error
    if not len(values):
        raise InputError(f"A contour of {roi} has no points (ContourData is empty).", EXPORT_FIX)
    if len(values) % 3:
        raise InputError(
            f"A contour of {roi} has {len(values)} coordinates, which is not a multiple of 3: it was cut off.",
            EXPORT_FIX,
        )
    if not (np.abs(values) <= MAX_COORDINATE_MM).all():  # also false for NaN
        raise GeometryError(
            f"A contour of {roi} has coordinates that are not finite points near the scanner.", EXPORT_FIX
        )
    said = _text(item, "NumberOfContourPoints")
    if said.isdecimal() and int(said) != len(values) // 3:
        raise InputError(
            f"A contour of {roi} has {len(values) // 3} points, but the file says {int(said)}: it was cut off.",
            EXPORT_FIX,
        )
    return values.reshape(-1, 3)


def _numbers(item: Dataset) -> Array:
    """ContourData without pydicom's own decimal type, which is slow and quotes values in its warnings."""
    element = item.get_item("ContourData")
    if element is None or element.value in (None, b"", ""):
        return np.empty(0)
    if isinstance(element, RawDataElement):
        return np.array(element.value.strip(b" \0").split(b"\\")).astype(np.float64)
    return np.array(element.value, np.float64).ravel()


def _image_uids(item: Dataset) -> tuple[str, ...]:
    """As :func:`~ece_core.io.dicom_instances.slices_by_reference` has them."""
    images = items_of(item, "ContourImageSequence")
    uids = [(_text(image, "ReferencedSOPInstanceUID"), _text(image, "ReferencedFrameNumber")) for image in images]
    return tuple(uid_of_slice(uid, int(frame)) if frame.isdecimal() else uid for uid, frame in uids)


def _refuse_outside(indices: Sequence[Array], slices: Array, grid: Volume, roi: str) -> None:
    slices_outside = (slices < 0) | (slices >= grid.shape[0])
    low = -BEYOND_EDGE_TOLERANCE
    high = np.array(grid.shape[1:]) - 1 + BEYOND_EDGE_TOLERANCE
    beside = np.array([bool(((index[:, 1:] < low) | (index[:, 1:] > high)).any()) for index in indices])
    outside = int((slices_outside | beside).sum())
    if outside:
        raise GeometryError(f"{outside} of {len(indices)} contours of {roi} lie outside of the scan.", OTHER_SERIES_FIX)
