"""DICOM studies: a CT series with the RTSTRUCT and SEG files that were drawn on it.

Nothing of DICOM that names a patient leaves: case ids are hashes of the study's UID, patients are numbered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from pydicom import Dataset as Header

from ece_core.errors import ECEError, EmptyMaskError, InputError
from ece_core.geometry import Volume
from ece_core.io.datasets.case import Case, Outlines
from ece_core.io.datasets.dataset import Dataset
from ece_core.io.datasets.labelmaps import outlines_of
from ece_core.io.dicom_file import DicomFile, is_dicom, read_header, text_of
from ece_core.io.dicom_folder import is_ct_slice
from ece_core.io.dicom_seg import Segment, is_dicom_seg, read_dicom_seg
from ece_core.io.limits import MAX_FILES
from ece_core.io.mask_file import is_rtstruct
from ece_core.io.nodal_names import is_nodal
from ece_core.io.quiet import LIBRARY_ERRORS, quiet
from ece_core.io.reading import read_ct
from ece_core.io.rtstruct import Roi, read_rtstruct
from ece_core.io.scan import Scan
from ece_core.io.targets import Target, lymph_nodes_of

ID_DIGITS = 12  # of the SHA-256: 48 bits, no two of a million studies share them by chance
# Where an RTSTRUCT and a SEG name the series that they were drawn on.
TO_SERIES = (
    ("ReferencedFrameOfReferenceSequence", "RTReferencedStudySequence", "RTReferencedSeriesSequence"),
    ("ReferencedSeriesSequence",),
)
ONE_CT_FIX = "Keep one CT series per study, or the RTSTRUCT or SEG that was drawn on the right one."


def load_dicom_studies(folder: Path | str) -> Dataset:
    """One case per study. Each folder (or file) directly below ``folder`` is looked into, to any depth.

    Of several CT series the one is taken that the study's RTSTRUCT or SEG refers to. ROIs and segments that mean
    lymph nodes become lymph nodes, one per component; a tracked segment, and an ROI that says so, is one.

    Parameters
    ----------
    folder
        With one folder per patient or study. Labels are matched by the names of these folders or by PatientID
        (``Dataset.with_labels``); neither is kept anywhere else.

    Raises
    ------
    InputError
        There is no DICOM file.
    """
    studies: dict[str, _Study] = {}
    patients: dict[str, str] = {}
    entries = sorted(Path(folder).iterdir()) if Path(folder).is_dir() else []
    for entry in entries:
        first = next(_dicom_files(entry), None)
        if first is None:
            continue
        study = studies.setdefault(first.text("StudyInstanceUID"), _Study())
        study.entries.append(entry)
        study.patient_id = study.patient_id or first.text("PatientID")
    cases = []
    for uid, study in studies.items():
        patient = patients.setdefault(study.patient_id or uid, f"patient-{len(patients) + 1:04d}")
        cases.append(
            Case(
                f"dicom-{hashlib.sha256(uid.encode()).hexdigest()[:ID_DIGITS]}",
                patient,
                keys=tuple(key for key in (*(entry.name for entry in study.entries), study.patient_id) if key),
                read_scan=study.read_scan,
                read_outlines=study.read_outlines,
            )
        )
    return Dataset("DICOM studies", cases)


@dataclass(eq=False)
class _Study:
    """Where the files of a study lie; they are sorted at the first reading."""

    entries: list[Path] = field(default_factory=list)
    patient_id: str = ""

    @cached_property
    def files(self) -> _Files:
        files = _Files()
        for entry in self.entries:
            for file in _dicom_files(entry):
                if is_ct_slice(file):
                    files.ct.setdefault(file.text("SeriesInstanceUID"), entry)
                elif is_rtstruct(file) or is_dicom_seg(file):
                    # SEG first: its voxels are exact, contours of the same lymph node then count as a repetition
                    files.masks.append((not is_dicom_seg(file), file.path, referenced_series(file.header)))
        files.masks.sort(key=lambda mask: (mask[0], mask[1]))
        return files

    def read_scan(self) -> Scan:
        series = self.files.ct
        named = {uid for _, _, uids in self.files.masks for uid in uids} & set(series)
        chosen = named if len(series) > 1 and named else set(series)
        if not chosen:
            raise InputError("The study holds no CT slices.", "Export the CT series into the study's folder.")
        if len(chosen) > 1:
            why = "no RTSTRUCT or SEG says which" if not named else "its RTSTRUCT and SEG files refer to several"
            raise InputError(f"The study holds {len(series)} CT series, and {why}.", ONE_CT_FIX)
        (uid,) = chosen
        return read_ct(series[uid], uid)

    def read_outlines(self, ct: Scan) -> Outlines:
        targets: list[Callable[[], Iterator[Target]]] = []
        readers: dict[str, Callable[[], Volume]] = {}
        notes: list[str] = []
        uid = text_of(ct.headers[0], "SeriesInstanceUID")
        for is_contours, path, uids in self.files.masks:
            if uids and uid not in uids:
                notes.append("An RTSTRUCT or SEG of the study was left out: it refers to another series.")
                continue
            try:
                read = _contours if is_contours else _segments
                found, others, said = read(path, ct)
            except ECEError as error:
                notes.append(f"An RTSTRUCT or SEG of the study was left out: {error.problem}")
                continue
            targets += [found] if found else []
            if set(others) & set(readers):
                notes.append("Several RTSTRUCT or SEG files outline a structure of one name: the first one's is used.")
            readers = {**others, **readers}
            notes += said
        instances = lymph_nodes_of((target for each in targets for target in each()), ct.volume) if targets else None
        return outlines_of(instances, readers, tuple(dict.fromkeys(notes)))


@dataclass(eq=False)
class _Files:
    """CT series UID -> the entry that holds it; masks as (is an RTSTRUCT, path, series that it refers to)."""

    ct: dict[str, Path] = field(default_factory=dict)
    masks: list[tuple[bool, Path, frozenset[str]]] = field(default_factory=list)


Readers = dict[str, Callable[[], Volume]]
Found = tuple[Callable[[], Iterator[Target]] | None, Readers, list[str]]


def _segments(path: Path, ct: Scan) -> Found:
    """Targets (made when they are asked for), structures and notes of a SEG."""
    seg = read_dicom_seg(path, ct)
    good = [segment for segment in seg.segments if segment.error is None]
    nodal = [segment for segment in good if segment.is_lymph_node]

    def targets() -> Iterator[Target]:
        for segment in nodal:
            mask = segment.mask
            if mask is not None:
                yield Target(segment.label, mask, is_one=segment.is_tracked)

    others: Readers = {s.label: partial(_mask_of, s) for s in reversed(good) if not s.is_lymph_node}
    return targets if nodal else None, others, [*seg.warnings, *_left_out(seg.segments)]


def _contours(path: Path, ct: Scan) -> Found:
    """Targets, structures (drawn when they are asked for) and notes of an RTSTRUCT."""
    names: list[str] = []

    def wanted(name: str) -> bool:
        names.append(name)
        return is_nodal(name)

    structures = read_rtstruct(path, ct, wanted)
    good = [(roi, roi.mask) for roi in structures.rois if roi.mask is not None]

    def targets() -> Iterator[Target]:
        return (Target(roi.name, mask, is_one=roi.one_lymph_node) for roi, mask in good)

    others: Readers = {name: partial(_draw, path, ct, name) for name in names if not is_nodal(name)}
    return targets if good else None, others, [*structures.warnings, *_left_out(structures.rois)]


def _mask_of(thing: Segment | Roi) -> Volume:
    if thing.mask is None:
        raise thing.error or EmptyMaskError("The structure has no voxels.", "Choose another structure.")
    return thing.mask


def _draw(path: Path, ct: Scan, name: str) -> Volume:
    return _mask_of(read_rtstruct(path, ct, lambda other: other == name).rois[0])


def _left_out(things) -> list[str]:
    return [f"Left out: {thing.error.problem}" for thing in things if thing.error is not None]


def referenced_series(header: Header) -> frozenset[str]:
    """UIDs of the series that an RTSTRUCT or SEG says it was drawn on; empty if it does not say."""
    found: set[str] = set()
    for way in TO_SERIES:
        items = [header]
        for keyword in way:
            items = [inner for item in items for inner in _items(item, keyword)]
        found |= {text_of(item, "SeriesInstanceUID") for item in items}
    return frozenset(found - {""})


def _items(dataset: Header, keyword: str) -> list[Header]:
    try:
        with quiet():
            return list(dataset.get(keyword) or ())
    except LIBRARY_ERRORS:
        return []


def _dicom_files(entry: Path) -> Iterator[DicomFile]:
    """Headers of the DICOM files of a folder, at any depth, or of one file; damaged ones are skipped here."""
    paths = [entry] if entry.is_file() else sorted(path for path in entry.rglob("*") if path.is_file())
    if len(paths) > MAX_FILES:
        raise InputError(f"A folder of the data set holds more than {MAX_FILES} files.", "Give each study a folder.")
    for path in paths:
        if is_dicom(path):
            try:
                yield read_header(path)
            except InputError:
                continue
