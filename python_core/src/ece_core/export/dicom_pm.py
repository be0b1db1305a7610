"""A heatmap as a DICOM Parametric Map: float32, cropped to where it is not 0, exactly the values of the NRRD file.

Highdicom writes it, and two things are set right for dcmqi, hence for Slicer (reference/dicom.md section 5.3): dcmqi
1.5.4 and 1.5.7 crash without a frame anatomy, and ignore the frames' positions, so frames must ascend along the normal.
Integers would be smaller, and crash dcmqi whatever is set right.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from ece_core import RESEARCH_USE_ONLY, __version__
from ece_core.errors import EmptyMaskError, GeometryError, InputError
from ece_core.export import terminology as terms
from ece_core.export.dicom_seg import SERIES_NUMBER, check_grid, concept, own_scheme, series_number, usable_headers
from ece_core.export.highdicom_volume import highdicom_volume
from ece_core.geometry import Array, Volume
from ece_core.io.dicom_instances import name_true_instances
from ece_core.io.strict_dicom import strict_dicom

AFTER_THE_SR = 10  # series number; each heatmap has a series of its own, so that a viewer shows them apart
ON_GRID_VOXELS = 1e-2
MAX_DESCRIPTION = 64  # characters of value representation LO (PS3.5 6.2)
WHAT = "the Parametric Map"


def write_dicom_pm(
    path: Path,
    heatmap: Volume,
    title: str,
    grid: Volume,
    headers: Sequence[Dataset],
    *,
    number: int = 0,
    deflated: bool = False,
) -> None:
    """Write one heatmap as a Parametric Map that belongs to the CT's study.

    Parameters
    ----------
    heatmap
        (k, j, i) float32 in [0, 1], on the CT's grid or a crop of it. Written is the box in which it is not 0.
    title
        What it is, in words: "Grad-CAM".
    grid
        The CT's grid.
    headers
        One per slice of the CT in the order of k.
    number
        0, 1 ...: which of the result's heatmaps, for the number of its series.
    deflated
        Compress the whole file (Deflated Explicit VR Little Endian).

    Raises
    ------
    EmptyMaskError
        The heatmap is 0 everywhere.
    GeometryError
        The heatmap does not lie on voxels of the CT.
    InputError
        The headers hold something that a Parametric Map may not hold. Nothing is written.
    """
    warm, first_slice = warm_box(heatmap, grid)
    with strict_dicom():
        try:
            sources, _ = usable_headers(headers, WHAT)
            check_grid(grid, sources, WHAT)
            used = slice(first_slice, first_slice + warm.shape[0])
            parametric_map = build_dicom_pm(warm, title, sources[used], number)
            name_true_instances(parametric_map, headers[used])
            if deflated:
                parametric_map.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
            parametric_map.save_as(os.fspath(path), enforce_file_format=True)
        except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError) as error:
            raise InputError(
                "The Parametric Map was not written: the CT's DICOM headers hold something that it may not hold.",
                "Use the heatmap's NRRD file, or export the series again from the PACS.",
            ) from error  # the library's words quote values: they stay in the cause


def warm_box(heatmap: Volume, grid: Volume) -> tuple[Volume, int]:
    """The box in which a heatmap is not 0, and the slice of the grid on which it begins.

    Raises
    ------
    EmptyMaskError, GeometryError
    """
    warm = [np.flatnonzero(heatmap.array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(warm[0]):
        raise EmptyMaskError("A heatmap is 0 everywhere: there is nothing to write.", "Explain with another method.")
    k, j, i = [(int(found[0]), int(found[-1]) + 1) for found in warm]
    box = heatmap.crop((k[0], j[0], i[0]), (k[1], j[1], i[1]))
    last = np.array(box.shape) - 1
    corners = grid.to_index(box.to_lps(np.array([np.zeros(3), last])))
    whole = np.rint(corners)
    beside = np.abs(corners - whole).max() > ON_GRID_VOXELS
    if beside or (whole[1] - whole[0] != last).any() or (whole < 0).any() or (whole >= grid.shape).any():
        raise GeometryError("A heatmap does not lie on the voxels of the CT.", "Make it again from this CT.")
    return box, int(whole[0, 0])


def build_dicom_pm(
    heatmap: Volume, title: str, headers: Sequence[Dataset], number: int = 0
) -> hd.pm.ParametricMap:
    """The Parametric Map, not yet written. Headers: those of the heatmap's own slices."""
    parametric_map = hd.pm.ParametricMap(
        source_images=headers,
        pixel_array=highdicom_volume(heatmap.array.astype(np.float32, copy=False), heatmap.affine, headers),
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER + AFTER_THE_SR + number + series_number(headers[0]),
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="ECEDetector (open source)",
        manufacturer_model_name="ece_core",
        software_versions=__version__,
        device_serial_number=__version__,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_what_values_mean()],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        content_label="HEATMAP",
        content_description=_in_lo(f"{title}. {RESEARCH_USE_ONLY}"),
        series_description=_in_lo(f"{title}. {RESEARCH_USE_ONLY}"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    parametric_map.CodingSchemeIdentificationSequence = [
        *parametric_map.get("CodingSchemeIdentificationSequence", []),
        own_scheme(),
    ]
    _add_frame_anatomy(parametric_map)
    if _descends(parametric_map):
        _reverse_frames(parametric_map)
    return parametric_map


def _what_values_mean() -> hd.pm.RealWorldValueMapping:
    return hd.pm.RealWorldValueMapping(
        lut_label=terms.HEATMAP.value,
        lut_explanation=terms.HEATMAP.meaning,
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, 1.0),
        slope=1,
        intercept=0,
        quantity_definition=concept(terms.HEATMAP),
    )


def _in_lo(text: str) -> str:
    """The sentence that must be there comes last, so the title is what is cut."""
    lost = len(text) - MAX_DESCRIPTION
    return text if lost <= 0 else text[: -len(RESEARCH_USE_ONLY) - 2 - lost].rstrip() + f". {RESEARCH_USE_ONLY}"


def _add_frame_anatomy(parametric_map: Dataset) -> None:
    anatomy = Dataset()
    anatomy.AnatomicRegionSequence = [concept(terms.NECK)]
    anatomy.FrameLaterality = "U"  # both sides in one map
    parametric_map.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]


def _descends(parametric_map: Dataset) -> bool:
    """Whether frames run against the normal (row x column direction): true for highdicom 0.28."""
    shared = parametric_map.SharedFunctionalGroupsSequence[0]
    row, column = np.reshape(np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float), (2, 3))
    frames = parametric_map.PerFrameFunctionalGroupsSequence
    first, last = (_position(frames[index]) for index in (0, -1))
    return bool((last - first) @ np.cross(row, column) < 0)


def _position(frame: Dataset) -> Array:
    return np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)


def _reverse_frames(parametric_map: Dataset) -> None:
    frames = list(parametric_map.PerFrameFunctionalGroupsSequence)[::-1]
    for index, frame in enumerate(frames, start=1):
        frame.FrameContentSequence[0].DimensionIndexValues = index
    parametric_map.PerFrameFunctionalGroupsSequence = frames
    shape = len(frames), parametric_map.Rows, parametric_map.Columns
    values = np.frombuffer(parametric_map.FloatPixelData, "<f4").reshape(shape)
    parametric_map.FloatPixelData = np.ascontiguousarray(values[::-1]).tobytes()
