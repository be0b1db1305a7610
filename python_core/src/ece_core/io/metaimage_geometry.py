"""Size and affine of a MetaImage (.mha, .mhd) from its own header.

Source: https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ece_core.errors import InputError
from ece_core.io.grid_of_file import SAVE_FIX, GridOfFile, check_voxel_size, checked
from ece_core.io.limits import MAX_HEADER_BYTES
from ece_core.io.quiet import library_call

BYTES_OF_TYPE = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_LONG": 8, "MET_ULONG": 8, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip
NO_ORIENTATION = "The MetaImage file holds no orientation; the axes were taken as left, posterior, superior."


def metaimage_grid(path: Path) -> GridOfFile:
    """Read size and affine.

    Raises
    ------
    InputError
        It is no MetaImage of one 3D volume, or its voxels lie in more than one file or in another folder.
    """
    fields, data_offset = _fields(path)
    with library_call("The MetaImage header is damaged.", SAVE_FIX):
        size = tuple(int(n) for n in fields["DimSize"].split())
        if int(fields["NDims"]) != len(size):
            raise ValueError("NDims")
        spacing = _numbers(fields, ("ElementSpacing", "ElementSize"), [1.0] * len(size))
        matrix = _numbers(fields, ("TransformMatrix", "Rotation", "Orientation"), np.eye(len(size)).ravel())
        origin = _numbers(fields, ("Offset", "Position", "Origin"), [0.0] * len(size))
        if not len(spacing) == len(origin) == len(size):
            raise ValueError("ElementSpacing, Offset")
    if len(size) != 3 or fields.get("ElementNumberOfChannels", "1") != "1":
        raise InputError(f"The image is not a single 3D volume ({len(size)} dimensions).", "Choose a 3D volume.")
    check_voxel_size(spacing)  # a negative one would be a silent flip
    affine = np.eye(4)
    with library_call("The MetaImage header is damaged.", SAVE_FIX):
        affine[:3, :3] = matrix.reshape(3, 3).T * spacing  # a row of TransformMatrix is the direction of one axis
        affine[:3, 3] = origin
    oriented = any(name in fields for name in ("TransformMatrix", "Rotation", "Orientation"))
    grid = checked(GridOfFile(size_ijk=size, affine=affine, warnings=() if oriented else (NO_ORIENTATION,)))
    _check_complete(fields, grid, path, data_offset)
    return grid


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The header's fields, and where the voxels begin if they lie in the same file."""
    with library_call("The file is not a MetaImage, or it is empty or damaged.", SAVE_FIX), path.open("rb") as file:
        start = file.read(MAX_HEADER_BYTES)
    fields: dict[str, str] = {}
    position = 0
    while position < len(start) and "ElementDataFile" not in fields:
        line, newline, _ = start[position:].partition(b"\n") if position else start.partition(b"\n")
        position += len(line) + len(newline)
        name, equals, value = line.decode("utf-8", errors="replace").partition("=")
        if not equals:
            break
        fields[name.strip()] = value.strip()
    if "ElementDataFile" not in fields or "DimSize" not in fields or "NDims" not in fields:
        raise InputError("The file is not a MetaImage, or it is empty or damaged.", SAVE_FIX)
    return fields, position


def _numbers(fields: dict[str, str], names: tuple[str, ...], default) -> np.ndarray:
    for name in names:
        if name in fields:
            return np.array([float(part) for part in fields[name].split()])
    return np.array(default, dtype=np.float64)


def _check_complete(fields: dict[str, str], grid: GridOfFile, path: Path, data_offset: int) -> None:
    where = fields["ElementDataFile"]
    if where.upper() == "LOCAL":
        data, available = path, path.stat().st_size - data_offset
    else:
        data = path.parent / where
        if where != Path(where).name or "%" in where or where.upper() == "LIST" or not data.is_file():
            raise InputError(
                "The voxels of the MetaImage are not in one file beside its header.", "Save it as one .mha file."
            )
        available = data.stat().st_size
    item = BYTES_OF_TYPE.get(fields.get("ElementType", ""))
    packed = fields.get("CompressedData", "False").lower() == "true"
    needed = (item or 0) * math.prod(grid.size_ijk)
    if not packed and item and available < needed:
        raise InputError(f"The voxels are incomplete: {available} bytes of {needed}.", "Copy the file again.")
