"""A tiny CT series, and ways in which scanners, exports and attackers bend one. Each variant is one function.

A variant takes the slices of the regular series (pydicom datasets, ascending along z) and returns the datasets to be
written; a file variant takes the path of one written slice and changes its bytes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ece_core.geometry import Volume, affine_from
from ece_core.io.ct_series_writer import seeded_uid, write_ct_series
from ece_core.io.quiet import quiet
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

SLICES, ROWS, COLUMNS = 12, 20, 24
STEP_MM = 2.5
MARKED = "ZZMARKED"  # stands for everything that names a patient; must never leave the reader

Slices = list[Dataset]
Variant = Callable[[Slices], Slices]


def a_neck_phantom(slices: int = SLICES) -> Volume:
    """(12, 20, 24) int16 HU: air around an ellipse of soft tissue; no two slices are alike."""
    j, i = np.mgrid[:ROWS, :COLUMNS]
    body = ((j - 9.5) / 8) ** 2 + ((i - 11.5) / 10) ** 2 < 1
    array = np.where(body, 40, -1000).astype(np.int16)[None].repeat(slices, axis=0)
    array += np.arange(slices, dtype=np.int16)[:, None, None]
    array[:, 5, 7] = np.arange(slices) * 17  # left and right, front and back differ
    return Volume(array, affine_from((STEP_MM, 0.8, 0.6), (-7.0, -9.0, -100.0)))


def a_series(tmp_path: Path, volume: Volume | None = None, seed: int = 1, **options) -> Slices:
    """Datasets of a regular series whose patient is ``MARKED``."""
    folder = tmp_path / f"clean_{seed}"
    paths = write_ct_series(volume or a_neck_phantom(), folder, seed=seed, **options)
    slices = [dcmread(path) for path in paths]
    for ds in slices:
        ds.PatientName, ds.PatientID = f"{MARKED}^NAME", f"{MARKED}-ID"
        ds.PatientBirthDate, ds.StudyDescription = "19500101", f"{MARKED} neck"
    return slices


def save(slices: Sequence[Dataset], folder: Path) -> Path:
    """Write the datasets as they are, with no check, into a folder named after the patient."""
    folder = folder / f"{MARKED}_study"
    folder.mkdir(exist_ok=True)
    for number, ds in enumerate(slices):
        dcmwrite(folder / f"{number:03d}.dcm", ds, enforce_file_format=True)
    return folder


def setting(keyword: str, value, only: Sequence[int] | None = None) -> Variant:
    """Another value for one element, in all slices or in some."""

    def change(slices: Slices) -> Slices:
        with quiet():  # pydicom warns of the values that we are after
            for index in range(len(slices)) if only is None else only:
                setattr(slices[index], keyword, value)
        return slices

    return change


def without(keyword: str, only: Sequence[int] | None = None) -> Variant:
    """One element deleted, in all slices or in some."""

    def change(slices: Slices) -> Slices:
        for index in range(len(slices)) if only is None else only:
            delattr(slices[index], keyword)
        return slices

    return change


def moved(slices: Slices, offsets_mm: Sequence[Sequence[float]]) -> Slices:
    """Each slice moved by (x, y, z) mm."""
    for ds, offset in zip(slices, offsets_mm, strict=True):
        position = [float(a) + b for a, b in zip(ds.ImagePositionPatient, offset, strict=True)]
        ds.ImagePositionPatient = [f"{x:.6f}" for x in position]
    return slices


def tilted(slices: Slices) -> Slices:
    """Gantry tilt of 15 degrees: the normal leans, the table still moves along z."""
    c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
    return setting("ImageOrientationPatient", [1, 0, 0, 0, f"{c:.9f}", f"{-s:.9f}"])(slices)


def without_slice(*missing: int) -> Variant:
    return lambda slices: [ds for index, ds in enumerate(slices) if index not in missing]


def uneven(slices: Slices) -> Slices:
    """2.5 mm, then 5 mm in the upper half."""
    return moved(slices, [(0, 0, max(0, index - 6) * STEP_MM) for index in range(len(slices))])


def jittered(mm: float) -> Variant:
    return lambda slices: moved(slices, [(0, 0, mm if index % 2 else -mm) for index in range(len(slices))])


def shifted_sideways(slices: Slices) -> Slices:
    return moved(slices, [(3.0 if index == 5 else 0, 0, 0) for index in range(len(slices))])


def two_kernels(slices: Slices) -> Slices:
    """Every position twice, in one series."""
    sharp = renamed(copy.deepcopy(slices), seed=2)
    return slices + setting("ConvolutionKernel", "B70f")(sharp)


def two_acquisitions(slices: Slices) -> Slices:
    return slices + setting("AcquisitionNumber", 2)(renamed(copy.deepcopy(slices), seed=2))


def two_alike(slices: Slices) -> Slices:
    return slices + renamed(copy.deepcopy(slices), seed=2)


def one_position(slices: Slices) -> Slices:
    return setting("ImagePositionPatient", [0, 0, 0])(slices)


def same_file_twice(slices: Slices) -> Slices:
    return [*slices, copy.deepcopy(slices[3])]


def same_uid_other_pixels(slices: Slices) -> Slices:
    changed = copy.deepcopy(slices[3])
    changed.PixelData = bytes(len(changed.PixelData))
    return [*slices, changed]


def same_uid_other_header(slices: Slices) -> Slices:
    changed = copy.deepcopy(slices[3])
    changed.ConvolutionKernel = "B70f"
    return [*slices, changed]


def renamed(slices: Slices, seed: int) -> Slices:
    """Other SOPInstanceUIDs."""
    for index, ds in enumerate(slices):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = seeded_uid(seed, "renamed", index)
    return slices


def a_localizer(slices: Slices, marked: bool, rows: int = ROWS) -> Dataset:
    """A sagittal view in the same series."""
    scout = renamed([copy.deepcopy(slices[0])], seed=3)[0]
    scout.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    if marked:
        scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    if rows != ROWS:
        scout.Rows = rows
        scout.PixelData = bytes(2 * rows * COLUMNS)
    return scout


def with_marked_localizer(slices: Slices) -> Slices:
    return [a_localizer(slices, marked=True, rows=40), *slices]


def with_unmarked_localizer(slices: Slices) -> Slices:
    return [a_localizer(slices, marked=False), *slices]


def axial_and_coronal(slices: Slices) -> Slices:
    coronal = renamed(copy.deepcopy(slices), seed=2)
    return slices + setting("ImageOrientationPatient", [1, 0, 0, 0, 0, -1])(coronal)


def unsigned_12_bit(slices: Slices) -> Slices:
    """BitsStored 12, with rubbish in the four upper bits, as old overlays leave it."""
    for ds in slices:
        stored = np.frombuffer(ds.PixelData, "<u2") | 0xA000
        ds.BitsStored, ds.HighBit, ds.PixelData = 12, 11, stored.astype("<u2").tobytes()
    return slices


def signed_12_bit(slices: Slices) -> Slices:
    """Two's complement in 12 bits, upper bits zero."""
    for ds in slices:
        hu = np.frombuffer(ds.PixelData, "<u2").astype(int) - 1024
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation, ds.RescaleIntercept = 12, 11, 1, "0"
        ds.PixelData = (hu & 0xFFF).astype("<u2").tobytes()
    return slices


def rescale_per_slice(slices: Slices) -> Slices:
    """The same HU, stored with another intercept in each slice."""
    for index, ds in enumerate(slices):
        stored = np.frombuffer(ds.PixelData, "<u2") + index
        ds.PixelData, ds.RescaleIntercept = stored.astype("<u2").tobytes(), str(-1024 - index)
    return slices


def half_unit_slope(slices: Slices) -> Slices:
    """Stored values are half HU."""
    for ds in slices:
        hu = np.frombuffer(ds.PixelData, "<u2").astype(int) - 1024
        ds.PixelData, ds.RescaleSlope = (2 * (hu + 1024) + 1).astype("<u2").tobytes(), "0.5"
    return slices


def padded_row(slices: Slices) -> Slices:
    """A row of padding far above tissue, its value written with the wrong sign."""
    for ds in slices:
        stored = np.frombuffer(ds.PixelData, "<u2").copy()
        stored[:COLUMNS] = 63536  # the first row
        ds.PixelData = stored.tobytes()
        ds.add_new("PixelPaddingValue", "SS", -2000)
    return slices


def encoded(syntax: str) -> Variant:
    """The same slices in another transfer syntax."""

    def change(slices: Slices) -> Slices:
        for ds in slices:
            if syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
                ds.file_meta.TransferSyntaxUID = syntax
            else:
                ds.compress(syntax, generate_instance_uid=False)
        return slices

    return change


def as_other_object(sop_class: str, modality: str) -> Variant:
    def change(slices: Slices) -> Slices:
        for ds in slices:
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
            ds.Modality = modality
        return slices

    return change


def cut_in_pixels(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_in_header(path: Path) -> None:
    """Ends before the patient's name, so before the series UID."""
    data = path.read_bytes()
    path.write_bytes(data[: data.index(MARKED.encode())])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(4000))


def replaced(old: bytes, new: bytes) -> Callable[[Path], None]:
    """Bytes of the file exchanged, of one length."""
    assert len(old) == len(new)

    def change(path: Path) -> None:
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new))

    return change


def deeply_nested(slices: Slices) -> Slices:
    """A sequence in a sequence in a sequence."""
    for ds in slices:
        for _ in range(100):
            outer = Dataset()
            outer.ReferencedImageSequence = [] if "ReferencedImageSequence" not in ds else ds.ReferencedImageSequence
            ds.ReferencedImageSequence = [outer]
    return slices


def one_wider_slice(slices: Slices) -> Slices:
    slices[5].Rows = 2 * ROWS
    slices[5].PixelData = bytes(2 * 2 * ROWS * COLUMNS)
    return slices


def text_of(group: int, element: int, vr: bytes, text: bytes) -> Callable[[Path], None]:
    """Another value in a short element, its length made to fit."""

    def change(path: Path) -> None:
        data = path.read_bytes()
        head = group.to_bytes(2, "little") + element.to_bytes(2, "little") + vr
        at = data.index(head)
        old = int.from_bytes(data[at + 6 : at + 8], "little")
        value = text + b" " * (len(text) % 2)
        path.write_bytes(data[: at + 6] + len(value).to_bytes(2, "little") + value + data[at + 8 + old :])

    return change


def enhanced(slices: Slices, number_of_frames: int | None = None) -> Slices:
    """All slices as the frames of one enhanced CT object, in an order of its own."""
    order = [*range(1, len(slices), 2), *range(0, len(slices), 2)]
    ds = copy.deepcopy(slices[0])
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
                    "RescaleIntercept", "RescaleType", "ConvolutionKernel", "KVP"):  # fmt: skip
        if keyword in ds:
            delattr(ds, keyword)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    ds.SharedFunctionalGroupsSequence = [
        _group(
            PlaneOrientationSequence=_item(slices[0], "ImageOrientationPatient"),
            PixelMeasuresSequence=_item(slices[0], "PixelSpacing", "SliceThickness"),
        )
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        _group(
            PlanePositionSequence=_item(slices[index], "ImagePositionPatient"),
            PixelValueTransformationSequence=_item(slices[index], "RescaleSlope", "RescaleIntercept", "RescaleType"),
        )
        for index in order
    ]
    ds.NumberOfFrames = len(slices) if number_of_frames is None else number_of_frames
    ds.PixelData = b"".join(slices[index].PixelData for index in order)
    return [ds]


def twice(keyword: str) -> Variant:
    """A sequence of an enhanced CT, on top or shared by its frames, with its items twice."""

    def change(slices: Slices) -> Slices:
        (ds,) = slices
        holder = ds if keyword in ds else ds.SharedFunctionalGroupsSequence[0]
        setattr(holder, keyword, [*holder[keyword].value, *copy.deepcopy(list(holder[keyword].value))])
        return slices

    return change


def _item(slice_: Dataset, *keywords: str) -> Dataset:
    item = Dataset()
    for keyword in keywords:
        item.add(slice_[keyword])
    return item


def _group(**items: Dataset) -> Dataset:
    group = Dataset()
    for keyword, item in items.items():
        setattr(group, keyword, [item])
    return group
