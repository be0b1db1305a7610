"""Synthetic series in three orientations, and the tools of others that read what we write."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct, write_ct_series
from ece_core.lymph_nodes.lymph_node import LymphNode

SHAPE_KJI = (14, 40, 36)
SPACING_MM = (2.5, 0.9, 0.8)


def rotation(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    x, y, z = np.deg2rad([x_deg, y_deg, z_deg])
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    return np.array(about_z) @ about_y @ about_x


DIRECTIONS = {
    "plain": np.eye(3),
    "flipped": np.diag([-1.0, 1.0, -1.0]),  # feet first: columns run to the right, slices to the feet
    "oblique": rotation(17, -9, 5),
}


@pytest.fixture(params=list(DIRECTIONS))
def scan(request, tmp_path):
    """A CT series on disk as our reader gives it back."""
    rng = np.random.default_rng(1)
    array = rng.integers(-100, 100, SHAPE_KJI).astype(np.int16)
    affine = affine_from(SPACING_MM, (-12.5, 40.25, -310.0), DIRECTIONS[request.param])
    write_ct_series(Volume(array, affine), tmp_path / "ct", seed=7)
    return read_ct(tmp_path / "ct")


@pytest.fixture
def instances(scan) -> Volume:
    """Four lymph nodes, the last one a single voxel in the corner of the grid; no symmetry hides a flip."""
    array = np.zeros(SHAPE_KJI, np.uint16)
    array[2:6, 5:12, 4:9] = 1
    array[5:8, 25:29, 20:31] = 2
    array[3:6, 12:14, 4:9] = 3  # touches lymph node 1
    array[13, 39, 0] = 4
    return Volume(array, scan.volume.affine)


@pytest.fixture
def lymph_nodes() -> tuple[LymphNode, ...]:
    rows = [(1, "ENE", "left", "II"), (2, "N", "right", "IB"), (3, "P", "midline", "VI"), (4, "P", "left", None)]
    return tuple(
        LymphNode(f"LN{label}", label, name, {"N": 0.2, "P": 0.3, "ENE": 0.5}, 0.5, side, level)
        for label, name, side, level in rows
    )


@pytest.fixture
def dciodvfy() -> str:
    tool = Path("/usr/bin/dciodvfy")
    if not tool.exists():
        pytest.skip("dciodvfy is absent: apt-get install dicom3tools")
    return str(tool)


@pytest.fixture
def segimage2itkimage() -> str:
    return of_dcmqi("segimage2itkimage")


@pytest.fixture
def tid1500reader() -> str:
    return of_dcmqi("tid1500reader")


def of_dcmqi(name: str) -> str:
    tool = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if tool is None:
        pytest.skip(f"{name} is absent: pip install dcmqi")
    return tool
