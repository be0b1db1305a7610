"""Size and affine of an NRRD file from its own header.

Source: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from ece_core.errors import GeometryError, InputError
from ece_core.io.grid_of_file import SAVE_FIX, GridOfFile, checked
from ece_core.io.limits import MAX_HEADER_BYTES
from ece_core.io.quiet import library_call

LPS_OF_SPACE = {
    "left-posterior-superior": (1.0, 1.0, 1.0),
    "lps": (1.0, 1.0, 1.0),
    "right-anterior-superior": (-1.0, -1.0, 1.0),
    "ras": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (1.0, -1.0, 1.0),
    "las": (1.0, -1.0, 1.0),
}
BYTES_OF_TYPE = {  # the shortest names; the others are written with the same words
    "char": 1, "int8": 1, "uchar": 1, "uint8": 1, "short": 2, "int16": 2, "ushort": 2, "uint16": 2,
    "int": 4, "int32": 4, "uint": 4, "uint32": 4, "long": 8, "int64": 8, "ulong": 8, "uint64": 8,
    "longlong": 8, "ulonglong": 8, "float": 4, "double": 8,
}  # fmt: skip


def nrrd_grid(path: Path) -> GridOfFile:
    """Read size and affine.

    Raises
    ------
    GeometryError
        The file says nothing about orientation, or nonsense.
    InputError
        It is no NRRD file of one 3D volume, or its voxels lie in other files.
    """
    fields, data_offset = _fields(path)
    if "data file" in fields or "datafile" in fields:
        raise InputError("The NRRD file keeps its voxels in another file.", "Save it as one .nrrd file.")
    if fields.get("dimension") != "3":
        raise InputError(
            f"The image is not a single 3D volume ({_shown(fields.get('dimension'))} dimensions).",
            "Choose a single 3D volume.",
        )
    with library_call("The NRRD header is damaged.", SAVE_FIX):
        size = tuple(int(n) for n in fields["sizes"].split())
        if len(size) != 3:
            raise ValueError("sizes")
    to_lps = LPS_OF_SPACE.get(fields.get("space", "").lower())
    if to_lps is None or "space directions" not in fields:
        raise GeometryError(
            "The NRRD file holds no orientation in patient space: left and right cannot be told apart.",
            "Save it with its orientation (space: left-posterior-superior).",
        )
    with library_call("The NRRD header's orientation is damaged.", SAVE_FIX):
        directions = np.array([_vector(text) for text in re.findall(r"\([^)]*\)|none", fields["space directions"])])
        origin = np.array(_vector(fields.get("space origin", "(0,0,0)")))
        affine = np.eye(4)
        affine[:3, :3] = directions.reshape(3, 3).T
        affine[:3, 3] = origin.reshape(3)
    grid = checked(GridOfFile(size_ijk=size, affine=np.diag([*to_lps, 1.0]) @ affine))
    _check_complete(fields, grid, path.stat().st_size - data_offset)
    return grid


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Lower-case field names with their values, and where the voxels begin."""
    with library_call("The file is not an NRRD file, or it is empty or damaged.", SAVE_FIX), path.open("rb") as file:
        start = file.read(MAX_HEADER_BYTES)
    if not start.startswith(b"NRRD000"):
        raise InputError("The file is not an NRRD file, or it is empty or damaged.", SAVE_FIX)
    end = re.search(rb"\r?\n\r?\n", start)
    if end is None:
        raise InputError("The NRRD header does not end.", SAVE_FIX)
    lines = start[: end.start()].decode("utf-8", errors="replace").splitlines()[1:]
    pairs = [line.split(":", 1) for line in lines if ": " in line and ":=" not in line.split(": ", 1)[0]]
    return {name.strip().lower(): value.strip() for name, value in pairs}, end.end()


def _check_complete(fields: dict[str, str], grid: GridOfFile, data_bytes: int) -> None:
    item = BYTES_OF_TYPE.get(re.sub(r"signed |unsigned | int$|_t$|^unsigned$", "", fields.get("type", "")))
    needed = (item or 0) * math.prod(grid.size_ijk)
    if fields.get("encoding", "raw").lower() == "raw" and data_bytes < needed:
        raise InputError(f"The voxels are incomplete: {data_bytes} bytes of {needed}.", "Copy the file again.")


def _vector(text: str) -> list[float]:
    return [float(part) for part in text.strip("() ").split(",")]


def _shown(text: str | None) -> str:
    return text if text and text.isdecimal() and len(text) <= 3 else "an unknown number of"
