"""How far a heatmap can be trusted: each figure counted by hand, or known in closed form."""

import numpy as np
import pytest
import torch
from ece_core.explain import explain
from ece_core.explain.faithfulness.breach import BreachRegions, breach_density, breach_regions
from ece_core.explain.faithfulness.correlation import map_correlation
from ece_core.explain.faithfulness.curves import Curve, deletion_and_insertion
from ece_core.explain.faithfulness.figures import Experiment, map_figures, with_experiments
from ece_core.explain.faithfulness.pointing_game import pointing_game
from ece_core.explain.faithfulness.randomization import randomization, shuffled_weights
from ece_core.explain.faithfulness.repeatability import NOISE_HU, repeatability, scan_noise
from ece_core.explain.faithfulness.shell import perinodal_shell, region_focus
from ece_core.explain.target import log_odds, seed_of
from small_networks import Chain, seeded, voxels

SPACING_MM = (2.0, 1.0, 1.0)


def a_linear_score(weights):
    return lambda batch: (batch * weights).sum(axis=(1, 2, 3, 4))


def four(*values):
    return np.array(values, float).reshape(1, 1, 4)


def test_curves_of_a_linear_model_are_known_in_closed_form():
    weights = four(2, 4, 1, 3)
    deletion, insertion = deletion_and_insertion(
        a_linear_score(weights), np.ones((1, 1, 1, 4)), np.zeros((1, 1, 1, 4)), weights, np.ones((1, 1, 4), bool), 4
    )
    assert deletion.shares == (0, 0.25, 0.5, 0.75, 1)
    assert deletion.values == (10, 6, 3, 1, 0) and deletion.area == 3.75
    assert insertion.values == (0, 4, 7, 9, 10) and insertion.area == 6.25


def test_a_worse_order_has_worse_areas():
    weights, all_seen = four(2, 4, 1, 3), np.ones((1, 1, 4), bool)
    x, blank, score = np.ones((1, 1, 1, 4)), np.zeros((1, 1, 1, 4)), a_linear_score(weights)
    areas = [
        [c.area for c in deletion_and_insertion(score, x, blank, order, all_seen, 4)] for order in (weights, -weights)
    ]
    assert areas[0][0] < areas[1][0] and areas[0][1] > areas[1][1]


def test_what_is_not_seen_never_changes():
    seen = np.array([True, True, False, False]).reshape(1, 1, 4)
    deletion, insertion = deletion_and_insertion(
        a_linear_score(four(1, 1, 1, 1)), np.ones((1, 1, 1, 4)), np.zeros((1, 1, 1, 4)), four(1, 2, 9, 9), seen, 2
    )
    assert deletion.values == (4, 3, 2) and insertion.values == (2, 3, 4)


def test_equally_hot_voxels_do_not_go_in_the_order_of_the_array():
    weights = np.repeat([1.0, 0.0], 500).reshape(1, 1, 1000)
    deletion, _ = deletion_and_insertion(
        a_linear_score(weights), np.ones((1, 1, 1, 1000)), np.zeros((1, 1, 1, 1000)),
        np.zeros((1, 1, 1000)), np.ones((1, 1, 1000), bool), 2,
    )  # fmt: skip
    assert deletion.values[1] == pytest.approx(250, abs=50)


def test_area_is_that_of_trapezoids():
    assert Curve((0.0, 0.25, 1.0), (1.0, 0.0, 0.0)).area == 0.125


@pytest.mark.parametrize(
    ("hot", "tolerance_mm", "hits"),
    [
        pytest.param([(1, 1, 1)], 0, 1, id="in the region"),
        pytest.param([(2, 1, 1)], 1.9, 0, id="the next slice is 2 mm away"),
        pytest.param([(2, 1, 1)], 2.0, 1, id="within the tolerance"),
        pytest.param([(1, 1, 1), (3, 3, 3)], 0, 0.5, id="one of two equally hot voxels"),
        pytest.param([], 9, 0, id="a map that is zero everywhere points nowhere"),
    ],
)
def test_pointing_game_on_known_maps(hot, tolerance_mm, hits):
    heatmap, region = np.zeros((4, 4, 4)), np.zeros((4, 4, 4), bool)
    region[1, 1, 1] = True
    for place in hot:
        heatmap[place] = 1
    assert pointing_game(heatmap, region, SPACING_MM, tolerance_mm) == hits


def test_shell_is_counted_in_millimeters():
    assert perinodal_shell(np.array([-2.0, -1.5, 0.75, 5.0, 5.5])).tolist() == [False, True, True, True, False]


def test_focus_on_a_region_is_counted_by_hand():
    heatmap, region, seen = np.array([3.0, 1.0, 0.0, 9.0]), np.array([1, 0, 0, 0], bool), np.array([1, 1, 1, 0], bool)
    found = region_focus(heatmap, region, seen)
    assert found.share == 0.75 and found.focus == pytest.approx(0.75 / (1 / 3))
    assert region_focus(heatmap * 0, region, seen) is None
    assert region_focus(heatmap, ~seen, seen) is None


def a_drawn_breach():
    """A capsule at voxel 10 along the row; the breach is seen at voxels 11 and 12 of the first row."""
    capsule_mm = np.broadcast_to(np.arange(20) - 10.0, (1, 8, 20))
    signs = np.zeros((1, 8, 20), bool)
    signs[0, 0, 11:13] = True
    return breach_regions(signs, capsule_mm, np.ones(signs.shape, bool), SPACING_MM)


def test_the_intact_capsule_lies_away_from_the_breach():
    regions = a_drawn_breach()
    assert regions.breach.sum() == 2
    assert regions.intact[0, 3].tolist() == [9 <= i <= 15 for i in range(20)]
    assert not regions.intact[0, 0, 9:15].any() and regions.intact[0, 0, 15]  # within 2 mm it is neither
    assert not regions.intact[0, 2, 11] and regions.intact[0, 2, 13]


def test_density_on_the_breach_against_the_intact_capsule():
    regions = a_drawn_breach()
    seen = np.ones(regions.breach.shape, bool)
    even = breach_density(np.full(seen.shape, 0.3), regions, seen)
    assert even.breach == pytest.approx(1) and even.intact == pytest.approx(1)
    assert even.share == pytest.approx(2 / 160)
    only = breach_density(regions.breach.astype(float), regions, seen)
    assert (only.breach, only.intact, only.share) == (80, 0, 1)
    nothing = breach_density(np.zeros(seen.shape), regions, seen)
    assert (nothing.breach, nothing.intact) == (0, 0)
    assert breach_density(np.ones(seen.shape), BreachRegions(regions.breach & False, regions.intact), seen) is None


def test_correlation_is_pearsons():
    rng = np.random.default_rng(1)
    a, b, seen = rng.random((3, 4, 5)), rng.random((3, 4, 5)), rng.random((3, 4, 5)) > 0.4
    assert map_correlation(a, b) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert map_correlation(a, b, seen) == pytest.approx(np.corrcoef(a[seen], b[seen])[0, 1])
    assert map_correlation(a, 2 * a + 1) == pytest.approx(1)
    assert map_correlation(a, np.full(a.shape, 0.3)) is None


def test_shuffling_keeps_the_values_and_leaves_the_network():
    network = seeded(Chain())
    before = {name: tensor.clone() for name, tensor in network.named_parameters()}
    other = dict(shuffled_weights(network).named_parameters())
    for name, tensor in network.named_parameters():
        assert torch.equal(tensor, before[name])
        assert torch.equal(tensor.flatten().sort().values, other[name].flatten().sort().values)
    assert not torch.equal(other["first.weight"], before["first.weight"])


def test_randomization_tells_a_map_of_the_network_from_one_of_the_image():
    network, x = seeded(Chain()), voxels(1, 2, 6, 6, 6)

    def gradient(one):
        return explain(one, x, 1, "gradient")[0, 0].numpy()

    def edges(_):
        return np.abs(np.gradient(x[0, 0].numpy(), axis=0))

    seen = np.ones((6, 6, 6), bool)
    assert randomization(edges, network, edges(None), seen) == pytest.approx(1)
    assert abs(randomization(gradient, network, gradient(network), seen)) < 0.5


def test_repeatability_of_a_map_that_is_the_image_is_known():
    """The map is the CT itself: adding noise to a spread s leaves a correlation of s / sqrt(s^2 + noise^2)."""
    hu = 30 * np.random.default_rng(5).normal(size=(30, 30, 30))
    expected = hu.std() / np.hypot(hu.std(), NOISE_HU)
    seen = np.ones(hu.shape, bool)
    assert repeatability(lambda ct: ct, hu, hu, seen) == pytest.approx(expected, abs=0.01)
    assert repeatability(lambda ct: hu, hu, hu, seen) == pytest.approx(1)
    assert repeatability(lambda ct: 0 * ct, hu, hu, seen) is None


def test_noise_is_as_strong_as_it_says_and_repeats():
    noise = scan_noise((20, 20, 20), 3, 7.0)
    assert noise.std() == pytest.approx(7.0) and np.array_equal(noise, scan_noise((20, 20, 20), 3, 7.0))
    assert not np.array_equal(noise, scan_noise((20, 20, 20), 4, 7.0))


def test_figures_hold_only_what_was_computed():
    heatmap = np.zeros((2, 4, 4))
    heatmap[0, 0, 0] = 1
    distance = np.full((2, 4, 4), 7.0)
    distance[0, 0] = 2.0
    seen = np.ones(heatmap.shape, bool)
    figures = map_figures(heatmap, distance, seen, SPACING_MM)
    assert figures.to_json() == {"hottest_in_shell": 1.0, "shell_share": 1.0, "shell_focus": 8.0}
    assert map_figures(0 * heatmap, distance, seen, SPACING_MM).to_json() == {"hottest_in_shell": 0.0}

    network = seeded(Chain(channels=1))
    experiment = Experiment(
        lambda batch: batch.mean(axis=(1, 2, 3, 4)), np.ones((1, 2, 4, 4)), np.zeros((1, 2, 4, 4)),
        np.zeros((2, 4, 4)), lambda _: heatmap, lambda _: heatmap,
    )  # fmt: skip
    found = with_experiments(figures, heatmap, seen, network, experiment).to_json()
    assert found["deletion_area"] == found["insertion_area"] == 0.5
    assert found["randomization"] == found["repeatability"] == 1.0
    assert len(found["deletion_curve"]) == 17 and found["deletion_curve"][0] == 1.0


def test_log_odds_are_those_of_the_softmax():
    logits = torch.tensor([[0.3, -1.0, 0.7]], dtype=torch.float64)
    p = logits.softmax(1)[0]
    assert log_odds(2)(logits) == pytest.approx(float(torch.log(p[2] / (p[0] + p[1]))))
    seed = seed_of(logits, log_odds(2))
    assert float(seed.sum()) == pytest.approx(0)  # what is added to all logits is not explained
    assert seed[0, 2] == pytest.approx(1)
