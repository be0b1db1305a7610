from dataclasses import replace

import numpy as np
import pytest
from ece_core.simulate.capsule import FUSE_MM, Breach, SimulatedLymphNode, Tongue, smooth_minimum
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


@pytest.mark.parametrize("extent_mm", [0.8, 2.0, 6.0])
def test_a_tongue_ends_at_its_extent(extent_mm):
    tongue = Tongue(np.array([1.0, 0, 0]), np.array([1.0, 0, 0]), 1.0, 0.6)
    node = a_lymph_node(replace(a_breach(extent_mm), caps=np.array([0.0]), tongues=(tongue,)))
    inside, outside = (node.field(*along_x(5 + extent_mm + step))[1][0] for step in (-0.25, 0.25))
    assert inside < 0 < outside


def test_a_bent_tongue_leans_away_but_stays_within_the_extent():
    tip = np.array([np.cos(0.3), np.sin(0.3), 0])
    node = a_lymph_node(replace(a_breach(4.0), caps=np.array([0.0]), tongues=(Tongue(np.eye(3)[0], tip, 1.0, 0.7),)))
    assert node.field(*((node.center_lps + 8.5 * tip)[:, None]))[1][0] < 0
    assert node.field(*along_x(8.5))[1][0] > 0
    points = np.random.default_rng(2).uniform(-12, 12, (40000, 3)) + node.center_lps
    capsule, outer, _ = node.field(*points.T)
    assert capsule[outer < 0].max() < 4.0 + 0.2


def test_a_turned_breach_is_the_breach_in_turned_directions():
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    breach = replace(a_breach(), tongues=(Tongue(np.eye(3)[0], np.eye(3)[0], 1.0, 0.5),))
    here, there = a_lymph_node(breach), a_lymph_node(breach.turned(quarter))
    offsets = np.random.default_rng(3).uniform(-10, 10, (500, 3))
    straight = here.field(*(offsets + here.center_lps).T)[1]
    turned = there.field(*(offsets @ quarter.T + here.center_lps).T)[1]
    np.testing.assert_allclose(turned, straight, atol=1e-4)


def test_the_smooth_minimum_is_the_minimum_far_from_the_seam_and_a_quarter_radius_below_it_there():
    assert smooth_minimum(np.array([1.0]), np.array([4.0]), 2.0) == 1.0
    assert smooth_minimum(np.array([1.0]), np.array([1.0]), 2.0) == pytest.approx(0.5)


def test_coalescent_lymph_nodes_have_no_fat_between_them_and_share_the_space():
    left = a_lymph_node()
    right = a_lymph_node(center_lps=np.array([20.5, 20, 30]))  # two spheres of radius 5, half a millimeter apart
    pair = replace(left, fused=(right,)), replace(right, fused=(left,))
    x = np.linspace(10, 20.5, 200)
    line = (x, np.full(200, 20.0), np.full(200, 30.0))
    mine, yours = (node.field(*line)[1] < 0 for node in pair)
    assert (mine | yours).all()
    assert (left.field(*line)[1] > 0).any()
    assert not mine[x > 15.25 + 0.6].any()
    assert (mine & yours).sum() * (10.5 / 200) < 1.2  # the overlap hides the seam, no more
    far = np.array([2.0]), np.array([20.0]), np.array([30.0])
    assert pair[0].field(*far)[0] == left.field(*far)[0], f"the fillet reaches {FUSE_MM} mm"


def test_the_strands_of_a_breach_lie_over_it_and_go_with_it():
    waves = WaveNoise.sample(np.random.default_rng(4), 0.8, 2.0, 10)
    node = a_lymph_node(a_breach(stranding=1.0, strands=waves, blur_mm=1.5))
    points = np.random.default_rng(5).uniform(-12, 12, (20000, 3)) + node.center_lps
    _, outer, unit = node.field(*points.T)
    density = node.strand_density(outer, unit, tuple(points.T))
    near = node.breach.nearness(unit)
    assert density[near > 0].max() > 0.8
    assert density[near == 0].max() == 0
    twin = node.repaired()
    assert twin.strand_density(outer, unit, tuple(points.T)).max() == 0
    assert twin.margin_mm(unit) == node.blur_mm
    assert np.max(node.margin_mm(unit)) == pytest.approx(1.7, abs=0.05)


def test_inflammation_on_one_side_leaves_the_other_side_clear():
    node = a_lymph_node(inflammation=1.0, inflamed_side=np.eye(3)[0], inflamed_blur_mm=1.0)
    sides = tuple(np.array([[1.0, -1], [0, 0], [0, 0]]))
    points = tuple(np.array([[16.0, 4], [20, 20], [30, 30]]))
    assert node.strand_density(np.ones(2, np.float32), sides, points)[0] > 0.5
    assert node.strand_density(np.ones(2, np.float32), sides, points)[1] == 0
    np.testing.assert_allclose(node.margin_mm(sides), [1.2, 0.2])


def test_a_needle_track_is_straight_and_outside_of_the_node():
    node = a_lymph_node(needle=np.eye(3)[0])
    points = np.array([[8.0, 0, 0], [8, 2, 0], [-8, 0, 0], [3, 0, 0]]) + node.center_lps
    _, outer, unit = node.field(*points.T)
    np.testing.assert_allclose(node.strand_density(outer, unit, tuple(points.T)), [1, 0, 0, 0], atol=1e-5)


def test_a_cyst_has_a_smooth_wall():
    rough = WaveNoise.sample(np.random.default_rng(6), 1.0, 3.0, 8)
    offsets = np.random.default_rng(7).uniform(-3, 3, (3, 400))
    depth = np.full(400, -1.8)
    cyst, ragged = (
        a_lymph_node(rim_mm=1.5, shape_noise=rough, core_roughness=r).interior_hu(depth, tuple(offsets)).std()
        for r in (0.05, 0.35)
    )
    assert cyst < ragged / 3
    assert a_lymph_node(rim_mm=1.5, core_roughness=0.05).cystic
    assert not a_lymph_node(rim_mm=1.5).cystic


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
