"""How well a number tells the worst contours: by hand, and only on patients that it was not fitted on."""

import numpy as np
import pytest
from ece_core.evaluation.contours import auc_of_worst, held_out_scores

PATIENTS = np.repeat(np.arange(30), 2)


def test_low_scores_are_the_worst_contours():
    worst = np.arange(60) < 6
    assert auc_of_worst(np.arange(60.0), worst, PATIENTS) == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert auc_of_worst(-np.arange(60.0), worst, PATIENTS)["value"] == 0.0
    assert auc_of_worst(np.arange(60.0), np.zeros(60, bool), PATIENTS) == {"value": None, "low": None, "high": None}


def test_interval_holds_the_value_and_draws_patients_together():
    rng = np.random.default_rng(1)
    worst = rng.random(60) < 0.3
    scores = rng.normal(size=60) - worst
    found = auc_of_worst(scores, worst, PATIENTS)
    alone = auc_of_worst(scores, worst, np.arange(60))
    assert found["low"] < found["value"] < found["high"]
    assert (found["low"], found["high"]) != (alone["low"], alone["high"])


def test_topology_that_tells_dice_does_so_on_other_patients_and_noise_does_not():
    rng = np.random.default_rng(2)
    strength = rng.normal(size=60)
    profiles = np.outer(strength, np.linspace(10, 0, 12)) + rng.normal(scale=0.1, size=(60, 12))
    dice = 1 / (1 + np.exp(-1 - strength))
    assert np.corrcoef(held_out_scores(profiles, dice, PATIENTS), dice)[0, 1] > 0.98
    noise = held_out_scores(rng.normal(size=(60, 12)), dice, PATIENTS)
    assert abs(np.corrcoef(noise, dice)[0, 1]) < 0.4


def test_a_contour_takes_no_part_in_its_own_fit():
    rng = np.random.default_rng(3)
    profiles, dice = rng.normal(size=(60, 4)), rng.random(60)
    before = held_out_scores(profiles, dice, PATIENTS)
    changed = dice.copy()
    changed[0] = 1 - changed[0]
    after = held_out_scores(profiles, changed, PATIENTS)
    assert after[0] == pytest.approx(before[0]) and after[1] == pytest.approx(before[1])  # the patient's other one
    assert not np.allclose(before, after)
