import re

import numpy as np
import pytest
from ece_core.simulate.baselines import (
    DECLARED_SIZE_AUC,
    EXTENT_LIMITS_MM,
    EXTENT_MM,
    SHORT_AXIS_LIMITS_MM,
    auc_error,
    baselines,
    log_normal,
    same_distribution,
    size_auc_band,
)
from ece_core.simulate.population import DIFFICULTIES
from scipy.special import ndtr


def rows(name: str, short_axes, mean_hu=100.0, extent_mm=0.0) -> list[dict]:
    hu = {"mean_hu": mean_hu, "attenuation_hu": mean_hu}
    return [{"class": name, "short_axis_mm": size, **hu, "extent_mm": extent_mm} for size in short_axes]


def a_cohort_as_declared(difficulty: str, size: int = 400) -> list[dict]:
    """Quantiles of every declared distribution; mean HU the same for all."""
    made = []
    for name, (median, sigma) in DIFFICULTIES[difficulty].short_axis.items():
        axes = log_normal(median, sigma, SHORT_AXIS_LIMITS_MM, size)
        extents = log_normal(*EXTENT_MM, EXTENT_LIMITS_MM, size) if name == "ENE" else np.zeros(size)
        made += [row for a, e in zip(axes, extents, strict=True) for row in rows(name, [a], extent_mm=e)]
    return made


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_a_cohort_drawn_as_declared_is_within_all_bands(difficulty):
    figures = {figure.name: figure for figure in baselines(a_cohort_as_declared(difficulty), difficulty)}
    assert all(figure.within for figure in figures.values()), [figure.words() for figure in figures.values()]
    assert figures["mean_hu_auc_p_vs_ene"].value == 0.5
    assert figures["size_auc_p_vs_ene"].value == pytest.approx(DECLARED_SIZE_AUC[difficulty], abs=0.01)


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
def test_the_declared_auc_is_that_of_the_declared_log_normals(difficulty):
    """Closed form: Phi(ln(median ratio) / sqrt(sigma_P^2 + sigma_ENE^2))."""
    (p, sigma_p), (ene, sigma_ene) = (DIFFICULTIES[difficulty].short_axis[name] for name in ("P", "ENE"))
    assert ndtr(np.log(ene / p) / np.hypot(sigma_p, sigma_ene)) == pytest.approx(
        DECLARED_SIZE_AUC[difficulty], abs=0.01
    )


def test_a_cohort_of_the_wrong_difficulty_is_outside():
    figures = {figure.name: figure for figure in baselines(a_cohort_as_declared("hard"), "easy")}
    assert figures["size_auc_p_vs_ene"].within is False
    assert figures["size_p_ene"].within is False
    assert figures["size_p_n"].within, "N is the same in all difficulties"
    words = figures["size_auc_p_vs_ene"].words()
    assert re.fullmatch(
        r"AUC of size alone, P against ENE: 0\.5\d+ \(declared 0\.81 to 0\.89\): outside .* band", words
    )


@pytest.mark.parametrize(("bright", "auc"), [pytest.param(140, 1.0, id="brighter"), pytest.param(60, 0.0, id="darker")])
def test_brightness_that_tells_is_outside_whichever_way_it_points(bright, auc):
    figures = baselines(rows("P", [8, 9], 100) + rows("ENE", [8, 9], bright), "medium")
    (figure,) = [figure for figure in figures if figure.name == "mean_hu_auc_p_vs_ene"]
    assert (figure.value, figure.within) == (auc, False)


def test_negatives_are_compared_by_what_was_drawn_and_not_by_what_a_scan_darkens():
    negatives = [row | {"mean_hu": 40.0} for row in rows("N", [5, 6, 7])]
    figures = {figure.name: figure for figure in baselines(negatives + rows("P", [8, 9]), "medium")}
    assert figures["attenuation_auc_n_vs_p"].value == 0.5
    brighter = rows("N", [5, 6, 7], 140) + rows("P", [8, 9])
    figures = {figure.name: figure for figure in baselines(brighter, "medium")}
    assert (figures["attenuation_auc_n_vs_p"].value, figures["attenuation_auc_n_vs_p"].within) == (0.0, False)


def test_without_metastases_nothing_is_claimed():
    figures = baselines(rows("N", [5, 6, 7]), "easy")
    assert {figure.value for figure in figures} == {None} and {figure.within for figure in figures} == {None}
    assert figures[0].words() == "AUC of size alone, P against ENE: not computed, too few lymph nodes"


def test_the_error_of_an_auc_by_hand():
    """One lymph node each: the AUC is 0 or 1, a coin that shows 1 with probability A, SD sqrt(A (1 - A))."""
    assert auc_error(0.8, 1, 1) == pytest.approx(0.4)


def test_the_error_of_an_auc_is_the_spread_of_many_small_cohorts():
    rng = np.random.default_rng(3)
    shift = 1.045  # two unit normals this far apart: AUC 0.77
    drawn = rng.normal(size=(4000, 40, 1)) < rng.normal(shift, size=(4000, 1, 30))
    assert auc_error(0.77, 40, 30) == pytest.approx(drawn.mean(axis=(1, 2)).std(), rel=0.06)


def test_the_band_narrows_with_the_cohort_and_stays_around_what_is_declared():
    small, large = size_auc_band("hard", 20, 10), size_auc_band("hard", 600, 270)
    assert small[0] < large[0] < 0.57 < large[1] < small[1]
    assert large == pytest.approx((0.516, 0.624), abs=0.003)


def test_the_test_of_sizes_sees_a_shift_and_a_spread():
    rng = np.random.default_rng(4)
    sample = 6.0 * np.exp(0.29 * rng.normal(size=600))
    assert same_distribution(sample, 6.0, 0.29, (3, 40)) > 0.05
    assert same_distribution(sample * 1.1, 6.0, 0.29, (3, 40)) < 0.001
    assert same_distribution(np.clip(sample, 5, 7), 6.0, 0.29, (3, 40)) < 0.001
    assert same_distribution(sample[:4], 6.0, 0.29, (3, 40)) is None


def test_the_published_extents_by_hand():
    extents = log_normal(*EXTENT_MM, EXTENT_LIMITS_MM)
    assert np.median(extents) == pytest.approx(1.6, abs=0.01)
    assert (extents < 2).mean() == pytest.approx(0.62, abs=0.01)
    assert (extents.min(), extents.max()) == EXTENT_LIMITS_MM
