"""Conformal sets: by hand, and their coverage on exchangeable data as the theorem has it."""

import numpy as np
import pytest
from ece_core.errors import InputError, ModelError
from ece_core.models.conformal import class_set, coverage, fit_conformal
from scipy.stats import betabinom, binom

NAMES = ("N", "P", "ENE")


def drawn(random, each):
    """Probabilities (3 * each, 3) that know the class a little, and the classes."""
    labels = np.repeat([0, 1, 2], each)
    logits = random.normal(size=(3 * each, 3)) + 1.2 * np.eye(3)[labels]
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


def sets_of(probabilities, conformal):
    return [class_set(dict(zip(NAMES, row, strict=True)), conformal) for row in probabilities]


def test_thresholds_by_hand():
    """19 of each class: at 0.9 two may be missed ((19 + 1) / 10), so the second lowest is the threshold."""
    own = np.arange(1, 20) / 20
    probabilities = np.zeros((57, 3))
    for number in range(3):
        probabilities[19 * number : 19 * (number + 1), number] = own[::-1] / (number + 1)
    fitted = fit_conformal(probabilities, np.repeat([0, 1, 2], 19))
    assert fitted["least_probability"] == pytest.approx({"N": 0.1, "P": 0.05, "ENE": 0.1 / 3})
    assert fitted["lymph_nodes"] == {"N": 19, "P": 19, "ENE": 19} and fitted["target"] == 0.9


def test_a_set_holds_what_reaches_its_threshold():
    conformal = {"target": 0.9, "least_probability": {"N": 0.5, "P": 0.2, "ENE": 0.1}}
    assert class_set({"N": 0.5, "P": 0.4, "ENE": 0.1}, conformal) == ("N", "P", "ENE")
    assert class_set({"N": 0.95, "P": 0.03, "ENE": 0.02}, conformal) == ("N",)
    assert class_set({"N": 0.45, "P": 0.35, "ENE": 0.2}, conformal) == ("P", "ENE")
    assert class_set({"N": 0.49, "P": 0.19, "ENE": 0.05}, conformal) == ()
    assert class_set({"N": 1.0}, None) is None


@pytest.mark.parametrize("target", [0.8, 0.9])
def test_coverage_of_new_lymph_nodes_is_as_proven(target):
    """Over calibrations and new lymph nodes alike, each class is covered with (n + 1 - allowed) / (n + 1).

    With 59 of each class that is 0.8 and 0.9 exactly. 150 repetitions with 20 new ones of each class: the number
    covered follows the beta-binomial law in each repetition (Vovk 2012), so their sum must lie within its bounds.
    """
    random, repetitions, new = np.random.default_rng(7), 150, 20
    covered = np.zeros(3)
    for _ in range(repetitions):
        conformal = fit_conformal(*drawn(random, 59), target)
        probabilities, labels = drawn(random, new)
        shares = coverage(sets_of(probabilities, conformal), [NAMES[label] for label in labels])
        covered += np.array([shares[name] for name in NAMES]) * new
    missed = round(60 * (1 - target))
    law = betabinom(new, 60 - missed, missed)
    low, high = (repetitions * law.mean() + side * 4 * np.sqrt(repetitions * law.var()) for side in (-1, 1))
    assert law.mean() == pytest.approx(target * new)
    assert (low <= covered).all() and (covered <= high).all()


def test_coverage_of_each_class_holds_whatever_the_mix():
    """Calibrated on equal numbers, used where nine of ten are N: class by class nothing changes."""
    random = np.random.default_rng(5)
    conformal = fit_conformal(*drawn(random, 5000))
    probabilities, labels = drawn(random, 1800)
    kept = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 2)[:200]])
    shares = coverage(sets_of(probabilities[kept], conformal), [NAMES[label] for label in labels[kept]])
    assert set(shares) == {"N", "ENE"}
    for name, count in (("N", 1800), ("ENE", 200)):
        low, high = binom(count, 0.9).interval(0.9999)
        assert low <= shares[name] * count <= high


def test_more_certain_probabilities_give_smaller_sets():
    random = np.random.default_rng(2)
    probabilities, labels = drawn(random, 500)
    sharper = 0.2 * probabilities + 0.8 * np.eye(3)[labels]
    sizes = [
        np.mean([len(one) for one in sets_of(table, fit_conformal(table, labels))])
        for table in (sharper, probabilities)
    ]
    assert sizes[0] < 0.95 and sizes[0] < sizes[1]


def test_too_few_of_a_class_are_refused():
    probabilities, labels = np.full((29, 3), 1 / 3), np.repeat([0, 1, 2], [10, 10, 9])
    fit_conformal(probabilities, labels)  # 9 are just enough
    with pytest.raises(InputError, match=r"8 lymph nodes of class ENE are too few.*10 %.*at least 9 of each"):
        fit_conformal(probabilities[:-1], labels[:-1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_conformal(probabilities, labels, 1.0)


@pytest.mark.parametrize("damaged", [{"target": 0.9}, {"least_probability": {"N": 0.5}}, {"least_probability": 3}])
def test_a_damaged_card_is_named(damaged):
    with pytest.raises(ModelError, match="conformal thresholds are damaged"):
        class_set({"N": 1.0, "P": 0.0, "ENE": 0.0}, damaged)
