import numpy as np
import pytest
from ece_core.simulate.population import DIFFICULTIES, sample_classes, sample_lymph_node
from ece_core.simulate.truth import auc
from scipy import stats


@pytest.fixture(scope="module")
def lymph_nodes():
    rng = np.random.default_rng(6)
    return {
        level: {c: [sample_lymph_node(rng, c, DIFFICULTIES[level]) for _ in range(600)] for c in ("N", "P", "ENE")}
        for level in DIFFICULTIES
    }


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
@pytest.mark.parametrize("name", ["N", "P", "ENE"])
def test_short_axes_follow_the_published_log_normal(lymph_nodes, level, name):
    sizes = np.array([node.short_axis_mm for node in lymph_nodes[level][name]])
    median, sigma = DIFFICULTIES[level].short_axis[name]
    free = sizes[(sizes > 3.0) & (sizes < 40.0)]  # what the clipping left alone
    low, high = (stats.norm.cdf((np.log(edge) - np.log(median)) / sigma) for edge in (3.0, 40.0))
    uniform = (stats.norm.cdf((np.log(free) - np.log(median)) / sigma) - low) / (high - low)
    assert stats.kstest(uniform, "uniform").pvalue > 0.01


@pytest.mark.parametrize(("level", "expected"), [("easy", 0.85), ("medium", 0.77), ("hard", 0.57)])
def test_size_alone_separates_p_from_ene_as_declared(lymph_nodes, level, expected):
    sizes = [node.short_axis_mm for name in ("P", "ENE") for node in lymph_nodes[level][name]]
    assert auc(np.array(sizes), np.arange(1200) >= 600) == pytest.approx(expected, abs=0.04)


def test_attenuation_of_the_solid_part_does_not_tell_p_from_ene(lymph_nodes):
    solid = [node.solid_hu for name in ("P", "ENE") for node in lymph_nodes["medium"][name]]
    assert auc(np.array(solid), np.arange(1200) >= 600) == pytest.approx(0.5, abs=0.07)


def test_extent_of_the_breach_is_the_published_log_normal(lymph_nodes):
    extents = np.array([node.extent_mm for node in lymph_nodes["medium"]["ENE"]])
    assert np.median(extents) == pytest.approx(1.6, rel=0.12)
    assert (extents < 2).mean() == pytest.approx(0.62, abs=0.07)
    assert (extents < 5).mean() == pytest.approx(0.95, abs=0.03)


def test_only_ene_has_a_breach(lymph_nodes):
    for name in ("N", "P"):
        assert all(node.breach is None for node in lymph_nodes["medium"][name])
    assert all(node.breach is not None for node in lymph_nodes["medium"]["ENE"])


def test_about_half_of_the_patients_have_ece():
    rng = np.random.default_rng(1)
    drawn = [sample_classes(rng) for _ in range(600)]
    assert np.mean(["ENE" in classes for classes in drawn]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([len(c) - c.count("N") for c in drawn]) == pytest.approx(4.4, abs=0.3)


def test_auc_counts_pairs():
    score, positive = np.array([1.0, 2, 2, 3]), np.array([False, False, True, True])
    pairs = [(p > n) + 0.5 * (p == n) for p in score[positive] for n in score[~positive]]
    assert auc(score, positive) == np.mean(pairs)
    assert auc(score, np.ones(4, bool)) is None
