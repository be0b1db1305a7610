"""Write a volume as a classic CT series, one file per slice, of an obviously synthetic patient.

Checked against dciodvfy (CT Image IOD, DICOM PS3.3 A.3).
"""

from __future__ import annotations

import copy
import hashlib
import io
import uuid
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from ece_core import __version__
from ece_core.errors import InputError
from ece_core.geometry import Array, Volume
from ece_core.io.quiet import library_call

RESCALE_INTERCEPT = -1024
DATE, TIME = "20200101", "120000"  # fixed: the same seed writes the same bytes
IMPLEMENTATION_UID = "2.25.302939847568391285642083154820195744817"  # drawn once, for this writer

SliceOrder = Literal["ascending", "descending", "shuffled"]


def write_ct_series(
    volume: Volume,
    folder: Path | str,
    *,
    seed: int,
    description: str = "Simulated neck CT",
    kernel: str = "SIMULATED",
    signed: bool = False,
    slice_order: SliceOrder = "ascending",
) -> list[Path]:
    """Write one file per slice.

    Parameters
    ----------
    volume
        (K, J, I) HU, rounded to whole numbers; below -1024 becomes -1024. Any rectangular affine. In DICOM the
        slice normal is row x column direction: of a left-handed affine, ``read_ct`` gives back the same voxels in
        patient space with k reversed.
    folder
        Made if absent; must not hold DICOM files yet.
    seed
        All UIDs derive from it: the same seed, the same UIDs.
    description
        SeriesDescription, at most 64 characters.
    signed
        Store signed numbers with intercept 0 instead of unsigned ones with intercept -1024.
    slice_order
        How InstanceNumber and file names run along k.

    Returns
    -------
    list[Path]
        In the order of k.

    Raises
    ------
    InputError
        The folder holds DICOM files already, or cannot be written.
    """
    folder = Path(folder)
    with library_call("The folder for the DICOM series cannot be made.", "Choose another folder."):
        folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("*.dcm")):
        raise InputError("The folder holds DICOM files already.", "Choose an empty folder.")
    slices = volume.array.shape[0]
    numbers = _instance_numbers(slices, slice_order, seed)
    template = _series(volume, seed, description, kernel, signed)
    paths = [folder / f"ct_{number:04d}.dcm" for number in numbers]
    with library_call("The DICOM series could not be written.", "Check the folder and the free space."):
        for k, (path, number) in enumerate(zip(paths, numbers, strict=True)):
            _slice(template, volume, k, number, seed, signed).save_as(path, enforce_file_format=True)
    return paths


def seeded_uid(seed: int, *parts: object) -> str:
    """A UID under 2.25 that depends on nothing but the seed and the parts."""
    digest = hashlib.sha256("/".join(map(str, ("ece_core", seed, *parts))).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def _instance_numbers(slices: int, order: SliceOrder, seed: int) -> list[int]:
    numbers = np.arange(1, slices + 1)
    if order == "descending":
        numbers = numbers[::-1]
    elif order == "shuffled":
        numbers = np.random.default_rng(seed).permutation(numbers)
    return numbers.tolist()


def _series(volume: Volume, seed: int, description: str, kernel: str, signed: bool) -> Dataset:
    """What all slices share."""
    k_mm, j_mm, i_mm = volume.spacing_mm
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.PatientName, ds.PatientID = "SIMULATED^PATIENT", f"SIM-{seed}"
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.StudyInstanceUID = seeded_uid(seed, "study")
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = DATE
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = TIME
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "1", "", ""
    ds.Modality = "CT"
    ds.SeriesInstanceUID = seeded_uid(seed, "series", description, kernel)
    ds.SeriesNumber, ds.AcquisitionNumber = 1, 1
    ds.SeriesDescription = description[:64]
    ds.BodyPartExamined = "NECK"
    ds.PatientPosition = "HFS"
    ds.FrameOfReferenceUID = seeded_uid(seed, "frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer, ds.ManufacturerModelName = "ECEDetector", "ece_core simulator"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", __version__
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.KVP, ds.ConvolutionKernel = "120", kernel
    ds.SliceThickness = _ds(k_mm)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = volume.array.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.PixelRepresentation = int(signed)
    ds.PixelSpacing = [_ds(j_mm), _ds(i_mm)]
    ds.ImageOrientationPatient = [_ds(x) for x in volume.direction[:, :2].T.ravel()]
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", str(0 if signed else RESCALE_INTERCEPT), "HU"
    ds.WindowCenter, ds.WindowWidth = "60", "350"
    ds.BurnedInAnnotation = "NO"
    return ds


def _slice(template: Dataset, volume: Volume, k: int, number: int, seed: int, signed: bool) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = uid = UID(seeded_uid(seed, "slice", template.SeriesInstanceUID, k))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    ds = FileDataset(io.BytesIO(), copy.copy(template), file_meta=meta, preamble=b"\0" * 128)
    ds.SOPInstanceUID = uid
    ds.InstanceNumber = number
    ds.ImagePositionPatient = [_ds(x) for x in volume.to_lps(np.array((k, 0, 0)))]
    ds.PixelData = _stored(volume.array[k], signed).tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def _stored(hu: Array, signed: bool) -> Array:
    intercept = 0 if signed else RESCALE_INTERCEPT
    info = np.iinfo(np.int16 if signed else np.uint16)
    stored = np.rint(hu).astype(np.int32)
    np.maximum(stored, RESCALE_INTERCEPT, out=stored)
    return np.clip(stored - intercept, info.min, info.max).astype(info.dtype.newbyteorder("<"))


def _ds(value: float) -> DSfloat:
    """A decimal string of at most 16 characters; -0 is written as 0."""
    return DSfloat(float(value) + 0.0, auto_format=True)
