"""AUC, curve, Brier and calibration error against pairs counted one by one and against scikit-learn."""

import numpy as np
import pytest
from ece_core.evaluation.calibration import brier, calibration_bins, calibration_error
from ece_core.evaluation.roc import auc, roc_curve
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_curve

SCORED = st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=40).map(
    lambda rows: (np.array([score / 10 for score, _ in rows]), np.array([positive for _, positive in rows]))
)
TWO_CLASSES = SCORED.filter(lambda case: 0 < case[1].sum() < len(case[1]))


@given(TWO_CLASSES)
def test_auc_is_the_share_of_pairs_in_the_right_order(case):
    scores, positive = case
    pairs = [float(p > n) + 0.5 * float(p == n) for p in scores[positive] for n in scores[~positive]]
    assert auc(scores, positive) == pytest.approx(np.mean(pairs))


@given(TWO_CLASSES)
def test_auc_agrees_with_scikit_learn(case):
    assert auc(*case) == pytest.approx(roc_auc_score(case[1], case[0]))


@given(TWO_CLASSES)
def test_area_under_the_curve_is_the_auc(case):
    x, y = roc_curve(*case)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(auc(*case))


@given(TWO_CLASSES)
def test_curve_agrees_with_scikit_learn(case):
    x, y, _ = sklearn_curve(case[1], case[0], drop_intermediate=False)
    ours = roc_curve(*case)
    assert np.allclose(ours[0], x)
    assert np.allclose(ours[1], y)


@given(TWO_CLASSES)
def test_turning_the_score_round_turns_the_auc_round(case):
    assert auc(-case[0], case[1]) == pytest.approx(1 - auc(*case))


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_with_one_class_there_is_no_auc(positive):
    assert auc(np.array([0.1, 0.9]), np.array(positive)) is None


@given(SCORED)
def test_brier_agrees_with_scikit_learn(case):
    assert brier(*case) == pytest.approx(brier_score_loss(case[1], case[0], labels=[False, True]))


def test_calibration_error_by_hand():
    probabilities = np.array([0.05, 0.05, 0.95, 0.95, 1.0])
    positive = np.array([False, True, True, True, True])
    # first bin: says 0.05, is 0.5, two of five; last bin: says 0.9667, is 1, three of five
    assert calibration_error(probabilities, positive) == pytest.approx(0.4 * 0.45 + 0.6 * (1 - 2.9 / 3))
    assert calibration_bins(probabilities, positive) == [
        (pytest.approx(0.05), 0.5, 2),
        (pytest.approx(2.9 / 3), 1.0, 3),
    ]


def test_a_coin_that_says_one_half_is_calibrated():
    assert calibration_error(np.full(10, 0.5), np.arange(10) % 2 == 0) == 0
