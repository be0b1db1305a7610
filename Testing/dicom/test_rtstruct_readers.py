"""Structure sets between us and others: plastimatch and dcmrtstruct2nii read ours, we read plastimatch's, exactly."""

import os
import shutil
import subprocess

import numpy as np
import pytest
import SimpleITK as sitk
from ece_core.geometry import Volume
from ece_core.io.rtstruct import read_rtstruct, write_rtstruct
from other_readers import READERS


@pytest.fixture
def lymph_nodes_with_a_hole(instances) -> Volume:
    """The lymph nodes of conftest, the first one with a hole, and an ellipsoid with ragged slices."""
    array = instances.array.copy()
    array[3:5, 7:9, 6:8] = 0
    k, j, i = np.indices(array.shape)
    array[((k - 9) / 3) ** 2 + ((j - 20) / 7) ** 2 + ((i - 12) / 6) ** 2 < 1] = 5
    return instances.with_array(array)


@pytest.fixture
def names(lymph_nodes_with_a_hole) -> dict[int, str]:
    return {label: f"LN{label}" for label in range(1, int(lymph_nodes_with_a_hole.array.max()) + 1)}


@pytest.fixture
def ours(tmp_path, scan, lymph_nodes_with_a_hole, names):
    path = tmp_path / "rtstruct.dcm"
    assert write_rtstruct(path, lymph_nodes_with_a_hole, names, scan.headers) == ()
    return path


@pytest.fixture
def plastimatch():
    tool = shutil.which("plastimatch", path="/usr/bin")
    if tool is None:
        pytest.skip("plastimatch is absent: apt-get install --no-install-recommends plastimatch")
    return lambda *arguments: subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True, timeout=120)


@pytest.fixture
def dcmrtstruct2nii():
    """It needs pydicom < 3, so it lives in an environment of its own."""
    tool = os.environ.get("DCMRTSTRUCT2NII") or shutil.which("dcmrtstruct2nii", path=str(READERS))
    if tool is None:
        pytest.skip(
            "dcmrtstruct2nii is absent: make .venv-readers/ready, or set DCMRTSTRUCT2NII to its script"
        )
    return lambda *arguments: subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True, timeout=120)


def on_grid(grid: Volume, path) -> np.ndarray:
    """The set voxels of an image file, each put where it lies in patient space."""
    image = sitk.ReadImage(str(path))
    array = np.zeros(grid.shape, bool)
    points = [image.TransformIndexToPhysicalPoint(tuple(map(int, at[::-1]))) for at in np.argwhere(_values(image))]
    index = grid.to_index(np.array(points))
    assert np.abs(index - np.rint(index)).max() < 1e-3, "voxels lie between those of the CT"
    array[tuple(np.rint(index).astype(int).T)] = True
    return array


def _values(image) -> np.ndarray:
    return sitk.GetArrayFromImage(image) > 0


def test_dciodvfy_finds_nothing_at_all(ours, dciodvfy):
    run = subprocess.run([dciodvfy, ours], capture_output=True, text=True, timeout=60)
    assert (run.stdout + run.stderr).split() == ["RTStructureSet"]


def test_plastimatch_reads_every_voxel_of_ours(ours, tmp_path, lymph_nodes_with_a_hole, names, plastimatch):
    """With --xor-contours: without it plastimatch joins contours by "or", which fills every hole."""
    plastimatch(
        "convert", "--input", ours, "--referenced-ct", tmp_path / "ct", "--xor-contours",
        "--output-prefix", tmp_path / "masks", "--prefix-format", "nrrd",
    )  # fmt: skip
    for label, name in names.items():
        theirs = on_grid(lymph_nodes_with_a_hole, tmp_path / "masks" / f"{name}.nrrd")
        np.testing.assert_array_equal(theirs, lymph_nodes_with_a_hole.array == label, err_msg=name)


def test_dcmrtstruct2nii_reads_every_voxel_of_ours(ours, tmp_path, lymph_nodes_with_a_hole, names, dcmrtstruct2nii):
    out = tmp_path / "nii"
    dcmrtstruct2nii("convert", "-r", ours, "-d", tmp_path / "ct", "-o", out)
    for label, name in names.items():
        theirs = on_grid(lymph_nodes_with_a_hole, out / f"mask_{name}.nii.gz")
        np.testing.assert_array_equal(theirs, lymph_nodes_with_a_hole.array == label, err_msg=name)


@pytest.fixture
def plastimatchs(tmp_path, lymph_nodes_with_a_hole, plastimatch):
    """The same lymph nodes as plastimatch writes them: one bit per ROI, numbers from 0."""
    grid = lymph_nodes_with_a_hole
    # plastimatch does not close contours at the edge of the image: the voxel in the corner stays out.
    bits = np.where(np.isin(grid.array, (0, 4)), 0, 1 << (grid.array.astype(int) - 1)).astype(np.uint32)
    image = sitk.GetImageFromArray(bits)
    image.SetOrigin(grid.origin_lps_mm.tolist())
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetDirection(grid.direction.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "bits.mha"))
    lines = [f"{label - 1}|255\\0\\0|GTVn{label}" for label in (1, 2, 3, 5)]
    (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")
    plastimatch(
        "convert", "--input-ss-img", tmp_path / "bits.mha", "--input-ss-list", tmp_path / "list.txt",
        "--referenced-ct", tmp_path / "ct", "--output-dicom", tmp_path / "theirs",
    )  # fmt: skip
    (path,) = (tmp_path / "theirs").glob("rtss*")
    return path


def test_we_read_every_voxel_of_plastimatchs(plastimatchs, scan, lymph_nodes_with_a_hole):
    rois = read_rtstruct(plastimatchs, scan).rois
    assert [roi.name for roi in rois] == ["GTVn1", "GTVn2", "GTVn3", "GTVn5"]
    for roi in rois:
        assert roi.error is None
        assert not roi.one_lymph_node
        expected = lymph_nodes_with_a_hole.array == int(roi.name[-1])
        np.testing.assert_array_equal(roi.mask.array, expected, err_msg=roi.name)
