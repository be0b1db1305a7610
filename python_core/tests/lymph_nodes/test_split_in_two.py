"""One outline cut in parts, at points or at its waist."""

import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.lymph_nodes.split_in_two import split_at_points, split_at_waist

from .drawn_bodies import a_ball, draw, ellipsoid


def a_pair(spacing_mm=(1.0, 1.0, 1.0), apart_mm=9.0) -> Volume:
    """Balls of 6 and 5 mm that overlap; the first lies to the right (x < 0)."""
    one, two = ellipsoid((-apart_mm / 2, 0, 0), [6.0] * 3), ellipsoid((apart_mm / 2, 0, 0), [5.0] * 3)
    return draw(lambda points: one(points) | two(points), spacing_mm, (-14, -8, -8), (14, 8, 8))


def sides(parts: Volume) -> list[float]:
    """Mean x of each part."""
    count = int(parts.array.max())
    return [float(parts.to_lps(np.argwhere(parts.array == n))[:, 0].mean()) for n in range(1, count + 1)]


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (3.0, 0.7, 0.7)])
@pytest.mark.parametrize("split", [split_at_waist, lambda mask: split_at_points(mask, [(-6, 0, 0), (6, 0, 0)])])
def test_two_balls_are_cut_at_their_waist(split, spacing_mm):
    mask = a_pair(spacing_mm)
    parts = split(mask)
    np.testing.assert_array_equal(parts.array > 0, mask.array)
    right, left = sorted(sides(parts))
    assert right == pytest.approx(-4.7, abs=0.6) and left == pytest.approx(4.9, abs=0.6)


def test_parts_come_in_the_order_of_the_points():
    right, left = sides(split_at_points(a_pair(), [(-6, 0, 0), (6, 0, 0)]))
    assert right < 0 < left
    left, right = sides(split_at_points(a_pair(), [(6, 0, 0), (-6, 0, 0)]))
    assert right < 0 < left


def test_points_cut_also_where_there_is_no_waist():
    parts = split_at_points(a_ball(6.0), [(-4, 0, 0), (4, 0, 0)])
    one, two = (int((parts.array == number).sum()) for number in (1, 2))
    assert min(one, two) > 0.3 * (one + two)


def test_separate_pieces_are_the_parts():
    parts = split_at_waist(a_pair(apart_mm=13.0))
    assert sorted(np.sign(sides(parts))) == [-1, 1]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([(0, 0, 0)], "needs two points or more"),
        ([(-6, 0, 0), (-6.2, 0.1, 0)], "same voxel"),
        ([(-6, 0, 0), (40, 0, 0)], "not in the lymph node.*inside of its outline"),
    ],
)
def test_points_that_say_nothing_are_refused(points, words):
    with pytest.raises(InputError, match=words):
        split_at_points(a_pair(), points)


def test_a_ball_has_no_waist():
    with pytest.raises(InputError, match="no waist.*Click into each of its parts"):
        split_at_waist(a_ball(5.0))
