"""FROC counted by hand, against every threshold tried, and its laws."""

import numpy as np
import pytest
from ece_core.evaluation.bootstrap import figure
from ece_core.evaluation.froc import RATES, Froc
from hypothesis import given, settings
from hypothesis import strategies as st

SCORES = st.lists(st.integers(0, 5).map(lambda n: n / 5), max_size=6)
FOUND = st.lists(st.one_of(st.just(-np.inf), st.integers(0, 5).map(lambda n: n / 5)), max_size=6)
SCANS = st.lists(st.tuples(FOUND, SCORES), min_size=1, max_size=4).map(
    lambda scans: [(np.array(found, float), np.array(false, float)) for found, false in scans]
)


def froc_of(scans):
    return Froc([found for found, _ in scans], [false for _, false in scans])


def slow_best(scans, rate):
    """The highest detection rate of all thresholds with few enough false positives."""
    rates = []
    number = sum(len(found) for found, _ in scans)
    for least in (2.0, *np.arange(0, 6) / 5):
        if sum((false >= least).sum() for _, false in scans) <= rate * len(scans):
            rates.append(sum((found >= least).sum() for found, _ in scans) / number)
    return max(rates)


def test_a_curve_counted_by_hand():
    scans = [(np.array([0.9, 0.4, -np.inf]), np.array([0.8])), (np.array([0.6]), np.array([0.5, 0.3]))]
    froc = froc_of(scans)
    # thresholds:            none    0.9       0.8         0.6         0.5       0.4       0.3
    assert froc.curve() == [(0, 0), (0, 1 / 4), (0.5, 1 / 4), (0.5, 2 / 4), (1, 2 / 4), (1, 3 / 4), (1.5, 3 / 4)]
    assert [froc.at(rate)["value"] for rate in RATES] == [2 / 4, 3 / 4, 3 / 4, 3 / 4, 3 / 4]


@settings(deadline=None, max_examples=25)
@given(SCANS, st.sampled_from(RATES))
def test_trying_every_threshold_gives_the_same(scans, rate):
    got = froc_of(scans).at(rate)
    if not sum(len(found) for found, _ in scans):
        assert got is None
    else:
        assert got["value"] == pytest.approx(slow_best(scans, rate))


@settings(deadline=None, max_examples=25)
@given(SCANS)
def test_more_false_positives_never_find_fewer(scans):
    froc = froc_of(scans)
    x, y = zip(*(froc.curve() or [(0, 0)]), strict=True)
    assert list(x) == sorted(x) and list(y) == sorted(y)


@settings(deadline=None, max_examples=3)
@given(SCANS.filter(lambda scans: len(scans) > 1 and all(len(found) for found, _ in scans)))
def test_its_interval_is_that_of_drawing_patients_one_by_one(scans):
    rows = [np.array([[n]], float) for n in range(len(scans))]
    slow = figure(lambda drawn: slow_best([scans[int(n)] for n in drawn[:, 0]], 1.0), rows)
    assert froc_of(scans).at(1.0) == pytest.approx(slow)


def test_only_the_order_of_the_scores_counts():
    rng = np.random.default_rng(0)
    scans = [(rng.random(5), rng.random(3)) for _ in range(4)]
    squared = [(found**2, false**2) for found, false in scans]
    assert froc_of(scans).curve() == froc_of(squared).curve()


def test_no_lymph_node_no_curve():
    froc = froc_of([(np.zeros(0), np.array([0.5]))])
    assert froc.curve() == [] and froc.at(1.0) is None
