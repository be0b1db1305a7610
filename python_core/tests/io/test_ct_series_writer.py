"""The synthetic CT series: valid DICOM, reproducible, of an obviously synthetic patient."""

import shutil
import subprocess

import numpy as np
import pytest
from dicom_variants import a_neck_phantom
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct, write_ct_series
from pydicom import dcmread
from scipy.spatial.transform import Rotation

DIRECTIONS = {
    "axial": np.eye(3),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "oblique": Rotation.from_euler("xyz", [17, -9, 5], degrees=True).as_matrix(),
}


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS.keys())
def test_dciodvfy_finds_nothing_to_say(tmp_path, direction, signed):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    volume = Volume(a_neck_phantom(3).array, affine_from((2.5, 0.8, 1 / 3), (-7.123456789, 20, -1000 / 7), direction))
    for path in write_ct_series(volume, tmp_path, seed=7, signed=signed):
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        assert (said.stdout + said.stderr).split() == ["CTImage"]


def test_the_same_seed_writes_the_same_bytes_and_another_seed_other_uids(tmp_path):
    def written(name, seed):
        return [path.read_bytes() for path in write_ct_series(a_neck_phantom(), tmp_path / name, seed=seed)]

    assert written("a", 5) == written("b", 5)
    uids = [{dcmread(p).get(k) for p in (tmp_path / "a").iterdir()} for k in ("SOPInstanceUID", "SeriesInstanceUID")]
    assert [len(found) for found in uids] == [12, 1]
    written("c", 6)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        one, other = (dcmread(tmp_path / name / "ct_0001.dcm").get(keyword) for name in "ac")
        assert one != other
        assert one.startswith("2.25.") and len(one) <= 64


def test_the_patient_cannot_be_taken_for_a_real_one(tmp_path):
    header = dcmread(write_ct_series(a_neck_phantom(), tmp_path, seed=5)[0])
    assert (str(header.PatientName), header.PatientID) == ("SIMULATED^PATIENT", "SIM-5")


@pytest.mark.parametrize(
    ("order", "numbers"), [("ascending", range(1, 13)), ("descending", range(12, 0, -1)), ("shuffled", None)]
)
def test_paths_come_in_the_order_of_k_whatever_the_files_are_called(tmp_path, order, numbers):
    headers = [dcmread(path) for path in write_ct_series(a_neck_phantom(), tmp_path, seed=5, slice_order=order)]
    assert [float(h.ImagePositionPatient[2]) for h in headers] == [-100 + 2.5 * k for k in range(12)]
    found = [h.InstanceNumber for h in headers]
    assert sorted(found) == list(range(1, 13))
    assert found == list(numbers) if numbers else found not in (sorted(found), sorted(found)[::-1])


def test_fractions_of_hu_are_rounded_and_extremes_held(tmp_path):
    array = np.full((2, 16, 16), -1000.4, np.float32)
    array[0, 0, :4] = (-5000, 70000, 40.6, -1024.4)
    volume = Volume(array, affine_from((1, 1, 1)))
    unsigned, signed = tmp_path / "unsigned", tmp_path / "signed"
    write_ct_series(volume, unsigned, seed=1)
    write_ct_series(volume, signed, seed=1, signed=True)
    for folder in (unsigned, signed):
        back = read_ct(folder).volume.array
        assert back[0, 0, :5].tolist() == [-1024, 32767, 41, -1024, -1000]


def test_a_folder_with_a_series_is_not_mixed_with_another(tmp_path):
    write_ct_series(a_neck_phantom(), tmp_path, seed=1)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"holds DICOM files already.*Choose an empty folder"):
        write_ct_series(a_neck_phantom(3), tmp_path, seed=2)
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_cannot_be_made_is_our_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot be made.*Choose another folder"):
        write_ct_series(a_neck_phantom(), tmp_path / "file" / "ct", seed=1)
