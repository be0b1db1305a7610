import json

import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.io import read_ct, read_labelmap
from ece_core.simulate import case as case_module
from ece_core.simulate.cohort import simulate_cohort


@pytest.fixture
def small_scans(monkeypatch):
    """Coarse scans, so that a cohort takes seconds; what is written and where stays the same."""
    whole = case_module.simulate_case

    def simulate_case(seed, number, difficulty="medium"):
        return whole(seed, number, difficulty, (36, 96, 96), (6.0, 2.7, 2.7))

    monkeypatch.setattr("ece_core.simulate.cohort.simulate_case", simulate_case)


@pytest.mark.parametrize("as_", ["dicom", "nifti"])
def test_a_case_holds_scan_maps_and_truth_on_one_grid(tmp_path, small_scans, as_):
    manifest = simulate_cohort(tmp_path / "cohort", 2, 5, "medium", as_)
    folder = tmp_path / "cohort" / "case_0001"
    ct = read_ct(folder / ("ct" if as_ == "dicom" else "ct.nii.gz")).volume
    instances, classes = read_labelmap(folder / "instances.nii.gz"), read_labelmap(folder / "classes.nii.gz")
    assert ct.same_grid(instances)
    assert ct.same_grid(classes)
    assert ((instances.array > 0) == (classes.array > 0)).all()
    truth = json.loads((folder / "truth.json").read_text())
    assert {row["label"] for row in truth["lymph_nodes"]} == set(np.unique(instances.array).tolist()) - {0}
    assert truth["patient"]["ece"] == any(row["class"] == "ENE" for row in truth["lymph_nodes"])
    assert manifest == json.loads((tmp_path / "cohort" / "manifest.json").read_text())
    assert "Research use only" in manifest["note"]


def test_a_case_alone_equals_the_case_in_its_cohort(tmp_path, small_scans):
    simulate_cohort(tmp_path / "cohort", 2, 8, "medium", "nifti")
    alone = case_module.simulate_case(8, 1, "medium", (36, 96, 96), (6.0, 2.7, 2.7))
    written = read_ct(tmp_path / "cohort" / "case_0001" / "ct.nii.gz").volume
    assert (written.array == alone.simulation.ct.array).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cases": 0}, "cohort of 0 cases.*at least 1"),
        ({"as_": "jpeg"}, "cannot be written as 'jpeg'.*dicom or nifti"),
        ({"difficulty": "brutal"}, "no difficulty named 'brutal'"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_written(tmp_path, options, words):
    values = {"cases": 1, "seed": 1, "difficulty": "medium", "as_": "nifti", **options}
    with pytest.raises(InputError, match=words):
        simulate_cohort(tmp_path / "cohort", **values)
    assert not (tmp_path / "cohort").exists()


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty.*new folder"):
        simulate_cohort(tmp_path, 1, 1)
    assert (tmp_path / "mine.txt").read_text() == "precious"
