"""A mask of lymph nodes from a file of any kind: NIfTI, NRRD, MetaImage, RTSTRUCT or DICOM SEG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from ece_core.errors import ECEError, EmptyMaskError, GeometryError, InputError
from ece_core.geometry import Volume
from ece_core.io.dicom_file import DicomFile, is_dicom, read_header
from ece_core.io.dicom_folder import is_ct_slice, kind_of
from ece_core.io.dicom_seg import is_dicom_seg, read_dicom_seg
from ece_core.io.image_files import READERS, read_labelmap, suffix_of
from ece_core.io.nodal_names import is_nodal
from ece_core.io.rtstruct import read_rtstruct
from ece_core.io.scan import Scan
from ece_core.io.targets import Instances, OutlinedLymphNode, Target, lymph_nodes_of

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
NAMES_FIX = "Name it GTVn in the program that made it, or choose ROIs or segments by their names with --roi."
# TG-263 allows 16 characters; the second form is what we write ourselves (export/terminology.py).
STRUCTURE_NAME = re.compile(r"[\w+.~^ -]{1,16}|LN\d+( (left|right|midline))?( [IVXAB]{1,4})?, (N|P|ENE)")
T = TypeVar("T")


def read_lymph_nodes(path: Path | str, ct: Scan, names: Sequence[str] = ()) -> Instances:
    """Read a mask as one label per lymph node on the grid of the CT.

    In an image file each label value is one lymph node. Of an RTSTRUCT or DICOM SEG the ROIs or segments that mean
    lymph nodes are used, and each of their components is one lymph node; a segment with a tracking UID is one.

    Parameters
    ----------
    path
        The file, or a folder that holds one RTSTRUCT or DICOM SEG and nothing else of DICOM.
    ct
        The CT that it was drawn on.
    names
        ROIs or segments to use instead of those that are named like lymph nodes; case does not matter.

    Returns
    -------
    Instances
        Its notes say which ROIs or segments were used, and what could not be.

    Raises
    ------
    EmptyMaskError
        No voxel is labelled.
    GeometryError
        The mask is not on the grid of the CT, or in another frame of reference.
    InputError
        The file cannot be read, or holds nothing that means lymph nodes.
    """
    path = _one_file(Path(path))
    if suffix_of(path) in READERS or not is_dicom(path):
        if names:
            raise InputError("ROIs can be chosen in an RTSTRUCT or DICOM SEG only.", "Leave out --roi.")
        return _from_image(path, ct)
    file = read_header(path)
    if is_dicom_seg(file):
        return _from_seg(path, ct, names)
    if is_rtstruct(file):
        return _from_rtstruct(path, ct, names)
    raise InputError(
        f"The mask is a DICOM object of another kind: {'CT slice' if is_ct_slice(file) else kind_of(file)}.",
        "Choose an RTSTRUCT, a DICOM SEG, or a NIfTI, NRRD or MHA labelmap.",
    )


def is_rtstruct(file: DicomFile) -> bool:
    """Whether the file is an RT Structure Set."""
    return file.text("SOPClassUID") == RTSTRUCT


def empty_mask() -> EmptyMaskError:
    return EmptyMaskError("The mask is empty: no voxel is labelled.", "Outline at least one lymph node.")


def _one_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = [child for child in sorted(path.iterdir()) if child.is_file() and is_dicom(child)]
    if len(files) != 1:
        raise InputError(
            f"The folder given as mask holds {len(files)} DICOM files, not one.",
            "Choose the RTSTRUCT or DICOM SEG file itself.",
        )
    return files[0]


def _from_image(path: Path, ct: Scan) -> Instances:
    labelmap = read_labelmap(path)
    if not labelmap.same_grid(ct.volume):
        raise GeometryError(
            f"The mask is not on the grid of the CT: its shape is {labelmap.shape}, the CT's {ct.volume.shape} "
            "(or origin, spacing or direction differ).",
            "Resample the mask to the CT, or choose the CT it was drawn on.",
        )
    labels = np.unique(labelmap.array[labelmap.array > 0])
    if not len(labels):
        raise empty_mask()
    volume = Volume(labelmap.array.astype(np.uint16), ct.volume.affine)  # the reader refuses labels that do not fit
    return Instances(volume, tuple(OutlinedLymphNode(int(label), f"label {label}") for label in labels))


def _from_seg(path: Path, ct: Scan, names: Sequence[str]) -> Instances:
    seg = read_dicom_seg(path, ct)
    chosen = _chosen(seg.segments, names, [(s.label, s.is_lymph_node) for s in seg.segments])
    left_out = _refuse_or_note([segment.error for segment in chosen])
    targets = (
        Target(segment.label, mask, is_one=segment.is_tracked)
        for segment in chosen
        if (mask := segment.mask) is not None
    )
    used = [shown("segment", s.label, s.number) for s in chosen if s.error is None]
    return _told(lymph_nodes_of(targets, ct.volume), used, (*seg.warnings, *left_out))


def _from_rtstruct(path: Path, ct: Scan, names: Sequence[str]) -> Instances:
    listed: list[str] = []  # all names of the file; only those that are wanted are drawn

    def wanted(name: str) -> bool:
        listed.append(name)
        return name.strip().casefold() in _folded(names) if names else is_nodal(name)

    structures = read_rtstruct(path, ct, wanted)
    _chosen(listed, names, [(name, is_nodal(name)) for name in listed])  # for its errors
    left_out = _refuse_or_note([roi.error for roi in structures.rois])
    targets = (Target(roi.name, roi.mask, is_one=roi.one_lymph_node) for roi in structures.rois if roi.mask is not None)
    used = [shown("ROI", roi.name, roi.number) for roi in structures.rois if roi.mask is not None]
    return _told(lymph_nodes_of(targets, ct.volume), used, (*structures.warnings, *left_out))


def shown(kind: str, name: str, number: int) -> str:
    """ "ROI GTVn_L"; "ROI 3" where the name is more than a structure's name can be: free text may hold anything."""
    return f"{kind} {name}" if STRUCTURE_NAME.fullmatch(name) else f"{kind} {number}"


def _folded(names: Sequence[str]) -> set[str]:
    return {name.strip().casefold() for name in names}


def _chosen(objects: Sequence[T], names: Sequence[str], named: Sequence[tuple[str, bool]]) -> list[T]:
    """Those that were asked for by name, else those that mean lymph nodes; ``named``: (name, is nodal) of each.

    Raises
    ------
    InputError
        A name is not there, or nothing means lymph nodes.
    """
    wanted = _folded(names)
    lacking = wanted - _folded([name for name, _ in named])
    if lacking:
        raise InputError(
            f"{len(lacking)} of the names given with --roi are not among the mask's {len(named)} ROIs or segments.",
            "Check how they are written in the program that made it.",
        )
    chosen = [
        thing
        for thing, (name, is_node) in zip(objects, named, strict=True)
        if (name.strip().casefold() in wanted if wanted else is_node)
    ]
    if not chosen:
        raise InputError(
            f"None of the {len(named)} ROIs or segments of the mask is named like lymph nodes (GTVn, GTV_N, GTVnd, "
            "LN_..., nodal, lymph...).",
            NAMES_FIX,
        )
    return chosen


def _refuse_or_note(errors: Sequence[ECEError | None]) -> list[str]:
    """Sentences about those that failed; their words say which.

    Raises
    ------
    ECEError
        None can be used: the first one's own reason.
    """
    failed = [error for error in errors if error is not None]
    if failed and len(failed) == len(errors):
        raise failed[0]
    return [f"Left out: {error.problem}" for error in failed]


def _told(instances: Instances, used: Sequence[str], notes: Sequence[str]) -> Instances:
    if not instances.lymph_nodes:
        raise empty_mask()
    count = len(instances.lymph_nodes)
    sentence = f"Taken from {', '.join(used)}: {count} lymph node{'' if count == 1 else 's'}."
    return Instances(instances.volume, instances.lymph_nodes, (sentence, *notes, *instances.notes))
