"""Results are compared with a hospital's own outlines as with a simulated cohort."""

import json
from pathlib import Path

import numpy as np
import pytest
from ece_core.errors import GeometryError, InputError
from ece_core.evaluation import evaluate_segmentation
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_labelmap, write_image

from .tiny_cohort import two_scans


def as_dataset(root: Path, labels: dict[str, int], values: dict[int, int]) -> Path:
    """The truth of ``two_scans`` in nnU-Net's layout: ``values`` is the data set's label of each lymph node's."""
    for name in ("imagesTr", "labelsTr"):
        (root / "own" / name).mkdir(parents=True)
    about = {"channel_names": {"0": "CT"}, "labels": {"background": 0, **labels}, "file_ending": ".nii.gz"}
    (root / "own" / "dataset.json").write_text(json.dumps({**about, "numTraining": 2}))
    for name in ("case_0000", "case_0001"):
        truth = read_labelmap(root / "reference" / name / "instances.nii.gz")
        classes = np.vectorize(lambda label: values.get(label, 0))(truth.array).astype(np.uint8)
        ct = truth.with_array(np.full(truth.shape, 40, np.int16))
        write_image(ct, root / "own" / "imagesTr" / f"{name}_0000.nii.gz")
        write_image(truth.with_array(classes), root / "own" / "labelsTr" / f"{name}.nii.gz")
    return root / "own"


@pytest.mark.slow
def test_own_outlines_give_the_figures_of_the_same_simulated_truth(tmp_path):
    two_scans(tmp_path)
    same = ("detection_rate", "detection_rate_half", "false_positives_per_scan", "dice_detected", "dice_volume")
    own = as_dataset(tmp_path, {"N": 1, "P": 2, "ENE": 3}, {1: 1, 2: 2, 3: 3})
    ours = evaluate_segmentation(tmp_path / "predictions", own, tmp_path / "a")
    theirs = evaluate_segmentation(tmp_path / "predictions", tmp_path / "reference", tmp_path / "b")
    assert ours["lymph_nodes"] == theirs["lymph_nodes"] == 5
    for name in same:
        if name.startswith("detection"):  # by class and size the two differ: sizes are measured, and 2 of case 1 is P
            assert ours[name]["all"] == theirs[name]["all"]
        else:
            assert ours[name] == theirs[name]
    assert (tmp_path / "a" / "index.html").exists()


@pytest.mark.slow
def test_lymph_nodes_of_no_known_class_have_a_row_of_their_own(tmp_path):
    two_scans(tmp_path)
    own = as_dataset(tmp_path, {"GTVn": 1}, {1: 1, 2: 1, 3: 1})
    metrics = evaluate_segmentation(tmp_path / "predictions", own, tmp_path / "out")
    assert metrics["detection_rate"]["all"]["value"] == pytest.approx(3 / 5)
    assert "ENE" not in metrics["detection_rate"]
    table = (tmp_path / "out" / "tables" / "lymph_node_confusion.csv").read_text()
    assert "unknown" in table
    assert all(row.split(",")[1:4] == ["0", "0", "0"] for row in table.splitlines() if row.startswith(("N,", "P,")))


def test_a_result_on_another_grid_is_refused(tmp_path):
    two_scans(tmp_path)
    own = as_dataset(tmp_path, {"GTVn": 1}, {1: 1, 2: 1, 3: 1})
    for folder, name in (("imagesTr", "case_0000_0000"), ("labelsTr", "case_0000")):
        write_image(Volume(np.ones((2, 3, 9), np.int16), affine_from((3.0, 1.0, 1.0))), own / folder / f"{name}.nii.gz")
    with pytest.raises(GeometryError, match="case_0000: the result .* is not on the grid of the reference"):
        evaluate_segmentation(tmp_path / "predictions", own, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_data_set_without_results_or_outlines_is_refused(tmp_path):
    two_scans(tmp_path)
    own = as_dataset(tmp_path, {"GTVn": 1}, {1: 1, 2: 1, 3: 1})
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="2 of 2 cases of the reference have no result: case_0000, case_0001"):
        evaluate_segmentation(tmp_path / "nothing", own, tmp_path / "out")
    with pytest.raises(InputError, match="layout of the data set cannot be told.*--layout"):
        evaluate_segmentation(tmp_path / "nothing", tmp_path / "nothing", tmp_path / "out")
