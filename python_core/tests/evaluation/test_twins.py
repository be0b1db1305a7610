"""Counterfactual twins, counted by hand."""

import numpy as np
import pytest
from ece_core.evaluation.twins import twin_figures, twin_table

PATIENTS = [
    np.array([[0.9, 0.4, 5.0, 1], [0.3, 0.3, 0.5, 0]]),  # falls; stays: not right
    np.array([[0.2, 0.6, 1.5, 1], [0.7, 0.1, 4.0, 1]]),  # rises; falls
    np.zeros((0, 4)),
]


def test_share_of_pairs_that_move_the_right_way():
    found = twin_figures(PATIENTS)
    assert found["pairs"] == 4
    assert found["right"]["value"] == pytest.approx(2 / 4)
    assert found["right_shown"]["value"] == pytest.approx(2 / 3)
    assert found["mean_fall"]["value"] == pytest.approx((0.5 + 0 - 0.4 + 0.6) / 4)
    assert 0 <= found["right"]["low"] <= 0.5 <= found["right"]["high"] <= 1


def test_by_extent():
    rows = twin_table(PATIENTS).rows
    assert [row[1] for row in rows] == [1, 1, 0, 2]
    assert [row[2] and row[2]["value"] for row in rows] == [0, 0, None, 1]


def test_without_pairs_there_is_no_figure():
    assert twin_figures([np.zeros((0, 4))]) is None and twin_figures([]) is None
