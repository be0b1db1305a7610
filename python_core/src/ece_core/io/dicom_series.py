"""A DICOM folder to one CT: choose the series, check it, put its slices in order, read the pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset

from ece_core.errors import GeometryError, InputError
from ece_core.geometry import Array, Volume
from ece_core.io.dicom_checks import check_headers
from ece_core.io.dicom_enhanced import all_frames
from ece_core.io.dicom_file import DAMAGED_FIX, DicomFile, read_header
from ece_core.io.dicom_folder import Contents, is_ct_slice, is_multi_frame_ct, kind_of, named, read_folder
from ece_core.io.dicom_grid import check_no_sideways_shift, grid_affine, sorted_along_normal
from ece_core.io.dicom_instances import instances_of, resampled_headers
from ece_core.io.dicom_orientation import one_orientation
from ece_core.io.dicom_pixels import hounsfield, release, whole_rescale
from ece_core.io.dicom_regrid import Regrid, check_corrections, planned
from ece_core.io.dicom_repeats import one_slice_per_position, without_copies
from ece_core.io.dicom_warnings import complete_by_its_own_count
from ece_core.io.header_numbers import of_slices
from ece_core.io.plausible_hu import hu_warnings
from ece_core.io.quiet import quiet
from ece_core.io.scan import Scan

RESAMPLED = (
    "The CT was resampled: DICOM objects of the result lie on the resampled grid, and refer to the series instead of "
    "to slices of it."
)


@dataclass(frozen=True)
class SeriesInfo:
    """One CT series of a folder, in facts that name no patient.

    Parameters
    ----------
    number
        1..n in the order of ``list_series``.
    series_uid
        SeriesInstanceUID, for ``read_ct(..., series_uid=...)``.
    modality, slices, rows, columns
        As the headers say; rows and columns are 0 if the first header does not.
    spacing_mm
        Along (k, j, i); None if the series has no regular grid.
    """

    number: int
    series_uid: str
    modality: str
    slices: int
    rows: int
    columns: int
    spacing_mm: tuple[float, float, float] | None

    def __str__(self) -> str:
        spacing = " x ".join(f"{mm:.3g}" for mm in self.spacing_mm) + " mm" if self.spacing_mm else "no regular grid"
        return (
            f"{self.number}. {self.modality}, {self.slices} slices, {self.rows} x {self.columns}, {spacing}, "
            f"{self.series_uid}"
        )


@quiet()
def list_series(folder: Path | str) -> list[SeriesInfo]:
    """The CT series of a DICOM folder, the one with most slices first. Reads headers only.

    Raises
    ------
    InputError
        The folder does not exist or holds too many files.
    """
    folder = _existing(Path(folder))
    return _list(_by_series(_slices(read_folder(folder))))


@quiet()
def read_dicom(path: Path, series_uid: str | None = None, correct: Sequence[str] = ()) -> Scan:
    """Read one CT series of a folder; of a file, the series that the file belongs to.

    ``correct`` names what of the geometry may be resampled: :data:`~ece_core.io.dicom_regrid.CORRECTIONS`.

    Raises
    ------
    GeometryError
        The slices form no regular rectangular grid.
    InputError
        No CT series, more than one, or one that cannot be read.
    """
    check_corrections(correct)
    if path.is_file():
        series_uid = series_uid or _series_of(path)
        contents = read_folder(path.parent, recursive=False)
    else:
        contents = read_folder(path)
    series_uid, part = _uid_and_part(series_uid)
    chosen = _choose(contents, series_uid)
    warnings = _set_aside_warnings(contents)
    try:
        files, grid, about_slices = _in_order(chosen, part, correct)
    except GeometryError as error:  # the slice that is missing may be the file that could not be read
        raise GeometryError(f"{error.problem} {contents.unread}".strip(), error.fix) from error
    array = _voxels(files)
    volume = grid.apply(array) if isinstance(grid, Regrid) else Volume(array, grid)
    headers: list[Dataset] = [file.header for file in files]
    if isinstance(grid, Regrid):
        headers = resampled_headers(volume, headers[0], instances_of(headers))
        warnings.append(RESAMPLED)
    warnings += about_slices + complete_by_its_own_count(files) + hu_warnings(array)
    return Scan(
        volume=volume,
        format="dicom",
        headers=tuple(headers),
        series_uid_sha256=hashlib.sha256(files[0].text("SeriesInstanceUID").encode()).hexdigest(),
        warnings=tuple(warnings),
        modality="CT",
    )


def _in_order(
    slices: Sequence[DicomFile], part: int | None = None, correct: Sequence[str] = ()
) -> tuple[list[DicomFile], Array | Regrid, list[str]]:
    """Slices of one series in order, their grid's affine (or how to resample them), and what was done. Headers only."""
    files, about_copies = without_copies(slices)
    files, about_orientation = one_orientation(files)
    check_headers(files)
    files = one_slice_per_position(sorted_along_normal(files), part)
    about = about_copies + about_orientation
    plan = planned(files, correct) if correct else None
    if plan is not None:
        regrid, said = plan
        if not regrid.shifts.any():
            check_no_sideways_shift(files)
        return files, regrid, about + said
    return files, grid_affine(files), about


def _voxels(files: Sequence[DicomFile]) -> Array:
    """(K, J, I) int16 HU if every slice's rescale is whole, else float32."""
    dtype = np.int16 if all(whole_rescale(file) for file in files) else np.float32
    bounds = np.iinfo(np.int16) if dtype is np.int16 else np.finfo(np.float32)
    array = np.empty((len(files), int(files[0].header.Rows), int(files[0].header.Columns)), dtype)
    try:
        for voxels, file in zip(array, files, strict=True):
            voxels[:] = np.minimum(hounsfield(file), bounds.max)
    finally:
        release()
    return array


def _uid_and_part(series: str | None) -> tuple[str | None, int | None]:
    """ "UID#2" to the UID and 2: a set of slices within a series that holds several at the same positions."""
    if series is None or "#" not in series:
        return series, None
    uid, _, part = series.partition("#")
    if not part.isdecimal() or len(part) > 4:
        raise InputError("The part of a series is chosen by its number.", "Write it as in --series UID#1.")
    return uid, int(part)


def _series_of(path: Path) -> str:
    file = read_header(path)
    if not is_ct_slice(file) and not is_multi_frame_ct(file):
        raise InputError(f"The file holds no CT slice: {kind_of(file)}.", "Choose the folder of a CT series.")
    return file.text("SeriesInstanceUID")


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError("The file or folder does not exist.", "Check the path and try again.")
    return path


def _slices(contents: Contents) -> list[DicomFile]:
    return [*contents.slices, *all_frames(contents.multi_frame)]


def _by_series(slices: Sequence[DicomFile]) -> dict[str, list[DicomFile]]:
    series: dict[str, list[DicomFile]] = {}
    for file in slices:
        series.setdefault(file.text("SeriesInstanceUID"), []).append(file)
    nameless = len(series.get("", ()))
    if nameless:
        raise InputError(
            f"SeriesInstanceUID is missing in {of_slices(nameless, len(slices))}; the files are damaged or cut off.",
            DAMAGED_FIX,
        )
    return series


def _list(series: dict[str, list[DicomFile]]) -> list[SeriesInfo]:
    ordered = sorted(series.items(), key=lambda item: (-len(item[1]), item[0]))
    return [_info(number, uid, files) for number, (uid, files) in enumerate(ordered, start=1)]


def _info(number: int, uid: str, files: Sequence[DicomFile]) -> SeriesInfo:
    return SeriesInfo(
        number=number,
        series_uid=uid,
        modality="CT",
        slices=len(files),
        rows=_count(files[0], "Rows"),
        columns=_count(files[0], "Columns"),
        spacing_mm=_spacing(files),
    )


def _count(file: DicomFile, keyword: str) -> int:
    text = file.text(keyword)
    return int(text) if text.isdecimal() else 0


def _spacing(files: Sequence[DicomFile]) -> tuple[float, float, float] | None:
    try:
        _, grid, _ = _in_order(files)
    except InputError:
        return None
    if not isinstance(grid, np.ndarray):  # positions to be corrected have no one spacing
        return None
    i, j, k = np.linalg.norm(grid[:3, :3], axis=0)
    return (float(k), float(j), float(i))


def _choose(contents: Contents, series_uid: str | None) -> list[DicomFile]:
    series = _by_series(_slices(contents))
    if series_uid is not None and series_uid in series:
        return series[series_uid]
    if not series:
        raise _nothing_to_read(contents)
    if series_uid is None and len(series) == 1:
        return next(iter(series.values()))
    listed = "\n".join(str(info) for info in _list(series))
    if series_uid is not None:
        raise InputError(
            f"The folder has no CT series with the UID that was asked for. It has {len(series)}:\n{listed}\n",
            "Choose one of them with --series UID.",
        )
    raise InputError(f"The folder holds {len(series)} CT series:\n{listed}\n", "Choose one of them with --series UID.")


def _nothing_to_read(contents: Contents) -> InputError:
    if contents.set_aside:
        return InputError(
            f"The folder holds no CT slices, only: {named(contents.set_aside)}.",
            "Choose the folder of a CT series.",
        )
    if contents.unread:
        return InputError(f"No CT slice could be read. {contents.unread}", DAMAGED_FIX)
    return InputError("The folder holds no DICOM files.", "Choose the folder of a CT series, or a NIfTI file.")


def _set_aside_warnings(contents: Contents) -> list[str]:
    kinds = contents.set_aside
    warnings = [f"Set aside, no CT slices: {named(kinds)}."] if kinds else []
    return warnings + ([contents.unread] if contents.unread else [])
