import numpy as np
import pytest
from ece_core.simulate.population import (
    BIOPSIED,
    DIFFICULTIES,
    LIKE_NECROSIS,
    STRANDED,
    sample_classes,
    sample_lymph_node,
    sign_share,
)
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


def test_extent_rises_a_little_with_size(lymph_nodes):
    nodes = [node for level in DIFFICULTIES for node in lymph_nodes[level]["ENE"]]
    ranks = [stats.rankdata([n.short_axis_mm for n in lymph_nodes[level]["ENE"]]) for level in DIFFICULTIES]
    rho = stats.spearmanr(np.concatenate(ranks), [n.extent_mm for n in nodes]).statistic
    assert rho == pytest.approx(0.2, abs=0.07)  # 0.21, Ghadjar 2010; SE 0.024 with 1800


def test_one_site_reaches_the_extent_and_none_goes_beyond(lymph_nodes):
    for node in lymph_nodes["medium"]["ENE"][:200]:
        breach = node.breach
        assert 1 <= len(breach.directions) <= 5
        assert max(tongue.reach for tongue in breach.tongues) == 1.0
        assert breach.caps.max() <= 1.0
        np.testing.assert_allclose(np.linalg.norm(breach.directions, axis=1), 1)


@pytest.mark.parametrize(("level", "share"), [("easy", 0.10), ("medium", 0.15), ("hard", 0.30)])
def test_some_negatives_have_strands_without_a_breach(lymph_nodes, level, share):
    nodes = lymph_nodes[level]["N"] + lymph_nodes[level]["P"]
    named = np.array([node.hard_negative for node in nodes])
    assert (named == STRANDED).mean() == pytest.approx(share, abs=0.05)
    for node, name in zip(nodes, named, strict=True):
        assert (node.inflammation > 0) == (name in (STRANDED, BIOPSIED)) or name == LIKE_NECROSIS


def test_the_signs_of_a_breach_are_commoner_the_wider_it_is():
    shares = [sign_share(extent) for extent in (0.4, 1.6, 5.0, 10.0)]
    assert shares == sorted(shares)
    assert 0.4 < shares[0] < 0.6
    assert 0.9 < shares[-1] < 1


def test_no_single_sign_gives_the_class_away(lymph_nodes):
    """The blur once did: a reader who knew it alone had an AUC of 0.97."""
    nodes = [node for name in ("P", "ENE") for node in lymph_nodes["medium"][name]]
    ene = np.arange(1200) >= 600
    for sign in ("softest_mm", "stranding", "blur_mm", "lobulation"):
        value = auc(np.array([getattr(node, sign) for node in nodes]), ene)
        assert value < 0.80, sign


def test_a_fatty_hilum_is_commoner_with_age():
    rng = np.random.default_rng(2)
    young, old = (
        np.mean([sample_lymph_node(rng, "N", DIFFICULTIES["medium"], age).hilum is not None for _ in range(500)])
        for age in (40.0, 85.0)
    )
    assert old > young + 0.12


def test_necrosis_is_a_metastasis_and_some_of_it_a_cyst(lymph_nodes):
    assert all(node.rim_mm is None for node in lymph_nodes["medium"]["N"])
    necrotic = [n for c in ("P", "ENE") for level in DIFFICULTIES for n in lymph_nodes[level][c] if n.rim_mm]
    assert np.mean([node.cystic for node in necrotic]) == pytest.approx(0.2, abs=0.05)
    assert all(0 < node.core_hu < 43 for node in necrotic)


def test_metastases_are_rounder_than_negatives(lymph_nodes):
    def ratio(name):
        return np.median([n.radii_mm.min() / n.radii_mm.max() for n in lymph_nodes["medium"][name]])

    assert ratio("P") > ratio("N") + 0.08


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
