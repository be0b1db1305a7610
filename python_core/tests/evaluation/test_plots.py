"""What is drawn where it should be: pixels of the plots, found by their colors."""

import numpy as np
import pytest
from ece_core.evaluation.axes import (
    BOTTOM,
    COLORS,
    HEIGHT,
    LEFT,
    LEGEND,
    PICTURE_SCALE,
    RIGHT,
    TOP,
    WIDTH,
    round_numbers,
)
from ece_core.evaluation.plots import (
    BAND,
    BOX,
    INNER_BAND,
    bar_plot,
    box_plot,
    error_plot,
    interval_plot,
    line_plot,
    share_plot,
)
from hypothesis import given
from hypothesis import strategies as st


def places(image, color):
    """(n, 2) x and y in the frame, 0 to 1 from its lower left corner, of the pixels of a color."""
    wanted = [int(color[n : n + 2], 16) for n in (1, 3, 5)]
    rows, columns = np.nonzero((np.asarray(image).astype(int) - wanted == 0).all(axis=-1))
    x, y = (columns / PICTURE_SCALE - LEFT) / WIDTH, 1 - (rows / PICTURE_SCALE - TOP) / HEIGHT
    return np.stack([x, y], axis=-1)[(y > 0.005) & (y <= 1.01)]


def test_a_picture_has_room_for_its_legend():
    image = line_plot([("one", [(0, 0), (1, 1)]), ("two", [])], ("x", "y"))
    unit = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM + 2 * LEGEND)
    assert image.size == tuple(PICTURE_SCALE * side for side in unit)


def test_long_words_of_the_legend_are_not_cut_off():
    words = "a method with a very long name, AUC 0.64 (0.55 to 0.73)"
    pixels = np.asarray(line_plot([(words, [(0, 0), (1, 1)])], ("x", "y")))
    assert pixels.shape[1] > PICTURE_SCALE * (LEFT + WIDTH + RIGHT)
    dark = (pixels.sum(axis=2) < 500).any(axis=0).nonzero()[0]
    assert dark.max() < pixels.shape[1] - PICTURE_SCALE * RIGHT / 2


def test_a_curve_runs_through_its_points():
    drawn = places(line_plot([("half", [(0, 0.25), (2, 0.25)])], ("x", "y"), x_limit=2), COLORS[0])
    assert drawn[:, 1].mean() == pytest.approx(0.25, abs=0.01)
    assert (drawn[:, 0].min(), drawn[:, 0].max()) == pytest.approx((0, 1), abs=0.02)


def test_a_bar_is_as_high_as_its_value():
    figure = {"value": 0.6, "low": None, "high": None}
    drawn = places(bar_plot([("a", figure)], "share"), COLORS[0])
    assert drawn[:, 1].max() == pytest.approx(0.6, abs=0.01)
    assert np.ptp(drawn[:, 0]) == pytest.approx(0.64, abs=0.02)


def test_the_bands_are_the_readers_repeatability():
    image = error_plot(np.array([[10.0, 0.0]]), ("x", "y"))  # 0 to 10.5 mm, -3 to 3 mm
    for color, share in ((BAND, 1.96 * 0.078), (INNER_BAND, 0.078)):
        drawn = places(image, color)
        edge = drawn[np.abs(drawn[:, 0] - 10 / 10.5) < 0.01]
        assert (edge[:, 1].max() - 0.5) * 6 == pytest.approx(10 * share, abs=0.05)
        assert (0.5 - edge[:, 1].min()) * 6 == pytest.approx(10 * share, abs=0.05)


def test_a_share_of_one_is_the_darkest_and_one_of_nothing_is_blank():
    image = share_plot(np.array([[1.0, 0.0], [np.nan, 0.5]]), ("a", "b"), ("c", "d"), ("Predicted", "True"))
    drawn = places(image, COLORS[0])
    assert drawn[:, 0].max() <= 0.51 and drawn[:, 1].min() >= 0.49  # upper left only
    assert len(drawn) > 0.8 * (PICTURE_SCALE * WIDTH / 2) * (PICTURE_SCALE * HEIGHT / 2)


@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e3))
def test_ticks_are_few_evenly_spaced_and_inside(low, extent):
    values = [value for value, _ in round_numbers(low, low + extent)]
    assert 2 <= len(values) <= 6
    assert values[0] >= low - 1e-6 * extent and values[-1] <= low + extent * (1 + 1e-6)
    assert np.diff(values) == pytest.approx(np.diff(values)[0], rel=1e-6)


def test_groups_stand_side_by_side_with_their_intervals():
    figures = [{"value": 0.5, "low": 0.2, "high": 0.8}, None, {"value": 0.9, "low": None, "high": None}]
    drawn = places(interval_plot(["a", "b", "c"], [("one", figures)], ("x", "y")), COLORS[0])
    first = drawn[np.abs(drawn[:, 0] - 1 / 6) < 0.004]
    assert (first[:, 1].min(), first[:, 1].max()) == pytest.approx((0.2, 0.8), abs=0.02)
    last = drawn[np.abs(drawn[:, 0] - 5 / 6) < 0.004]
    assert last[:, 1].mean() == pytest.approx(0.9, abs=0.02)


def test_long_words_of_boxes_do_not_run_into_one_another():
    words = ["the size of the true contour alone", "a network with a longer name", "another network with pretraining"]
    pixels = np.asarray(box_plot([(text, [0.5]) for text in words], "AUC")).sum(axis=2)
    below = pixels[PICTURE_SCALE * (TOP + HEIGHT + BOTTOM - LEGEND // 2) :] < 400
    lines = np.diff(np.r_[0, below.any(axis=1), 0]) == 1
    assert lines.sum() >= len(words), "each on a line of its own"


def test_a_box_spans_the_quartiles_and_its_thick_line_is_the_median():
    image = box_plot([("a", [0.1, 0.2, 0.3, 0.6, 0.9]), ("none", [])], "share")
    inside = places(image, BOX)
    assert (inside[:, 1].min(), inside[:, 1].max()) == pytest.approx((0.2, 0.6), abs=0.02)
    assert inside[:, 0].max() < 0.5  # nothing is drawn for a group without values
    lines = places(image, COLORS[0])
    assert (lines[:, 1].min(), lines[:, 1].max()) == pytest.approx((0.1, 0.9), abs=0.02)
    wide = lines[np.abs(lines[:, 0] - 0.17) < 0.01]  # left of the whiskers, inside the box
    assert 0.3 in wide[:, 1].round(2)
