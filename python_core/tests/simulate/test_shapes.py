import numpy as np
import pytest
from ece_core.simulate.shapes import Ellipsoid, SweptEllipse, Tube, WaveNoise
from hypothesis import given
from hypothesis import strategies as st

POINTS = np.random.default_rng(0).uniform(-20, 20, (200, 3))


def a_cylinder(radius=4.0):
    return SweptEllipse(np.array([[z, 1.0, 2.0, radius, radius, 0.0] for z in (-10.0, 0.0, 10.0)]))


def test_distance_to_a_cylinder_is_known_in_closed_form():
    x, y, z = POINTS.T
    radial = np.hypot(x - 1, y - 2) - 4
    beyond = np.maximum(np.abs(z) - 10, 0)
    expected = np.where(beyond > 0, np.hypot(np.maximum(radial, 0), beyond), radial)
    np.testing.assert_allclose(a_cylinder().distance(x, y, z), expected, atol=1e-5)


def test_a_turned_ellipse_is_the_ellipse_in_turned_coordinates():
    straight = SweptEllipse(np.array([[z, 0, 0, 6, 2, 0.0] for z in (-30.0, 30.0)]))
    turned = SweptEllipse(np.array([[z, 0, 0, 6, 2, 0.5] for z in (-30.0, 30.0)]))
    x, y, z = POINTS.T
    u, v = x * np.cos(0.5) + y * np.sin(0.5), y * np.cos(0.5) - x * np.sin(0.5)
    np.testing.assert_allclose(turned.distance(x, y, z), straight.distance(u, v, z), atol=1e-4)


def test_distance_to_a_tube_is_the_distance_to_its_segment():
    tube = Tube(np.array([0.0, 0, 0]), np.array([3.0, 4, 0]), 1.5)
    x, y, z = POINTS.T
    along = np.clip((POINTS @ [3, 4, 0]) / 25, 0, 1)
    expected = np.linalg.norm(POINTS - along[:, None] * [3, 4, 0], axis=1) - 1.5
    np.testing.assert_allclose(tube.distance(x, y, z), expected, atol=1e-6)


def test_distance_to_a_sphere_is_exact():
    sphere = Ellipsoid(np.array([1.0, 2, 3]), np.array([5.0, 5, 5]))
    np.testing.assert_allclose(sphere.distance(*POINTS.T), np.linalg.norm(POINTS - (1, 2, 3), axis=1) - 5, atol=1e-5)


@pytest.mark.parametrize(
    "shape",
    [a_cylinder(), Tube(np.zeros(3), np.array([3.0, 4, 5]), 2.0), Ellipsoid(np.ones(3), np.array([3.0, 5, 7]))],
)
def test_nothing_of_a_shape_lies_outside_of_its_bounds(shape):
    low, high = shape.bounds()
    inside = POINTS[shape.distance(*POINTS.T) < 0]
    assert len(inside)
    assert (inside >= low - 1e-6).all()
    assert (inside <= high + 1e-6).all()


@given(st.integers(0, 1000))
def test_noise_is_the_same_on_an_open_grid_and_at_points(seed):
    noise = WaveNoise.sample(np.random.default_rng(seed), 0.3, 1.5)
    x, y, z = (
        np.linspace(-5, 5, 6)[None, None],
        np.linspace(0, 4, 5)[None, :, None],
        np.linspace(2, 3, 4)[:, None, None],
    )
    full = np.broadcast_arrays(x, y, z)
    flat = noise(*(v.ravel() for v in full)).reshape(4, 5, 6)
    np.testing.assert_allclose(noise(x, y, z), flat, atol=2e-4)


def test_noise_has_unit_variance():
    noise = WaveNoise.sample(np.random.default_rng(1), 0.5, 2.0, 12)
    x, y, z = np.random.default_rng(2).uniform(-200, 200, (3, 20000))
    assert noise(x, y, z).std() == pytest.approx(1, abs=0.05)
