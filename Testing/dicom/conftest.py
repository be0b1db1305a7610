"""Synthetic series in three orientations, and the tools of others that read what we write."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct, write_ct_series
from ece_core.lymph_nodes.lymph_node import LymphNode
from orientations import DIRECTIONS
from other_readers import DCMQI, of_dcmqi, of_debian

sys.path.insert(0, str(Path(__file__).parents[2] / "python_core" / "tests" / "io"))  # dicom_variants

SHAPE_KJI = (14, 40, 36)
SPACING_MM = (2.5, 0.9, 0.8)


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
    return of_debian("dciodvfy", "dicom3tools")


@pytest.fixture(params=DCMQI)
def dcmqi(request):
    """A program of dcmqi by its name: of the newest version, and of that which Slicer bundles."""
    return lambda name: of_dcmqi(name, request.param)


@pytest.fixture
def segimage2itkimage(dcmqi) -> str:
    return dcmqi("segimage2itkimage")


@pytest.fixture
def tid1500reader(dcmqi) -> str:
    return dcmqi("tid1500reader")
