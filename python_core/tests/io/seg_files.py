"""DICOM Segmentations as highdicom writes them, on a small CT, and ways to bend them."""

from __future__ import annotations

from collections.abc import Callable

import highdicom as hd
import numpy as np
from ece_core.geometry import Volume, affine_from
from ece_core.io import Scan, read_ct, write_ct_series
from pydicom import Dataset, Sequence, dcmread, dcmwrite
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

SHAPE_KJI = (9, 17, 19)  # 323 pixels: frames of a BINARY begin within a byte


def a_ct(folder, direction=None, seed=1, shape=SHAPE_KJI) -> Scan:
    """A CT series of air and tissue, as our reader gives it back."""
    array = np.full(shape, -1000, np.int16)
    array[:, 2:-2, 2:-2] = 40
    affine = affine_from((2.5, 0.8, 0.8), (-7.0, -9.0, -100.0), direction)
    write_ct_series(Volume(array, affine), folder, seed=seed)
    return read_ct(folder)


def outlines(ct: Scan) -> np.ndarray:
    """(K, J, I) 0, 1, 2: one box; two boxes apart."""
    array = np.zeros(ct.volume.shape, np.uint8)
    array[1:4, 3:8, 5:9] = 1
    array[5:8, 10:14, 3:6] = 2
    array[5, 3:5, 12:14] = 2
    return array


def described(number: int, label: str, lymph_node: bool = False, tracked: bool = False) -> hd.seg.SegmentDescription:
    tracking = dict(tracking_uid=hd.UID(), tracking_id=label) if tracked else {}
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=hd.sr.CodedConcept("59441001", "SCT", "Lymph node")
        if lymph_node
        else codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        **tracking,
    )


def write_seg(path, ct: Scan, array, descriptions, kind="BINARY", omit_empty_frames=True):
    """``array`` (K, J, I) of segment numbers, or (K, J, I, segments) of 0 and 1."""
    seg = hd.seg.Segmentation(
        source_images=list(ct.headers),
        pixel_array=array,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=hd.UID(),
        series_number=2,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="somebody else",
        manufacturer_model_name="model",
        software_versions="1",
        device_serial_number="1",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=omit_empty_frames,
    )
    seg.save_as(path)
    return path


def a_seg(path, ct: Scan, labels=("GTVn", "Parotid"), **options):
    return write_seg(
        path, ct, outlines(ct), [described(n, label) for n, label in enumerate(labels, start=1)], **options
    )


def bent(path, change) -> None:
    """Rewrite the file after ``change(dataset)``."""
    dataset = dcmread(path)
    change(dataset)
    dcmwrite(path, dataset)


def in_frame_order(order) -> Callable[[Dataset], None]:
    """The same frames in another order of the file."""

    def change(dataset: Dataset) -> None:
        count, pixels = int(dataset.NumberOfFrames), dataset.Rows * dataset.Columns
        index = order(list(range(count)))
        bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")[: count * pixels]
        packed = np.packbits(bits.reshape(count, pixels)[index].ravel(), bitorder="little").tobytes()
        dataset.PixelData = packed + b"\0" * (len(packed) % 2)
        groups = dataset.PerFrameFunctionalGroupsSequence
        dataset.PerFrameFunctionalGroupsSequence = Sequence([groups[i] for i in index])

    return change


def moved(offset_lps, segment: int | None = None):
    """All frames moved, or those of one segment."""

    def change(dataset: Dataset) -> None:
        for groups in dataset.PerFrameFunctionalGroupsSequence:
            number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            if segment in (None, number):
                plane = groups.PlanePositionSequence[0]
                plane.ImagePositionPatient = [
                    float(a) + b for a, b in zip(plane.ImagePositionPatient, offset_lps, strict=True)
                ]

    return change
