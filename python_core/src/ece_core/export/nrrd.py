"""NRRD files: a writer that keeps the affine to the last bit, and carries Slicer's key/value pairs.

Source: http://teem.sourceforge.net/nrrd/format.html (NRRD0004, key/value pairs in section 6).
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ece_core.errors import InputError
from ece_core.geometry import Volume

TYPES = {
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "float32": "float",
}


def write_nrrd(volume: Volume, path: Path, pairs: dict[str, str] | None = None) -> None:
    """Write one volume, gzip'd; the same input gives the same bytes.

    Parameters
    ----------
    volume
        (K, J, I) of one of TYPES.
    path
        Replaced if it exists.
    pairs
        Key/value pairs for the header. Line breaks and backslashes in values are escaped as the format says.

    Raises
    ------
    ValueError
        The array's type is not one of TYPES, or a key cannot be a key.
    """
    with Path(path).open("wb") as file:
        file.write(_header(volume, pairs or {}))
        # Level 1: masks and cropped maps are mostly zeros, and higher levels cost seconds for a few kB.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0) as packed:
            for k in range(volume.shape[0]):
                packed.write(np.ascontiguousarray(volume.array[k]).astype(_little(volume.array.dtype)).tobytes())


def read_nrrd(path: Path) -> Volume:
    """A 3D NRRD with one value per voxel, on its own grid.

    Raises
    ------
    InputError
        The file is missing or damaged. The message names the kind of file, never the path.
    """
    try:
        image = sitk.ReadImage(str(path), imageIO="NrrdImageIO")
    except RuntimeError:  # ITK's message holds the path, which may hold a name: it is not kept
        raise InputError("A NRRD file of the result is missing or damaged.", "Run the analysis again.") from None
    return volume_of(image)


def volume_of(image: sitk.Image) -> Volume:
    """The voxels and the grid of a SimpleITK image."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image), affine)


def _header(volume: Volume, pairs: dict[str, str]) -> bytes:
    if volume.array.dtype.name not in TYPES:
        raise ValueError(f"a NRRD of {volume.array.dtype.name} is not written, only of {', '.join(TYPES)}")
    k, j, i = volume.shape
    lines = [
        "NRRD0004",
        f"type: {TYPES[volume.array.dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {i} {j} {k}",
        "space directions: " + " ".join(_vector(volume.affine[:3, axis]) for axis in range(3)),
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(volume.affine[:3, 3])}",
    ]
    for key, value in pairs.items():
        if ":=" in key or "\n" in key or key.startswith("#"):
            raise ValueError(f"a key of a NRRD pair must be one line without ':=', got {key!r}")
        lines.append(f"{key}:={_escaped(value)}")
    return ("\n".join(lines) + "\n\n").encode()


def _vector(values: np.ndarray) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"  # repr reads back as the same double


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n")


def _little(dtype: np.dtype) -> np.dtype:
    return dtype.newbyteorder("<")
