"""Programs of others that read what we write, and where the voxels that they found lie on our grid."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from ece_core.geometry import Volume

READERS = Path(__file__).resolve().parents[2] / ".venv-readers" / "bin"  # `make test` fills it
DCMQI = ("dcmqi 1.5.7", "dcmqi 1.5.4")  # the newest, and the one that Slicer bundles


def of_debian(name: str, package: str) -> str:
    tool = shutil.which(name, path="/usr/bin")
    if tool is None:
        pytest.skip(f"{name} is absent: apt-get install --no-install-recommends {package}")
    return tool


def of_dcmqi(name: str, which: str = DCMQI[0]) -> str:
    if which == DCMQI[1]:
        tool = shutil.which(name, path=str(READERS))
        if tool is None:
            pytest.skip("dcmqi 1.5.4 is absent: make .venv-readers/ready")
        return tool
    tool = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if tool is None:
        pytest.skip(f"{name} is absent: pip install dcmqi")
    return tool


def put_on(grid: Volume, image) -> np.ndarray:
    """The voxels of a SimpleITK image that are not 0, each put where it lies in patient space."""
    values = sitk.GetArrayFromImage(image)
    array = np.zeros(grid.shape, values.dtype)
    index = np.argwhere(values)[:, ::-1]
    points = index * np.array(image.GetSpacing()) @ np.reshape(image.GetDirection(), (3, 3)).T + image.GetOrigin()
    place = grid.to_index(points)
    assert np.abs(place - np.rint(place)).max() < 1e-3, "voxels lie between those of the CT"
    array[tuple(np.rint(place).astype(int).T)] = values[values != 0]
    return array
