"""Caliper diameters against analytic outlines and against calipers turned by hand."""

import numpy as np
import pytest
from ece_core.lymph_nodes.feret import contour_points, maximum_feret_mm, minimum_feret_mm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


def slow_ferets(mask, spacing_mm, directions=1800):
    """Smallest and largest caliper opening over many directions, from every exposed pixel edge's middle."""
    points = []
    padded = np.pad(mask, 1)
    for row, column in np.argwhere(padded):
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if not padded[row + down, column + right]:
                points.append(((row - 1 + down / 2) * spacing_mm[0], (column - 1 + right / 2) * spacing_mm[1]))
    angles = np.linspace(0, np.pi, directions, endpoint=False)
    openings = np.ptp(np.array(points) @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)
    return openings.min(), openings.max()


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "minimum", "maximum"),
    [
        pytest.param((1, 1), (1, 1), np.sqrt(0.5), 1, id="a pixel: the diamond of its edges' middles"),
        pytest.param((1, 5), (1, 1), 1, 5, id="a row of five"),
        pytest.param((4, 4), (0.5, 0.5), 2, np.hypot(2, 1.5), id="a square of 2 mm"),
        pytest.param((2, 3), (3, 0.5), 1.5, np.hypot(6, 1.0), id="thick slices"),
    ],
)
def test_rectangles_are_measured_with_a_pencil(shape, spacing_mm, minimum, maximum):
    section = np.zeros((9, 9), bool)
    section[2 : 2 + shape[0], 3 : 3 + shape[1]] = True
    assert minimum_feret_mm(section, spacing_mm) == pytest.approx(minimum)
    assert maximum_feret_mm(section, spacing_mm) == pytest.approx(maximum)


def test_contour_points_of_one_voxel_are_its_six_face_centres():
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    expected = {tuple(1 + 0.5 * s * np.eye(3)[a]) for a in range(3) for s in (-1, 1)}
    assert {tuple(p) for p in contour_points(mask)} == expected


@given(
    arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any), st.sampled_from([(1, 1), (2.5, 0.5)])
)
def test_turning_the_calipers_by_hand_gives_the_same(section, spacing_mm):
    minimum, maximum = slow_ferets(section, spacing_mm)
    assert minimum_feret_mm(section, spacing_mm) == pytest.approx(minimum, abs=0.02)
    assert maximum_feret_mm(section, spacing_mm) == pytest.approx(maximum, rel=1e-4)


@given(arrays(bool, (7, 6, 5)).filter(np.any), st.sampled_from([0, 1, 2]))
def test_longest_diameter_does_not_know_left_from_right(mask, axis):
    spacing_mm = (3.0, 0.5, 0.7)
    assert maximum_feret_mm(np.flip(mask, axis), spacing_mm) == pytest.approx(maximum_feret_mm(mask, spacing_mm))


@pytest.mark.parametrize("pixel_mm", [0.4, 0.9, 1.5])
@pytest.mark.parametrize(("short_mm", "long_mm"), [(8.0, 8.0), (8.0, 14.0), (15.0, 30.0)])
def test_an_ellipse_is_measured_within_half_a_pixel_on_average(pixel_mm, short_mm, long_mm):
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(40):  # every angle and position against the grid
        angle, shift = rng.uniform(0, np.pi), rng.uniform(0, pixel_mm, 2)
        half = int(long_mm / pixel_mm / 2) + 3
        grid = np.stack(np.meshgrid(*[np.arange(-half, half + 1) * pixel_mm] * 2, indexing="ij"), -1) - shift
        turned = grid @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        ellipse = ((turned / [short_mm / 2, long_mm / 2]) ** 2).sum(-1) <= 1
        spacing_mm = (pixel_mm, pixel_mm)
        errors.append(
            (minimum_feret_mm(ellipse, spacing_mm) - short_mm, maximum_feret_mm(ellipse, spacing_mm) - long_mm)
        )
    assert np.abs(np.mean(errors, axis=0)).max() < 0.75 * pixel_mm  # both sides together
    assert np.abs(np.median(errors, axis=0)).max() / 2 < 0.5 * pixel_mm  # each side
    assert np.abs(errors).max() < 1.1 * pixel_mm  # one pixel, where the outermost row holds no pixel centre
