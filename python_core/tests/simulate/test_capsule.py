from dataclasses import replace

import numpy as np
import pytest
from ece_core.simulate.capsule import Breach, SimulatedLymphNode
from ece_core.simulate.population import DIFFICULTIES, sample_lymph_node
from ece_core.simulate.shapes import WaveNoise


def a_lymph_node(breach=None, **options):
    flat = WaveNoise(np.zeros((1, 3)), np.array([np.pi / 2]))  # cos(pi / 2): no lobes
    values = dict(
        class_name="P", level="II", side="left", center_lps=np.array([10.0, 20, 30]), radii_mm=np.array([5.0, 5, 5]),
        axes=np.eye(3), shape_noise=flat, lobulation=0.0, solid_hu=100.0, strands=flat, breach=breach,
    )  # fmt: skip
    return SimulatedLymphNode(**{**values, **options})


def a_breach(extent_mm=3.0, **options):
    smooth = WaveNoise(np.zeros((1, 3)), np.array([0.0]))
    return Breach(np.array([[1.0, 0, 0]]), np.array([0.5]), extent_mm, smooth, np.array([1.0]), **options)


def along_x(distance):
    return np.array([10.0 + distance]), np.array([20.0]), np.array([30.0])


def test_the_capsule_of_a_round_lymph_node_is_a_sphere():
    points = np.random.default_rng(0).uniform(0, 40, (300, 3))
    capsule = a_lymph_node().field(*points.T)[0]
    np.testing.assert_allclose(capsule, np.linalg.norm(points - (10, 20, 30), axis=1) - 5, atol=2e-3)


def test_a_breach_reaches_its_extent_over_the_cap_and_nothing_elsewhere():
    node = a_lymph_node(a_breach(3.0))
    assert node.field(*along_x(8.0))[1] == pytest.approx(0, abs=0.02)
    assert node.field(*along_x(-5.0))[1] == pytest.approx(0, abs=0.02)


def test_the_twin_differs_only_where_the_breach_is():
    node = a_lymph_node(a_breach())
    points = np.random.default_rng(1).uniform(-2, 42, (5000, 3))
    _, with_breach, unit = node.field(*points.T)
    _, repaired, _ = node.repaired().field(*points.T)
    away = node.breach.nearness(unit) == 0
    np.testing.assert_array_equal(with_breach[away], repaired[away])
    assert (with_breach[~away] <= repaired[~away]).all()


def test_necrosis_lies_below_the_rim_and_hilum_is_fat():
    node = a_lymph_node(rim_mm=2.0, core_hu=20.0)
    offset = (np.zeros(2), np.zeros(2), np.zeros(2))
    rim, core = node.interior_hu(np.array([-0.5, -4.5]), offset)
    assert rim == pytest.approx(100)
    assert core == pytest.approx(20)
    hilar = a_lymph_node(hilum=(np.array([2.0, 0, 0]), 1.5))
    center, away = hilar.interior_hu(np.array([-3.0, -3.0]), (np.array([2.0, -2]), np.zeros(2), np.zeros(2)))
    assert (center, away) == pytest.approx((-40, 100))


def test_strands_lie_outside_of_the_node_and_fade_with_distance():
    node = a_lymph_node(inflammation=1.0)
    density = node.strand_density(np.array([-1.0, 1.0, 20.0]), (np.ones(3),) * 3, (np.zeros(3),) * 3)
    assert density[0] == 0
    assert density[1] > 0.5
    assert density[2] == 0


@pytest.mark.parametrize("seed", range(6))
def test_the_bounds_hold_node_and_breach(seed):
    rng = np.random.default_rng(seed)
    node = replace(sample_lymph_node(rng, "ENE", DIFFICULTIES["medium"]), center_lps=np.zeros(3))
    low, high = node.bounds()
    points = rng.uniform(low * 2, high * 2, (20000, 3))
    inside = points[node.field(*points.T)[1] < 0]
    assert len(inside)
    assert (inside > low).all()
    assert (inside < high).all()
