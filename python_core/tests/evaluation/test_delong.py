"""DeLong's interval and test: against the authors' patients, the formula written out slowly, and scikit-learn."""

import numpy as np
import pytest
from ece_core.evaluation.delong import delong_interval, delong_paired
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

# The ovarian cancer patients of DeLong et al. 1988: albumin, total protein, K-G score and whether surgery failed, as
# the SAS/STAT User's Guide prints them with its answers ("Comparing Receiver Operating Characteristic Curves").
PATIENTS = np.fromstring(
    """3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1
    3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0
    4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1
    4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1
    2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1""",
    sep=" ",
).reshape(-1, 4)
FAILED = PATIENTS[:, 3] == 0
ALBUMIN, PROTEIN, KG_SCORE = -PATIENTS[:, 0], -PATIENTS[:, 1], PATIENTS[:, 2]


@pytest.mark.parametrize(
    ("score", "printed"),
    [
        pytest.param(ALBUMIN, (0.7366, 0.5549, 0.9182), id="albumin"),
        pytest.param(KG_SCORE, (0.7258, 0.5243, 0.9273), id="K-G score"),
        pytest.param(PROTEIN, (0.6478, 0.4518, 0.8439), id="total protein"),
    ],
)
def test_intervals_of_the_published_example(score, printed):
    assert delong_interval(score, FAILED) == pytest.approx(printed, abs=5e-5)


@pytest.mark.parametrize(
    ("score", "printed"),
    [
        pytest.param(ALBUMIN, (0.0108, -0.1761, 0.1976, 0.9102), id="albumin minus K-G score"),
        pytest.param(PROTEIN, (-0.0780, -0.2830, 0.1271, 0.4561), id="total protein minus K-G score"),
    ],
)
def test_differences_of_the_published_example(score, printed):
    assert delong_paired(score, KG_SCORE, FAILED) == pytest.approx(printed, abs=5e-5)


ROWS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.booleans()), min_size=4, max_size=30).map(np.array)
TWO_OF_EACH = ROWS.filter(lambda rows: 2 <= rows[:, 2].sum() <= len(rows) - 2)


def slow(columns, labels):
    """Areas and covariance as DeLong et al. write them: every pair by itself."""
    areas, of_positive, of_negative = [], [], []
    for scores in columns:
        psi = [[(p > n) + 0.5 * (p == n) for n in scores[labels == 0]] for p in scores[labels == 1]]
        areas.append(np.mean(psi))
        of_positive.append([sum(row) / len(row) for row in psi])
        of_negative.append([sum(column) / len(column) for column in zip(*psi, strict=True)])
    m, n = len(of_positive[0]), len(of_negative[0])
    covariance = np.zeros((len(areas), len(areas)))
    for a in range(len(areas)):
        for b in range(len(areas)):
            s10 = sum((of_positive[a][i] - areas[a]) * (of_positive[b][i] - areas[b]) for i in range(m)) / (m - 1)
            s01 = sum((of_negative[a][j] - areas[a]) * (of_negative[b][j] - areas[b]) for j in range(n)) / (n - 1)
            covariance[a, b] = s10 / m + s01 / n
    return areas, covariance


@settings(max_examples=15)
@given(TWO_OF_EACH)
def test_agrees_with_the_formula_and_with_scikit_learn(rows):
    a, b, labels = rows.T.astype(float)
    (area_a, area_b), covariance = slow([a, b], labels)
    one, pair = delong_interval(a, labels), delong_paired(a, b, labels)
    assert one.value == pytest.approx(roc_auc_score(labels, a))
    assert pair.difference == pytest.approx(area_a - area_b)
    if covariance[0, 0] > 1e-9:
        reach = norm.ppf(0.975) * np.sqrt(covariance[0, 0])
        assert (one.low, one.high) == pytest.approx((max(0, area_a - reach), min(1, area_a + reach)))
    else:
        assert one.low is None and one.high is None
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance > 1e-9:
        assert pair.p == pytest.approx(2 * norm.sf(abs(area_a - area_b) / np.sqrt(variance)))
    else:
        assert pair[1:] == (None, None, None)


@settings(max_examples=15)
@given(TWO_OF_EACH)
def test_exchanging_the_two_turns_the_difference_round(rows):
    a, b, labels = rows.T
    one, other = delong_paired(a, b, labels), delong_paired(b, a, labels)
    assert other.difference == pytest.approx(-one.difference)
    assert other.p is one.p or other.p == pytest.approx(one.p)
    assert other.low is one.high or other.low == pytest.approx(-one.high)


def test_the_interval_holds_the_true_area_as_often_as_it_says():
    """Two normal scores, one standard deviation apart: the area is Phi(1 / sqrt 2)."""
    random, truth, held = np.random.default_rng(3), norm.cdf(1 / np.sqrt(2)), 0
    labels = np.repeat([1, 0], [40, 60])
    for _ in range(200):
        interval = delong_interval(random.normal(size=100) + labels, labels)
        held += interval.low <= truth <= interval.high
    assert 0.904 <= held / 200 <= 0.996  # three standard errors to either side


def test_a_perfect_order_has_no_interval_that_would_look_sure():
    assert delong_interval(np.array([1, 2, 3, 4]), np.array([0, 0, 1, 1])) == (1.0, None, None)
    assert delong_interval(np.array([1, 2, 3]), np.array([0, 1, 0])) == (0.5, None, None)  # one positive: no spread


@pytest.mark.parametrize("labels", [[1, 1], [0, 0]])
def test_with_one_class_there_is_nothing(labels):
    assert delong_interval(np.array([0.1, 0.9]), np.array(labels)) is None
    assert delong_paired(np.array([0.1, 0.9]), np.array([0.1, 0.9]), np.array(labels)) is None


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([0.1, 0.2], [0, 1, 1], "one length"),
        ([0.1, np.nan], [0, 1], "finite"),
        ([0.1, 0.2], [0, 2], "0 or 1"),
    ],
)
def test_what_it_cannot_use_is_named(scores, labels, words):
    with pytest.raises(ValueError, match=words):
        delong_interval(np.array(scores), np.array(labels))
