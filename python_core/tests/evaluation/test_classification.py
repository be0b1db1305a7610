"""Classification figures of a cohort that is counted by hand."""

import json

import numpy as np
import pytest
from ece_core.evaluation import evaluate_classification
from ece_core.evaluation.delong import delong_interval, delong_paired
from ece_core.evaluation.extents import threshold_at

from .tiny_cohort import add_case, true_node


@pytest.fixture(scope="module")
def a_cohort(tmp_path_factory):
    """Found: N 0.6, P 0.2, P 0.7, ENE 0.9, ENE 0.4; a third ENE is missed; one false positive of 0.99."""
    tmp_path = tmp_path_factory.mktemp("cohort")
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


@pytest.fixture(scope="module")
def its_metrics(a_cohort):
    return evaluated(a_cohort)


def evaluated(root):
    return evaluate_classification(root / "predictions", root / "reference", root / "out")


def test_every_figure_is_counted_by_hand(its_metrics):
    metrics = its_metrics
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
            "auc_given_metastatic": 1 / 2,  # P and ENE are equally probable in all
            "brier_given_metastatic": 0.25,
            "calibration_error_given_metastatic": 0,
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
    assert metrics["notes"] == ["conformal: not computed, since the model gives no class sets."]


def test_intervals_stay_in_range(its_metrics):
    metrics = its_metrics
    for key in ("auc", "accuracy", "brier", "patient_auc", "auc_all"):
        assert 0 <= metrics[key]["low"] <= metrics[key]["value"] <= metrics[key]["high"] <= 1


def test_files_hold_what_was_returned(a_cohort, its_metrics):
    metrics = its_metrics
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


def test_delong_stands_beside_the_bootstrap(its_metrics):
    found = its_metrics["delong"]
    ene = np.array([0, 1, 0, 1], bool)
    for name, scores in (("auc", [0.2, 0.9, 0.7, 0.4]), ("size_only_auc", [9, 20, 15, 12])):
        assert found[name] == delong_interval(np.array(scores), ene).figure()
    expected = delong_paired(np.array([0.2, 0.9, 0.7, 0.4]), np.array([9, 20, 15, 12]), ene)
    above = found["auc_above_size_only"]
    assert (above["value"], above["low"], above["high"], above["p"]) == pytest.approx(expected)


def test_every_rule_and_network_is_judged_under_its_name(tmp_path):
    """Patients: ENE 0.6; ENE 0.5 and 0.5; none 0.55; none 0.3, 0.3 and 0.3."""
    for number, (ece, chances) in enumerate(
        [(True, (0.6,)), (True, (0.5, 0.5)), (False, (0.55,)), (False, (0.3, 0.3, 0.3))]
    ):
        voxels = "1020304"[: 2 * len(chances)]
        rows = [true_node("P", 9)] * len(chances)
        add_case(
            tmp_path, f"case_{number:04d}", voxels, voxels, rows, chances, ece, outputs={"gmgenet": 1.0 - number / 4}
        )
    metrics = evaluated(tmp_path)
    rules = metrics["patient_rules"]
    assert {name: figures["auc"]["value"] for name, figures in rules.items()} == pytest.approx(
        {
            "max": 3 / 4,  # 0.6 and 0.5 against 0.55 and 0.3
            "noisy-or": 3 / 4,  # 0.6 and 0.75 against 0.55 and 0.657: 0.6 is below 0.657
            "ene-count": (0.5 + 1 + 1 + 1) / 4,  # 1 and 2 against 1 and 0
            "gmgenet": 1,
        }
    )
    assert rules["max"]["brier"]["value"] == pytest.approx((0.4**2 + 0.5**2 + 0.55**2 + 0.3**2) / 4)
    assert "brier" not in rules["ene-count"], "a number of lymph nodes is no probability"
    assert metrics["patient_rule_first"] == "gmgenet"
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Patients: each rule and each network" in page and "Most suspicious lymph node" in page


def test_what_is_not_evaluable_is_counted_and_not_judged(tmp_path):
    hidden = {"ece_probability": None, "class_name": "metastatic", "not_evaluable": ("cut off",)}
    rows = [true_node("P", 9), true_node("ENE", 20), true_node("ENE", 18)]
    add_case(tmp_path, "case_0000", "1022033", "1022033", rows, (0.3, 0.8, 0.9), LN3=hidden)
    metrics = evaluated(tmp_path)
    assert metrics["not_evaluable"] == {"N": 0, "P": 0, "ENE": 1}
    assert metrics["matched"] == {"N": 0, "P": 1, "ENE": 1}
    assert "Found, but not evaluable: 1." in (tmp_path / "out" / "index.html").read_text()


def test_class_sets_are_checked_class_by_class(tmp_path):
    sets = {"LN1": ("N",), "LN2": ("N", "P"), "LN3": ("P",), "LN4": ("P", "ENE"), "LN5": ("N",)}
    rows = [true_node(name, 9) for name in ("N", "N", "P", "ENE", "ENE")]
    add_case(
        tmp_path, "case_0000", "102030405", "102030405", rows, (0.1, 0.2, 0.3, 0.9, 0.4),
        models=({"name": "a", "conformal_target": 0.9},), **{key: {"class_set": value} for key, value in sets.items()},
    )  # fmt: skip
    found = evaluated(tmp_path)["conformal"]
    assert found["target"] == 0.9
    assert {name: figure["value"] for name, figure in found["coverage"].items()} == {"N": 1, "P": 1, "ENE": 0.5}
    assert found["mean_set_size"]["value"] == pytest.approx(7 / 5)
    assert found["singletons"]["value"] == pytest.approx(3 / 5)
    assert found["singletons_right"]["value"] == pytest.approx(2 / 3)
    table = (tmp_path / "out" / "tables" / "class_sets.csv").read_text()
    assert "ENE,2,0.5," in table


def test_sets_of_a_card_are_judged_where_results_hold_none(tmp_path):
    add_case(tmp_path, "case_0000", "1020", "1020", [true_node("P", 9), true_node("ENE", 9)], (0.1, 0.9))
    card = {"target": 0.8, "least_probability": {"N": 0.5, "P": 0.5, "ENE": 0.6}}  # both are N 0, P 0.5, ENE 0.5
    found = evaluate_classification(tmp_path / "predictions", tmp_path / "reference", tmp_path / "out", card)
    assert found["conformal"]["target"] == 0.8
    assert {n: f["value"] for n, f in found["conformal"]["coverage"].items()} == {"P": 1, "ENE": 0}


def test_sensitivity_by_extent_and_visible_breaches(tmp_path):
    rows = [
        true_node("P", 9, extent_mm=0.0, visible=False),
        true_node("P", 8, extent_mm=0.0, visible=False),
        true_node("ENE", 7, extent_mm=0.5, visible=False),
        true_node("ENE", 10, extent_mm=1.0, visible=True),
        true_node("ENE", 6, extent_mm=1.9, visible=True),
        true_node("ENE", 12, extent_mm=6.0, visible=True),
    ]
    voxels = "10203040506"
    add_case(tmp_path, "case_0000", voxels, voxels, rows, (0.2, 0.6, 0.1, 0.55, 0.3, 0.9))
    metrics = evaluated(tmp_path)
    assert metrics["auc_visible"]["value"] == pytest.approx(4 / 6)  # 0.55, 0.3, 0.9 against 0.2, 0.6
    assert metrics["size_only_auc_visible"]["value"] == pytest.approx(4 / 6)  # 10, 6, 12 against 9, 8
    table = (tmp_path / "out" / "tables" / "sensitivity_by_extent.csv").read_text().splitlines()
    cells = [line.split(",") for line in table[1:]]
    assert [row[1] for row in cells] == ["1", "2", "0", "0", "1"]
    assert [row[2] for row in cells] == ["0.0", "0.5", "", "", "1.0"]  # at 0.5
    assert [row[5] for row in cells] == ["0.0", "0.0", "", "", "1.0"]  # above 0.6, the highest of both P
    assert (tmp_path / "out" / "plots" / "sensitivity_by_extent.png").exists()


def test_the_threshold_keeps_its_specificity():
    scores = np.array([0.1, 0.2, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
    for specificity in (0.5, 0.8, 0.9, 1.0):
        threshold = threshold_at(specificity, scores)
        assert (scores < threshold).mean() >= specificity
        assert (scores < np.nextafter(threshold, 0)).mean() < specificity
