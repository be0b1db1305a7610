"""Classification figures of a cohort that is counted by hand."""

import json

import pytest
from ece_core.evaluation import evaluate_classification

from .tiny_cohort import add_case, true_node


@pytest.fixture
def a_cohort(tmp_path):
    """Found: N 0.6, P 0.2, P 0.7, ENE 0.9, ENE 0.4; a third ENE is missed; one false positive of 0.99."""
    add_case(
        tmp_path,
        "case_0000",
        truth="11_22_33____".replace("_", "0"),
        predicted="11_22_33__44".replace("_", "0"),
        rows=[true_node("N", 7, 100), true_node("P", 9, 80), true_node("ENE", 20, 90)],
        probabilities=(0.6, 0.2, 0.9, 0.99),
        ece=True,
        patient=0.95,
    )
    add_case(
        tmp_path,
        "case_0001",
        truth="11_22_33".replace("_", "0"),
        predicted="11_22___".replace("_", "0"),
        rows=[true_node("P", 15, 95), true_node("ENE", 12, 85), true_node("ENE", 30, 70)],
        probabilities=(0.7, 0.4),
        ece=True,
        patient=0.8,
    )
    add_case(tmp_path, "case_0002", "000", "000", [], patient=0.3)
    return tmp_path


def evaluated(root):
    return evaluate_classification(root / "predictions", root / "reference", root / "out")


def test_every_figure_is_counted_by_hand(a_cohort):
    metrics = evaluated(a_cohort)
    values = {key: figure["value"] for key, figure in metrics.items() if isinstance(figure, dict) and "value" in figure}
    assert values == pytest.approx(
        {
            "auc": 3 / 4,  # ENE 0.9 and 0.4 against P 0.2 and 0.7: one of four pairs is wrong
            "size_only_auc": 3 / 4,  # 20 and 12 against 9 and 15
            "auc_above_size_only": 0,
            "mean_hu_auc": 2 / 4,  # 90 and 85 against 80 and 95
            "accuracy": 2 / 4,
            "sensitivity": 1 / 2,
            "specificity": 1 / 2,
            "brier": (0.2**2 + 0.7**2 + 0.1**2 + 0.6**2) / 4,
            "calibration_error": (0.2 + 0.7 + 0.1 + 0.6) / 4,  # four bins with one lymph node each
            "auc_all": 4 / 6,  # and 0.6
            "size_only_auc_all": 5 / 6,
            "auc_above_size_only_all": -1 / 6,
            "mean_hu_auc_all": 2 / 6,
            "accuracy_all": 2 / 5,
            "sensitivity_all": 1 / 2,
            "specificity_all": 1 / 3,
            "brier_all": (0.2**2 + 0.7**2 + 0.1**2 + 0.6**2 + 0.6**2) / 5,
            "calibration_error_all": (0.2 + 0.7 + 0.1 + 0.6 + 0.6) / 5,
            "class_accuracy": 2 / 5,  # called ENE above 0.5, else P: P 0.2 and ENE 0.9 are right
            "patient_auc": 1,  # 0.95 and 0.8 against 0.3
        }
    )
    assert metrics["lymph_nodes"] == {"N": 1, "P": 2, "ENE": 3}
    assert metrics["matched"] == {"N": 1, "P": 2, "ENE": 2}
    assert metrics["notes"] == []


def test_intervals_stay_in_range(a_cohort):
    metrics = evaluated(a_cohort)
    for key in ("auc", "accuracy", "brier", "patient_auc", "auc_all"):
        assert 0 <= metrics[key]["low"] <= metrics[key]["value"] <= metrics[key]["high"] <= 1


def test_files_hold_what_was_returned(a_cohort):
    metrics = evaluated(a_cohort)
    assert json.loads((a_cohort / "out" / "metrics.json").read_text()) == metrics
    page = (a_cohort / "out" / "index.html").read_text()
    assert page.count('src="data:image/png;base64,') == 2
    assert "short axis alone, AUC 0.75" in page
    assert "Research use only. Not a medical device." in page


def test_with_one_class_the_auc_is_absent_and_said(tmp_path):
    add_case(tmp_path, "case_0000", "0110", "0110", [true_node("P", 9)], probabilities=(0.3,), patient=0.3)
    metrics = evaluated(tmp_path)
    assert not {"auc", "size_only_auc", "auc_above_size_only", "sensitivity", "patient_auc"} & set(metrics)
    assert metrics["specificity"]["value"] == 1
    assert "auc: not computed, since one of the two classes has no judged case." in metrics["notes"]
    assert "NaN" not in (tmp_path / "out" / "metrics.json").read_text()


def test_without_any_judged_lymph_node_nothing_is_invented(tmp_path):
    add_case(tmp_path, "case_0000", "0110", "0110", [true_node("P", 9)])  # a result without ECE probabilities
    metrics = evaluated(tmp_path)
    assert metrics["matched"] == {"N": 0, "P": 0, "ENE": 0}
    assert not {"auc", "brier", "accuracy", "class_accuracy"} & set(metrics)


def test_a_cohort_without_mean_hu_has_no_mean_hu_auc(tmp_path):
    rows = [{"class": "P", "short_axis_mm": 9}, {"class": "ENE", "short_axis_mm": 19}]
    add_case(tmp_path, "case_0000", "11022", "11022", rows, probabilities=(0.3, 0.7))
    metrics = evaluated(tmp_path)
    assert metrics["auc"]["value"] == 1
    assert "mean_hu_auc" not in metrics


@pytest.mark.parametrize(
    ("predicted", "auc"),
    [pytest.param("110555022", 1, id="0.1 shares two voxels, 0.9 three"), pytest.param("111155022", 0, id="four, two")],
)
def test_a_lymph_node_in_two_pieces_takes_the_larger_ones_probability(tmp_path, predicted, auc):
    rows = [true_node("ENE", 9), true_node("P", 8)]
    add_case(tmp_path, "case_0000", "111111022", predicted, rows, probabilities=(0.1, 0.3, 0.9))
    assert evaluated(tmp_path)["auc"]["value"] == auc
