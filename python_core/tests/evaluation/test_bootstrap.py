"""Intervals: by patient, seeded, absent where they mean nothing."""

import numpy as np
import pytest
from ece_core.evaluation.bootstrap import figure, mean_of_column


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
