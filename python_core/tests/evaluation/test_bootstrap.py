"""Intervals: by patient, seeded, absent where they mean nothing."""

import numpy as np
import pytest
from ece_core.evaluation.bootstrap import figure, mean_figure, mean_of_column, ratio_figure
from hypothesis import given, settings
from hypothesis import strategies as st


def test_value_is_over_all_rows_and_inside_its_interval():
    patients = [np.array([[1.0], [1.0], [1.0]]), np.array([[0.0]]), np.array([[0.0], [1.0]])]
    got = figure(mean_of_column, patients)
    assert got["value"] == pytest.approx(4 / 6)
    assert 0 <= got["low"] <= got["value"] <= got["high"] <= 1


def test_patients_are_drawn_not_lymph_nodes():
    # Rows of one patient are equal. Drawn one by one, 200 rows would give an interval of about 0.43 to 0.57.
    patients = [np.full((50, 1), float(p % 2)) for p in range(4)]
    got = figure(mean_of_column, patients)
    assert got["value"] == 0.5
    assert (got["low"], got["high"]) == (0, 1)


def test_interval_has_the_textbook_width():
    rng = np.random.default_rng(0)
    patients = [np.array([[value]]) for value in rng.normal(size=400)]
    got = figure(mean_of_column, patients)
    assert got["high"] - got["low"] == pytest.approx(2 * 1.96 / 20, rel=0.12)


def test_the_same_twice():
    patients = [np.array([[value]]) for value in np.random.default_rng(0).normal(size=30)]
    assert figure(mean_of_column, patients) == figure(mean_of_column, patients)


def test_one_patient_has_no_interval():
    assert figure(mean_of_column, [np.array([[1.0], [0.0]])]) == {"value": 0.5, "low": None, "high": None}


@pytest.mark.parametrize("patients", [[], [np.zeros((0, 1)), np.zeros((0, 1))]])
def test_no_rows_no_figure(patients):
    assert figure(mean_of_column, patients) is None


PATIENTS = st.lists(st.lists(st.integers(0, 1), max_size=4), min_size=1, max_size=6).map(
    lambda patients: [np.array(values, float) for values in patients]
)


@settings(deadline=None, max_examples=15)
@given(PATIENTS)
def test_all_resamples_at_once_are_those_drawn_one_by_one(patients):
    slow = figure(mean_of_column, [values[:, None] for values in patients])
    fast = mean_figure(patients)
    assert (fast is None) == (slow is None)
    if slow is not None:
        assert fast == pytest.approx(slow)


def test_a_ratio_is_that_of_the_sums():
    got = ratio_figure(np.array([1.0, 0.0, 6.0]), np.array([2.0, 0.0, 8.0]))
    assert got["value"] == pytest.approx(7 / 10)
    assert (got["low"], got["high"]) == pytest.approx((1 / 2, 6 / 8))


def test_nothing_below_the_line_is_no_ratio():
    assert ratio_figure(np.zeros(3), np.zeros(3)) is None
    assert ratio_figure(np.zeros(0), np.zeros(0)) is None
