"""A small RTSTRUCT written out by hand, as a planning system might: one polygon per piece and slice."""

from __future__ import annotations

import numpy as np
from ece_core.io import Scan
from pydicom import Dataset, Sequence
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid
from skimage.measure import find_contours


def write_rtstruct_of(path, ct: Scan, array: np.ndarray, names: dict[int, str]):
    """``array`` (K, J, I): the label of each ROI; contours run half way between voxel centers."""
    header = ct.headers[0]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTStructureSetStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    rt = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    rt.SOPClassUID, rt.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    rt.Modality, rt.StructureSetLabel = "RTSTRUCT", "PLAN"
    rt.PatientID, rt.StudyInstanceUID, rt.SeriesInstanceUID = header.PatientID, header.StudyInstanceUID, generate_uid()
    series = Dataset()
    series.SeriesInstanceUID = header.SeriesInstanceUID
    study = Dataset()
    study.RTReferencedSeriesSequence = Sequence([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = header.FrameOfReferenceUID
    frame.RTReferencedStudySequence = Sequence([study])
    rt.ReferencedFrameOfReferenceSequence = Sequence([frame])
    rt.StructureSetROISequence = Sequence([_roi(number, name, header) for number, name in names.items()])
    rt.ROIContourSequence = Sequence([_contours(number, ct, array == number) for number in names])
    rt.save_as(path, enforce_file_format=True)
    return path


def _roi(number, name, header) -> Dataset:
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, "MANUAL"
    roi.ReferencedFrameOfReferenceUID = header.FrameOfReferenceUID
    return roi


def _contours(number, ct, mask) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = number
    item.ContourSequence = Sequence(
        [
            _contour(ct, k, polygon - 1)
            for k in np.flatnonzero(mask.any(axis=(1, 2)))
            for polygon in find_contours(np.pad(mask[k], 1).astype(float), 0.5)
        ]
    )
    return item


def _contour(ct, k, polygon_ji) -> Dataset:
    image = Dataset()
    image.ReferencedSOPClassUID = ct.headers[k].SOPClassUID
    image.ReferencedSOPInstanceUID = ct.headers[k].SOPInstanceUID
    index = np.column_stack([np.full(len(polygon_ji) - 1, k), polygon_ji[:-1]])
    contour = Dataset()
    contour.ContourImageSequence = Sequence([image])
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(index)
    contour.ContourData = [f"{mm:.4f}" for mm in ct.volume.to_lps(index).ravel()]
    return contour
