from dataclasses import replace

import numpy as np
import pytest
from ece_core.simulate import placement, sample_patient
from ece_core.simulate.anatomy import sample_anatomy
from ece_core.simulate.placement import _rotation, place_all
from ece_core.simulate.population import (
    DIFFICULTIES,
    LEVEL_PRIOR,
    MATTED,
    THIN_PLANE,
    sample_classes,
    sample_lymph_node,
)
from ece_core.simulate.truth import auc
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats


def drawn_and_placed(seed, difficulty="medium"):
    rng = np.random.default_rng((seed, 1))
    anatomy = sample_anatomy(np.random.default_rng((seed, 2)))
    drawn = [sample_lymph_node(rng, name, DIFFICULTIES[difficulty]) for name in sample_classes(rng)]
    return drawn, place_all(rng, anatomy, drawn, LEVEL_PRIOR)


@pytest.fixture(scope="module")
def patients():
    return [drawn_and_placed(seed) for seed in range(5)]


@pytest.mark.slow
def test_placement_loses_no_lymph_node_and_changes_no_size(patients):
    for drawn, placed in patients:
        assert sorted(n.short_axis_mm for n in placed) == sorted(n.short_axis_mm for n in drawn)


def test_even_a_lymph_node_of_35_mm_finds_a_place():
    anatomy = sample_anatomy(np.random.default_rng(9))
    rng = np.random.default_rng(9)
    large = replace(sample_lymph_node(rng, "ENE", DIFFICULTIES["medium"]), radii_mm=np.array([17.5, 18.5, 19.0]))
    assert len(place_all(rng, anatomy, [large], LEVEL_PRIOR)) == 1


@pytest.mark.slow
def test_the_largest_find_a_place_because_it_is_looked_for_everywhere(monkeypatch):
    anatomy = sample_anatomy(np.random.default_rng((7, 53, 101)))  # a thin neck
    node = sample_lymph_node(np.random.default_rng(9), "ENE", DIFFICULTIES["easy"])
    giant = replace(node, radii_mm=np.array([20.0, 21.1, 22.7]))
    assert len(place_all(np.random.default_rng(9), anatomy, [giant], LEVEL_PRIOR)) == 1
    monkeypatch.setattr(placement, "EVERYWHERE", placement.LAST)
    assert place_all(np.random.default_rng(9), anatomy, [giant], LEVEL_PRIOR) == []


def test_negatives_touch_nobody(patients):
    for _, placed in patients:
        for node in placed:
            others = [other for other in placed if other is not node and node.class_name == "N"]
            for other in others:
                assert other.field(*node.center_lps[:, None])[1][0] > 0
                assert not node.fused


def test_coalescent_lymph_nodes_name_one_another(patients):
    centers = {tuple(n.center_lps): n for _, placed in patients for n in placed}
    fused = [n for _, placed in patients for n in placed if n.fused]
    assert fused
    for node in fused:
        partner = centers[tuple(node.fused[0].center_lps)]
        assert tuple(partner.fused[0].center_lps) == tuple(node.center_lps)
        assert (node.level, node.side) == (partner.level, partner.side)
        middle = (node.center_lps + partner.center_lps) / 2
        line = node.center_lps + np.linspace(0, 1, 60)[:, None] * (partner.center_lps - node.center_lps)
        gap = np.minimum(node.field(*line.T)[1], partner.field(*line.T)[1])
        assert (gap < 0).all(), f"fat at {middle}"
        assert (node.hard_negative == MATTED) == (node.breach is None and partner.breach is None)


def test_the_thin_fat_plane_is_a_name_of_negatives_only(patients):
    named = [n for _, placed in patients for n in placed if n.hard_negative == THIN_PLANE]
    assert named
    assert all(node.breach is None for node in named)


@given(st.integers(0, 500))
def test_a_rotation_takes_one_direction_to_the_other_and_keeps_lengths(seed):
    start, end = (v / np.linalg.norm(v) for v in np.random.default_rng(seed).normal(size=(2, 3)))
    for goal in (end, -start, start):
        turn = _rotation(start, goal)
        np.testing.assert_allclose(turn @ start, goal, atol=1e-2)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)


def test_a_lymph_node_for_which_there_is_no_place_is_left_out(monkeypatch):
    monkeypatch.setattr(placement, "_is_free", lambda *_: False)
    rng = np.random.default_rng(0)
    one = sample_lymph_node(rng, "N", DIFFICULTIES["medium"])
    assert place_all(rng, sample_anatomy(rng), [one], LEVEL_PRIOR) == []


@pytest.mark.slow
@pytest.mark.parametrize(("level", "expected"), [("easy", 0.85), ("medium", 0.77), ("hard", 0.57)])
def test_sizes_of_whole_patients_are_as_published_and_separate_as_declared(level, expected):
    patients = [sample_patient((70, number), level) for number in range(60)]
    sizes = {
        name: np.array([n.short_axis_mm for p in patients for n in p.lymph_nodes if n.class_name == name])
        for name in ("N", "P", "ENE")
    }
    for name, values in sizes.items():
        median, sigma = DIFFICULTIES[level].short_axis[name]
        quantiles = stats.norm.ppf((np.arange(20000) + 0.5) / 20000)
        published = np.clip(median * np.exp(sigma * quantiles), 3, 40)
        assert stats.ks_2samp(values, published).pvalue > 0.01
    both = np.concatenate([sizes["P"], sizes["ENE"]])
    measured = auc(both, np.arange(len(both)) >= len(sizes["P"]))
    assert measured == pytest.approx(expected, abs=0.1)  # 2.5 standard errors with 60 patients
