"""Calibration of logits: against scikit-learn, by hand, and on logits whose right temperature is known."""

import numpy as np
import pytest
from ece_core.models.calibration import bent, calibrated, fit_isotonic, fit_temperature, isotonic_corners, softmax
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression


def overconfident(random, count=6000, factor=2.5, frequencies=(0.7, 0.2, 0.1)):
    """Logits of a network trained on equal numbers that is ``factor`` times too sure, and classes as they come."""
    logits = random.normal(0, 1.5, (count, 3))
    chances = softmax(logits + np.log(frequencies))
    labels = (chances.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return factor * logits, labels


def test_the_temperature_is_found():
    logits, labels = overconfident(np.random.default_rng(1))
    fitted = fit_temperature(logits, labels, np.ones(len(labels)), np.array([0.7, 0.2, 0.1]))
    assert fitted["temperature"] == pytest.approx(2.5, rel=0.05)


def test_what_was_fitted_is_what_is_applied():
    logits, labels = overconfident(np.random.default_rng(2), 300)
    frequencies = np.array([0.7, 0.2, 0.1])
    fitted = fit_temperature(logits, labels, np.ones(len(labels)), frequencies)
    expected = softmax(logits[:1] / fitted["temperature"] + np.log(frequencies))[0]
    for diameter in (5.0, 30.0):  # temperature does not know the size
        assert calibrated(logits[0], diameter, fitted) == pytest.approx(expected)


def test_a_weight_of_two_is_the_lymph_node_twice():
    logits, labels = overconfident(np.random.default_rng(3), 100)
    frequencies = np.full(3, 1 / 3)
    twice = fit_temperature(np.repeat(logits, 2, axis=0), np.repeat(labels, 2), np.ones(200), frequencies)
    assert fit_temperature(logits, labels, np.full(100, 2.0), frequencies)["temperature"] == pytest.approx(
        twice["temperature"], rel=1e-3
    )


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.integers(1, 3)), min_size=1, max_size=30))
def test_isotonic_regression_is_scikit_learns(rows):
    x, y, weights = np.array(rows, float).T
    corners = isotonic_corners(x / 12, y, weights)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(x / 12, y, sample_weight=weights)
    assert np.interp(x / 12, *corners.T) == pytest.approx(oracle.predict(x / 12))
    assert (np.diff(corners[:, 1]) >= -1e-12).all()


def test_isotonic_regression_by_hand():
    """1, 0 in the wrong order are pooled to one half."""
    corners = isotonic_corners(np.array([0.1, 0.3, 0.5, 0.9]), np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4))
    assert corners.tolist() == [[0.1, 0.0], [0.3, 0.5], [0.5, 0.5], [0.9, 1.0]]


def test_bent_probabilities_sum_to_one_and_mean_what_they_say():
    logits, labels = overconfident(np.random.default_rng(4))
    before = softmax(logits)
    after = bent(before, fit_isotonic(before, labels, np.ones(len(labels))))
    assert after.sum(axis=1) == pytest.approx(1)
    doubtful = (after[:, 2] > 0.2) & (after[:, 2] < 0.4)
    assert (labels[doubtful] == 2).mean() == pytest.approx(after[doubtful, 2].mean(), abs=0.05)
    assert abs((labels == 2)[before[:, 2] > 0.9].mean() - before[before[:, 2] > 0.9, 2].mean()) > 0.2  # not before


def test_where_every_curve_is_zero_nothing_is_known():
    curves = {name: [[0.0, 0.0], [1.0, 0.0]] for name in ("N", "P", "ENE")}
    assert bent(np.array([[0.2, 0.3, 0.5]]), curves).tolist() == [[1 / 3] * 3]


def test_an_isotonic_card_bends_after_the_linear_part():
    curves = {name: [[0.0, 0.0], [1.0, 0.5 if name == "ENE" else 1.0]] for name in ("N", "P", "ENE")}
    matrix = np.hstack([np.eye(3), np.zeros((3, 1))]).tolist()
    answer = calibrated(np.log([0.2, 0.3, 0.5]), 10.0, {"matrix": matrix, "bias": [0, 0, 0], "isotonic": curves})
    assert answer == pytest.approx(np.array([0.2, 0.3, 0.25]) / 0.75)
