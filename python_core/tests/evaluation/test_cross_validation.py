"""Methods on the same folds: by hand, against SciPy, and what is said where nothing is defined."""

import csv

import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.evaluation.cross_validation import (
    compare,
    methods_table,
    paired_t_test,
    pairs_table,
    pictures,
    write_comparison,
)
from ece_core.evaluation.delong import delong_interval, delong_paired
from scipy.stats import ttest_rel
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score


def folds_of(skill, seed, count=5, cases=24):
    """Scores that know the label the better, the larger ``skill``; the labels do not depend on seed and skill."""
    random, labels = np.random.default_rng(seed), np.random.default_rng(0).integers(0, 2, (count, cases))
    scores = 1 / (1 + np.exp(-(skill * (labels - 0.5) + random.normal(size=labels.shape))))
    return list(zip(scores, labels, strict=True))


@pytest.fixture(scope="module")
def two_methods():
    return {"two steps": folds_of(3.0, 1), "one step": folds_of(0.6, 2)}


@pytest.fixture(scope="module")
def comparison(two_methods):
    return compare(two_methods)


def test_figures_of_every_fold_agree_with_scikit_learn(two_methods, comparison):
    for row in comparison.methods:
        for fold, (scores, labels) in enumerate(two_methods[row.method]):
            calls = scores >= 0.5
            expected = {
                "accuracy": accuracy_score(labels, calls),
                "AUC": roc_auc_score(labels, scores),
                "sensitivity": recall_score(labels, calls),
                "specificity": recall_score(labels, calls, pos_label=0),
            }
            assert {name: values[fold] for name, values in row.values.items()} == pytest.approx(expected)


def test_mean_and_standard_deviation_by_hand():
    """Two folds, right in 1 of 2 and in 2 of 2 cases: 0.75, and sqrt((0.25² + 0.25²) / 1)."""
    folds = [(np.array([0.9, 0.8]), np.array([1, 0])), (np.array([0.9, 0.1]), np.array([1, 0]))]
    assert compare({"a": folds}).methods[0].spread("accuracy") == pytest.approx((0.75, 0.125**0.5))


def test_the_t_test_is_scipys(comparison):
    one, other = comparison.methods
    for name, test in comparison.pairs[0].t_tests.items():
        expected = ttest_rel(one.values[name], other.values[name])
        assert test.p == pytest.approx(expected.pvalue)
        assert test.significant == (expected.pvalue < 0.05)
        assert test.difference == pytest.approx(np.mean(one.values[name]) - np.mean(other.values[name]))


def test_pooled_auc_is_delongs_on_all_cases(two_methods, comparison):
    (a, labels), (b, _) = (map(np.concatenate, zip(*folds, strict=True)) for folds in two_methods.values())
    assert comparison.methods[0].pooled_auc == delong_interval(a, labels)
    assert comparison.pairs[0].auc == delong_paired(a, b, labels)
    assert comparison.pairs[0].auc.difference > 0 and comparison.pairs[0].auc.p < 0.01


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param([0.5], [0.6], id="one fold"),
        pytest.param([0.5, 0.6], [0.5, 0.6], id="no difference at all"),
        pytest.param([0.7, 0.8], [0.5, 0.6], id="always the same difference"),
        pytest.param([0.7, None], [0.5, 0.7], id="one fold with both values"),
    ],
)
def test_no_p_where_nothing_tells_how_sure(first, second):
    assert paired_t_test(first, second) is None


def test_a_fold_of_one_class_has_no_auc_and_is_named(tmp_path):
    folds = [*folds_of(2.0, 1, count=2), (np.array([0.2, 0.7]), np.array([0, 0]))]
    comparison = compare({"a": folds, "b": folds_of(1.0, 2, count=2) + folds[2:]})
    assert comparison.methods[0].values["AUC"][2] is None
    assert comparison.methods[0].values["sensitivity"][2] is None
    assert comparison.methods[0].values["specificity"][2] == 0.5
    assert comparison.notes[0].startswith("Fold 2: one class only")
    write_comparison(comparison, tmp_path)
    assert "Fold 2: one class only" in (tmp_path / "methods.md").read_text()
    assert "nan" not in "".join(path.read_text().lower() for path in tmp_path.glob("*.csv"))


def test_one_class_everywhere_gives_no_auc_and_no_curve(tmp_path):
    comparison = compare({"a": [(np.array([0.2, 0.7]), np.array([0, 0]))] * 2})
    write_comparison(comparison, tmp_path)
    assert methods_table(comparison).words()[0] == ("a", "2", "4", "0.500 (0.000)", "-", "-", "0.500 (0.000)", "-")
    assert not (tmp_path / "roc.png").exists() and (tmp_path / "box_accuracy.png").exists()


def test_files_hold_the_rows(comparison, tmp_path):
    write_comparison(comparison, tmp_path)
    names = {"methods.csv", "methods.md", "pairs.csv", "pairs.md", "roc.png", "box_accuracy.png", "box_auc.png",
             "box_sensitivity.png", "box_specificity.png"}  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == names
    rows = list(csv.DictReader((tmp_path / "methods.csv").open(encoding="utf-8")))
    assert [row["method"] for row in rows] == ["two steps", "one step"]
    assert float(rows[0]["AUC"]) == pytest.approx(comparison.methods[0].spread("AUC").mean)
    assert float(rows[0]["AUC SD"]) == pytest.approx(comparison.methods[0].spread("AUC").sd)
    assert float(rows[1]["AUC of all folds together low"]) == pytest.approx(comparison.methods[1].pooled_auc.low)
    mean, sd = comparison.methods[0].spread("AUC")
    assert f"| {mean:.3f} ({sd:.3f}) |" in (tmp_path / "methods.md").read_text(encoding="utf-8")
    assert pairs_table(comparison).words()[0][0] == "two steps - one step"
    assert pairs_table(comparison).words()[0][2].endswith(" *")
    pair = next(csv.DictReader((tmp_path / "pairs.csv").open(encoding="utf-8")))
    assert float(pair["p of AUC"]) == pytest.approx(comparison.pairs[0].t_tests["AUC"].p)
    assert float(pair["difference of AUC high"]) == pytest.approx(comparison.pairs[0].auc.high)


def test_pictures_are_drawn_for_each_figure(comparison):
    assert set(pictures(comparison)) == {"roc", "box_accuracy", "box_auc", "box_sensitivity", "box_specificity"}


@pytest.mark.parametrize(
    ("results", "words"),
    [
        pytest.param({}, "no fold to compare", id="nothing"),
        pytest.param({"a": []}, "no fold to compare", id="no fold"),
        pytest.param({"a": [([], [])]}, "0 scores for 0 labels", id="no case"),
        pytest.param({"a": [([0.5, 0.5], [1])]}, "2 scores for 1 labels", id="another length"),
        pytest.param({"a": [([np.nan, 0.5], [1, 0])]}, "outside 0 to 1.*training diverged", id="not a number"),
        pytest.param({"a": [([3.0, 0.5], [1, 0])]}, "outside 0 to 1", id="a logit"),
        pytest.param({"a": [([0.1], [2])]}, "neither 0 nor 1", id="a class"),
        pytest.param(
            {"a": [([0.1, 0.2], [0, 1])], "b": [([0.1, 0.2], [1, 0])]}, "b and a were not judged.*paired", id="others"
        ),
        pytest.param({"a": [([0.1], [0])], "b": [([0.1], [0])] * 2}, "not judged on the same folds", id="more folds"),
    ],
)
def test_what_cannot_be_compared_is_named(results, words):
    with pytest.raises(InputError, match=words):
        compare(results)


def test_a_folder_that_cannot_be_written_is_named(comparison, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written.*may write to"):
        write_comparison(comparison, tmp_path / "file")
