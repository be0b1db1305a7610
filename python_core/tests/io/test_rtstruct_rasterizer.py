"""Even-odd filling: counted by hand, against a second version straight from the definition, and by its laws."""

import numpy as np
import pytest
from ece_core.io.rtstruct_rasterizer import even_odd
from hypothesis import given, settings
from hypothesis import strategies as st

SHAPE = (12, 14)


def box(low, high) -> np.ndarray:
    """Corners of the rectangle from low (j, i) to high (j, i)."""
    return np.array([low, (low[0], high[1]), high, (high[0], low[1])], float)


def inside_by_ray_casting(contours, shape) -> np.ndarray:
    """Second version: from each voxel center a ray to smaller i; inside if it meets an odd number of edges."""
    filled = np.zeros(shape, bool)
    for j, i in np.ndindex(shape):
        met = 0
        for contour in contours:
            for (j0, i0), (j1, i1) in zip(contour, np.roll(contour, -1, axis=0), strict=True):
                if (j0 <= j) != (j1 <= j):
                    met += i0 + (j - j0) / (j1 - j0) * (i1 - i0) <= i
        filled[j, i] = met % 2
    return filled


def inside_by_winding(contour, shape) -> np.ndarray:
    """Third version, for a contour that does not cross itself: the angles under which it is seen add up to a turn."""
    filled = np.zeros(shape, bool)
    for center in np.ndindex(shape):
        rays = np.asarray(contour) - center
        after = np.roll(rays, -1, axis=0)
        cross = rays[:, 0] * after[:, 1] - rays[:, 1] * after[:, 0]
        filled[center] = abs(np.arctan2(cross, (rays * after).sum(axis=1)).sum()) > np.pi
    return filled


def area_of(contour) -> float:
    """Shoelace formula."""
    j, i = np.asarray(contour).T
    return 0.5 * abs(np.dot(j, np.roll(i, -1)) - np.dot(i, np.roll(j, -1)))


finite = st.floats(-3, 16, allow_nan=False).map(lambda x: round(x, 3))
polygons = st.lists(st.tuples(finite, finite), min_size=3, max_size=9).map(np.array)


@st.composite
def stars(draw) -> np.ndarray:
    """A contour that does not cross itself: radii around a center, by angle."""
    corners = draw(st.integers(3, 12))
    radii = draw(st.lists(st.floats(1.0, 5.0), min_size=corners, max_size=corners))
    center = draw(st.tuples(st.floats(5, 7), st.floats(5, 8)))
    angles = np.arange(corners) * 2 * np.pi / corners + 0.123
    return np.array(center) + np.array(radii)[:, None] * np.column_stack([np.sin(angles), np.cos(angles)])


@pytest.mark.parametrize(
    ("low", "high", "voxels"),
    [
        pytest.param((1.5, 2.5), (4.5, 6.5), 12, id="3 x 4 voxels, edges between centers"),
        pytest.param((1.9, 2.9), (4.1, 6.1), 12, id="edges close to the centers: no half voxel is added"),
        pytest.param((2.1, 3.1), (3.9, 5.9), 2, id="just inside of the outer centers"),
        pytest.param((1.0, 2.0), (4.0, 6.0), 12, id="edges through centers: one side in, the other out"),
        pytest.param((2.2, 3.2), (2.8, 3.8), 0, id="between the centers"),
        pytest.param((-5.0, -5.0), (50.0, 50.0), 168, id="larger than the slice: cut off"),
        pytest.param((-5.0, 3.5), (50.0, 4.5), 12, id="a column beyond both ends"),
    ],
)
def test_a_rectangle_is_counted_by_hand(low, high, voxels):
    assert even_odd([box(low, high)], SHAPE).sum() == voxels


def test_the_voxels_are_where_the_contour_is():
    filled = even_odd([box((1.5, 2.5), (4.5, 6.5))], SHAPE)
    assert filled.dtype == bool
    assert filled[2:5, 3:7].all()


@given(st.lists(polygons, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_it_equals_ray_casting_even_where_contours_cross_themselves_and_each_other(contours):
    np.testing.assert_array_equal(even_odd(contours, SHAPE), inside_by_ray_casting(contours, SHAPE))


@given(stars())
@settings(max_examples=25, deadline=None)
def test_it_equals_the_winding_number_of_a_simple_contour(contour):
    np.testing.assert_array_equal(even_odd([contour], SHAPE), inside_by_winding(contour, SHAPE))


@given(stars())
@settings(max_examples=25, deadline=None)
def test_voxels_count_the_area(contour):
    """Each corner doubled in size, on a grid eight times as fine: the boundary's share of the voxels shrinks."""
    fine = even_odd([contour * 8 + 3.5], (SHAPE[0] * 8, SHAPE[1] * 8)).sum() / 64
    perimeter = np.linalg.norm(contour - np.roll(contour, -1, axis=0), axis=1).sum()
    assert abs(fine - area_of(contour)) <= perimeter / 8 + 1 / 64


@given(polygons, st.integers(-3, 3), st.integers(-3, 3))
@settings(max_examples=25, deadline=None)
def test_a_shift_by_whole_voxels_shifts_the_mask(contour, down, right):
    large = np.pad(even_odd([contour], SHAPE), 0)
    moved = even_odd([contour + (down, right)], SHAPE)
    j, i = np.argwhere(moved).T
    back_j, back_i = j - down, i - right
    seen = (back_j >= 0) & (back_j < SHAPE[0]) & (back_i >= 0) & (back_i < SHAPE[1])
    assert large[back_j[seen], back_i[seen]].all()
    j, i = np.argwhere(large).T
    seen = (j + down >= 0) & (j + down < SHAPE[0]) & (i + right >= 0) & (i + right < SHAPE[1])
    assert moved[j[seen] + down, i[seen] + right].all()


@given(polygons, st.integers(0, 8))
@settings(max_examples=25, deadline=None)
def test_direction_and_first_corner_do_not_matter(contour, start):
    expected = even_odd([contour], SHAPE)
    np.testing.assert_array_equal(even_odd([np.roll(contour[::-1], start, axis=0)], SHAPE), expected)


@given(polygons, polygons)
@settings(max_examples=25, deadline=None)
def test_contours_of_one_slice_are_joined_by_exclusive_or(one, other):
    both = even_odd([one], SHAPE) ^ even_odd([other], SHAPE)
    np.testing.assert_array_equal(even_odd([one, other], SHAPE), both)


def test_a_contour_within_a_contour_is_a_hole():
    filled = even_odd([box((1.5, 1.5), (9.5, 9.5)), box((3.5, 3.5), (6.5, 7.5))], SHAPE)
    assert filled.sum() == 64 - 12
    assert not filled[4:7, 4:8].any()


@pytest.mark.parametrize("at", [5.0, 4.73, 1 / 3 + 4])
def test_a_keyhole_is_a_hole_wherever_its_channel_runs(at):
    """One contour: around, through the channel, around the hole the other way, and back on the same path."""
    outer, inner = box((1.5, 1.5), (9.5, 9.5)), box((3.5, 3.5), (6.5, 7.5))[::-1]
    gate_out, gate_in = np.array([[1.5, at]]), np.array([[3.5, at + 0.1]])
    ring = np.concatenate([inner[3:], inner[:3]])  # starts and ends on the edge at j = 3.5
    keyhole = np.concatenate([outer[:1], gate_out, gate_in, ring, gate_in, gate_out, outer[1:]])
    np.testing.assert_array_equal(even_odd([keyhole], SHAPE), even_odd([outer, inner], SHAPE))


def test_regions_with_a_common_border_through_centers_share_no_voxel():
    corner, middle = np.array([[2.0, 2.0], [9.0, 9.0]]), [(2.0, 9.0), (9.0, 2.0)]
    upper, lower = np.array([corner[0], middle[0], corner[1]]), np.array([corner[0], corner[1], middle[1]])
    together = even_odd([upper], SHAPE).astype(int) + even_odd([lower], SHAPE)
    np.testing.assert_array_equal(together, even_odd([box((2, 2), (9, 9))], SHAPE))


def test_the_last_bit_of_a_matrix_product_does_not_decide():
    contour = box((1.0, 2.0), (4.0, 6.0))
    noise = np.random.default_rng(0).uniform(-1e-9, 1e-9, contour.shape)
    np.testing.assert_array_equal(even_odd([contour + noise], SHAPE), even_odd([contour], SHAPE))


def test_many_long_edges_are_done_in_parts(monkeypatch):
    contour = np.column_stack([np.tile([0.5, 10.5], 50), np.linspace(0.3, 12.7, 100)])
    expected = even_odd([contour], SHAPE)
    monkeypatch.setattr("ece_core.io.rtstruct_rasterizer.CROSSINGS_AT_ONCE", 25)
    np.testing.assert_array_equal(even_odd([contour], SHAPE), expected)
    np.testing.assert_array_equal(expected, inside_by_ray_casting([contour], SHAPE))


def test_no_contour_fills_nothing():
    assert not even_odd([], SHAPE).any()
