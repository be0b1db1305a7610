"""A CT as it was read: voxels in HU, where they came from, and what the reader has to say about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ece_core.geometry import Volume

if TYPE_CHECKING:
    import pydicom

Format = Literal["dicom", "nifti", "nrrd", "mha", "npz"]


@dataclass(frozen=True, eq=False)
class Scan:
    """One CT volume and its provenance.

    Parameters
    ----------
    volume
        (K, J, I) int16 or float32 in HU. From DICOM, k ascends along the slice normal (row x column direction).
    format
        Kind of file that it was read from.
    headers
        The slices' DICOM headers without pixels, in the order of k; empty if the input was not DICOM. Of a slice that
        is no file of its own (a frame, or resampled) a made-up one: :mod:`~ece_core.io.dicom_instances`.
        They hold the patient's data: for DICOM objects that we write, never for logs, JSON or HTML.
    series_uid_sha256
        Hexadecimal SHA-256 of the SeriesInstanceUID; None if the input was not DICOM.
    warnings
        What a reader of the result must know about the input. No patient data, no paths.
    modality
        "CT" for DICOM; None where the format does not say.
    """

    volume: Volume
    format: Format
    headers: tuple[pydicom.Dataset, ...] = field(default=(), repr=False)
    series_uid_sha256: str | None = None
    warnings: tuple[str, ...] = ()
    modality: str | None = None
