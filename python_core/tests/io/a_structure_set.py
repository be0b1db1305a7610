"""A tiny CT with three lymph nodes, its structure set, and a way to bend one ROI of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ece_core.geometry import Volume, affine_from
from ece_core.io import Scan, read_ct, write_ct_series
from ece_core.io.quiet import quiet
from ece_core.io.rtstruct import RTStruct, read_rtstruct, write_rtstruct
from pydicom import Dataset, dcmread

SHAPE_KJI = (10, 20, 24)
SPACING_MM = (2.5, 0.9, 0.8)
ORIGIN_LPS_MM = (-12.5, 40.25, -310.0)
NAMES = {1: "GTVn_left", 2: "GTVn right", 7: "Körper \U0001f9e0"}


def rotation(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    x, y, z = np.deg2rad([x_deg, y_deg, z_deg])
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    return np.array(about_z) @ about_y @ about_x


DIRECTIONS = {
    "axial": np.eye(3),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "prone, left-handed": np.diag([-1.0, -1.0, -1.0]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "oblique": rotation(17, -9, 5),
}


def a_ct(folder: Path, direction=DIRECTIONS["axial"], slice_order="shuffled") -> Scan:
    """As our reader gives it; no two voxels of a slice's border are alike."""
    array = np.random.default_rng(3).integers(-100, 100, SHAPE_KJI).astype(np.int16)
    write_ct_series(
        Volume(array, affine_from(SPACING_MM, ORIGIN_LPS_MM, direction)), folder, seed=5, slice_order=slice_order
    )
    return read_ct(folder)


def three_lymph_nodes(ct: Scan) -> Volume:
    """1: a block with a hole. 2: pieces that touch by a corner, and a voxel in the scan's corner. 7: a line."""
    array = np.zeros(ct.volume.shape, np.uint16)
    array[2:6, 4:10, 3:9] = 1
    array[3:5, 6:8, 5:7] = 0
    array[4:7, 13:16, 12:15] = 2
    array[4:7, 16:18, 15:18] = 2
    array[9, 19, 23] = 2
    array[5, 2, 12:20] = 7
    return ct.volume.with_array(array)


def written(folder: Path, ct: Scan, bend: Callable[[Dataset], None] = lambda ds: None) -> Path:
    """The structure set of the three, after ``bend`` has changed its dataset in place."""
    path = folder / "rtstruct.dcm"
    write_rtstruct(path, three_lymph_nodes(ct), NAMES, ct.headers)
    with quiet():
        ds = dcmread(path)
        bend(ds)
        ds.save_as(path)
    return path


def read_bent(folder: Path, ct: Scan, bend: Callable[[Dataset], None], **options) -> RTStruct:
    return read_rtstruct(written(folder, ct, bend), ct, **options)
