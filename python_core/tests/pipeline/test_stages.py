"""Stages: fractions by hand, time left, and what is timed."""

import pytest
from ece_core.pipeline.stages import STAGES, StageClock, remaining_seconds

WEIGHT = {stage.name: stage.weight for stage in STAGES}


def test_fraction_is_the_share_of_the_weights_done():
    seen = []
    clock = StageClock(("read", "load_models", "neck_region"), lambda stage, fraction: seen.append((stage, fraction)))
    total = WEIGHT["read"] + WEIGHT["load_models"] + WEIGHT["neck_region"]
    with clock.stage("read"):
        pass
    with clock.stage("load_models") as tell:
        tell(0.5)
    assert seen == [
        ("read", 0.0),
        ("read", pytest.approx(WEIGHT["read"] / total)),
        ("load_models", pytest.approx(WEIGHT["read"] / total)),
        ("load_models", pytest.approx((WEIGHT["read"] + WEIGHT["load_models"] / 2) / total)),
        ("load_models", pytest.approx((WEIGHT["read"] + WEIGHT["load_models"]) / total)),
    ]


def test_a_second_attempt_of_a_step_does_not_move_the_bar_back():
    seen = []
    clock = StageClock(("segment",), lambda stage, fraction: seen.append(fraction))
    with clock.stage("segment") as tell:
        for fraction in (0.6, 0.0, 0.3, 0.9):  # out of memory at 0.6, then from the start with smaller tiles
            tell(fraction)
    assert seen == [0.0, 0.6, 0.6, 0.6, 0.9, 1.0]


def test_a_stage_that_fails_is_not_timed():
    clock = StageClock(("read",), lambda stage, fraction: None)
    with pytest.raises(OSError), clock.stage("read"):
        raise OSError
    assert clock.seconds == {}


@pytest.mark.parametrize(("elapsed_s", "fraction", "left"), [(10, 0.25, 30), (10, 1.0, 0), (3, 0.0, None)])
def test_remaining_seconds(elapsed_s, fraction, left):
    assert remaining_seconds(elapsed_s, fraction) == left
