"""Several CTs where one is wanted: `ece analyze` lists them, asks, and takes the answer; it never merges."""

import re
import sys
from pathlib import Path

import dicom_variants
import pytest
from ece_core.cli.main import main
from ece_core.export.result import read_result
from ece_core.io import write_ct_series
from pydicom import Dataset, dcmread, dcmwrite

sys.path.insert(0, str(Path(__file__).parents[2] / "python_core" / "tests" / "pipeline"))
import fake_networks

pytestmark = pytest.mark.slow


@pytest.fixture
def ece(monkeypatch, capsys):
    fake_networks.install(monkeypatch.setattr)

    def run(*arguments):
        capsys.readouterr()
        return main([str(argument) for argument in arguments]), capsys.readouterr().err

    return run


def slices_of(folder, seed=5):
    return [dcmread(path) for path in write_ct_series(fake_networks.a_neck_ct(), folder / f"made_{seed}", seed=seed)]


def save(slices, folder):
    (folder / "ct").mkdir()
    for number, ds in enumerate(slices):
        dcmwrite(folder / "ct" / f"{number}.dcm", ds, enforce_file_format=True)
    return folder / "ct"


def side_by_side(slices):
    return dicom_variants.setting("AcquisitionNumber", 2, range(10, 28))(slices)


def frames_side_by_side(slices):
    (ds,) = dicom_variants.enhanced(slices)
    frames = ds.PerFrameFunctionalGroupsSequence
    heights = [float(one.PlanePositionSequence[0].ImagePositionPatient[2]) for one in frames]
    for one, height in zip(frames, heights, strict=True):
        content = Dataset()
        content.FrameAcquisitionNumber = 1 if height < sorted(heights)[10] else 2
        one.FrameContentSequence = [content]
    return [ds]


@pytest.mark.parametrize("variant", [side_by_side, frames_side_by_side])
def test_acquisitions_of_a_series_are_listed_and_one_is_taken(variant, ece, tmp_path):
    """Ten slices, then eighteen."""
    ct = save(variant(slices_of(tmp_path)), tmp_path)
    code, said = ece("analyze", ct, tmp_path / "out", "--explain", "none")
    assert code == 2 and not (tmp_path / "out").exists()
    assert "2 acquisitions side by side: #1 acquisition 1 (10 slices), #2 acquisition 2 (18 slices)." in said
    (chosen,) = re.findall(r"--series (\S+#1)\.", said)
    for number, slices in ((1, 10), (2, 18)):
        out = tmp_path / f"out_{number}"
        code, said = ece("analyze", ct, out, "--explain", "none", "--series", chosen[:-1] + str(number))
        assert code == 0, said
        assert read_result(out).input["shape_kji"][0] == slices


def test_series_of_a_folder_are_listed_and_one_is_taken(ece, tmp_path):
    one, other = slices_of(tmp_path, seed=5), slices_of(tmp_path, seed=6)[:20]
    ct = save([*one, *other], tmp_path)
    code, said = ece("analyze", ct, tmp_path / "out", "--explain", "none")
    uids = re.findall(r"^(\d)\. CT, (\d+) slices.*, ([\d.]+)$", said, re.MULTILINE)
    assert code == 2 and [(number, slices) for number, slices, _ in uids] == [("1", "28"), ("2", "20")]
    assert ece("analyze", ct, tmp_path / "out", "--explain", "none", "--series", uids[1][2])[0] == 0
    assert read_result(tmp_path / "out").input["shape_kji"][0] == 20
