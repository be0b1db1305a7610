"""Contour quality: a cohort whose topology tells Dice, what is stored, one lymph node of a network."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ece_core.errors import ModelError
from ece_core.explain import contour
from ece_core.explain.contour_quality import (
    FILE,
    CannotFitError,
    ContourQuality,
    contour_profile,
    fit_contour_quality,
    is_worst,
)
from ece_core.explain.engine import NotExplainableError
from ece_core.geometry import Volume, affine_from
from torch import nn

N = 200
BEST = 0.93  # where the true sigmoid levels off


def a_cohort(seed=0):
    """One direction that is an exact sigmoid's argument, and a little noise in all others."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=N)
    direction = np.linspace(1, 0, 10)
    profiles = 5 + 20 * np.outer(strength, direction) + rng.normal(scale=0.01, size=(N, 10))
    return profiles, BEST / (1 + np.exp(-(1.6 * strength + 1.5))), strength


def test_the_first_component_is_the_direction_and_rises_with_dice():
    profiles, dice, strength = a_cohort()
    for sign in (1, -1):
        fit = fit_contour_quality(sign * profiles, dice)
        direction = sign * np.linspace(1, 0, 10) / np.linalg.norm(np.linspace(1, 0, 10))
        np.testing.assert_allclose(fit.component, direction, atol=1e-3)
        scores = fit.scores(sign * profiles)
        assert np.corrcoef(scores, strength)[0, 1] > 0.9999
        np.testing.assert_allclose(fit.dice(scores), dice, atol=0.01)  # the true sigmoid


def test_no_outline_is_expected_to_be_better_than_the_best_there_was(tmp_path):
    profiles, dice, _ = a_cohort()
    fit = fit_contour_quality(profiles, dice)
    far = fit.mean + 1e6 * fit.component  # much stronger than any of the cohort
    assert fit.judge(far)["score"] == pytest.approx(BEST, abs=0.01) and fit.judge(far)["score"] <= dice.max()
    fit.save(tmp_path)
    assert ContourQuality.load(tmp_path).best == fit.best
    assert fit.judge(fit.mean - 1e6 * fit.component)["score"] == 0


def test_cut_offs_are_those_of_the_worst_15_percent():
    profiles, dice, _ = a_cohort()
    fit = fit_contour_quality(profiles, dice)
    risks = np.array([fit.risk(score) for score in fit.scores(profiles)])
    assert ((risks == "high") == is_worst(dice)).all()  # scores and Dice are in the same order here
    assert is_worst(dice).sum() == 30 and (risks == "low").sum() == 170


def test_between_the_cut_offs_the_risk_is_moderate():
    profiles, dice, _ = a_cohort()
    order = np.argsort(dice)
    shuffled = dice.copy()
    shuffled[order[[3, 60]]] = dice[order[[60, 3]]]  # two of the worst look better than they are
    shuffled[order[[4, 100]]] = dice[order[[100, 4]]]
    fit = fit_contour_quality(profiles, shuffled)
    scores = fit.scores(profiles)
    risks = np.array([fit.risk(score) for score in scores])
    assert (risks[is_worst(shuffled)] == "low").mean() <= 0.05 and fit.high_below < fit.low_from
    assert set(risks[(scores >= fit.high_below) & (scores < fit.low_from)]) == {"moderate"}


@pytest.mark.parametrize(
    "cohort", [(np.ones((30, 4)), np.arange(30)), (np.eye(30), np.ones(30)), (np.eye(9), np.arange(9))]
)
def test_a_cohort_that_says_nothing_is_not_fitted(cohort):
    with pytest.raises(CannotFitError, match="at least 20 contours of different profile and Dice"):
        fit_contour_quality(*cohort)


def test_what_is_stored_judges_the_same(tmp_path):
    profiles, dice, _ = a_cohort()
    fit = fit_contour_quality(profiles, dice, "gradient", "abc", "a made-up cohort")
    fit.save(tmp_path)
    again = ContourQuality.load(tmp_path)
    assert (again.method, again.network_sha256, again.about) == ("gradient", "abc", "a made-up cohort")
    assert [again.judge(row) for row in profiles] == [fit.judge(row) for row in profiles]
    assert ContourQuality.load(tmp_path / "elsewhere") is None


@pytest.mark.parametrize("damage", ["no numbers", "cut"])
def test_a_damaged_file_is_refused(damage, tmp_path):
    file = fit_contour_quality(*a_cohort()[:2]).save(tmp_path)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:50])
    else:
        from ece_core.explain.stored_tensors import store

        store(tmp_path / FILE, {"mean": torch.zeros(3)}, {"network": "abc"})
    with pytest.raises(ModelError, match="contour quality cannot be read.*fit_contour_quality"):
        ContourQuality.load(tmp_path)


def test_the_map_is_seen_against_what_lies_around_the_contour():
    attribution = np.zeros((3, 5, 5))
    attribution[1, 1:4, 1:4] = 1
    inside = attribution > 0
    assert contour_profile(attribution, inside).tolist() == [1] * 100
    attribution[0, 0, 0] = 4  # hotter, outside: what is inside reaches only a quarter
    assert contour_profile(attribution, inside).tolist() == [1] * 25 + [0] * 75


class Doubling(nn.Module):
    """Log odds of tissue: twice the image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 2, 1, bias=False)
        self.conv.weight.data = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1, 1)

    def forward(self, x):
        return self.conv(x)


@pytest.fixture
def bundle(tmp_path):
    model_input = {"spacing_mm": 2.0, "window_hu": [-400.0, 400.0], "tile_multiple": [4, 4, 4]}
    return SimpleNamespace(
        spec={"input": model_input}, network=Doubling().eval(), folder=tmp_path, sha256="abc"
    )  # fmt: skip


@pytest.fixture
def a_neck():
    """A ball of 10 mm radius on a grid of 3 x 2 x 2 mm whose second axis runs backward."""
    k, j, i = np.mgrid[:24, :40, :40]
    ball = (3 * (k - 12)) ** 2 + (2 * (j - 15)) ** 2 + (2 * (i - 22)) ** 2 <= 10**2
    affine = affine_from((3.0, 2.0, 2.0), (-40.0, 60.0, 0.0), np.diag([1.0, -1.0, 1.0]))
    return Volume(np.where(ball, 100, -100).astype(np.int16), affine), Volume(ball.astype(np.uint8), affine)


def test_the_crop_shows_the_lymph_node_where_it_is(bundle, a_neck):
    crop = contour.contour_crop(bundle, *a_neck, 1)
    assert crop.image.shape == (28, 28, 28) and all(edge % 4 == 0 for edge in crop.image.shape)
    ball_voxels = 4 / 3 * np.pi * 10**3 / 2**3
    assert crop.inside.sum() == pytest.approx(ball_voxels, rel=0.1)
    bright = crop.image > 0.5  # 0 HU, half way between ball and fat, in a window from -400 to 400 HU
    assert crop.image.max() == pytest.approx(0.625) and crop.image[crop.inside].min() > 0.375
    assert (bright & crop.inside).sum() > 0.7 * (bright | crop.inside).sum()  # linear and nearest, 3 mm slices
    centers = [np.argwhere(where).mean(0) for where in (bright, crop.inside)]
    assert np.abs(centers[0] - centers[1]).max() < 0.3 and np.abs(centers[1] - 13.5).max() < 1


def test_one_pass_is_the_sum_over_the_voxels(bundle, a_neck):
    crop = contour.contour_crop(bundle, *a_neck, 1)
    found = contour.contour_attribution(bundle, crop, "gradient-x-input", "cpu")
    np.testing.assert_allclose(found, 2 * crop.image * crop.inside, rtol=1e-5)


@pytest.mark.slow
def test_an_outline_is_explained_voxel_by_voxel_and_lies_where_it_is(bundle, a_neck):
    from ece_core.pipeline import networks
    from ece_core.pipeline.heatmap_kind import HeatmapKind

    ct, instances = a_neck
    crop = contour.contour_crop(bundle, ct, instances, 1)
    for accumulate, exact in (("exact", True), ("sample", False)):
        kind = HeatmapKind(outline=True, accumulate=accumulate)
        (heatmap,) = networks.outline_heatmaps(bundle, ct, instances, 1, ["saliency"], "cpu", False, kind).values()
        figures = heatmap.figures["accumulated"]
        assert figures["voxels"] == crop.inside.sum() and (figures["correlation"] == 1) == exact
        assert figures["passes"] == (figures["voxels"] if exact else 64)
        if exact:  # the network looks at one voxel: its map is the outline
            start = np.rint(ct.to_index(heatmap.volume.origin_lps_mm)).astype(int)
            stop = start + heatmap.volume.shape
            there = instances.array[tuple(map(slice, start, stop))] > 0
            assert ((heatmap.volume.array > 0.5) == there).mean() > 0.98 and heatmap.volume.array[there].mean() > 0.8


def test_a_method_that_takes_a_pass_per_voxel_is_refused(bundle, a_neck):
    crop = contour.contour_crop(bundle, *a_neck, 1)
    with pytest.raises(NotExplainableError, match="guided-backprop of many voxels.*linear method"):
        contour.contour_attribution(bundle, crop, "guided-backprop", "cpu")


def test_a_lymph_node_between_the_grids_voxels_is_not_judged(bundle, a_neck):
    ct, instances = a_neck
    bundle.spec["input"]["spacing_mm"] = 12.0
    lone = np.zeros_like(instances.array)
    lone[12, 15, 22] = 1
    fit = fit_contour_quality(*a_cohort()[:2], method="gradient")
    found = contour.contour_quality(bundle, fit, ct, instances.with_array(lone), 1, "cpu")
    assert found == {"risk": None, "score": None, "reason": contour.NOT_ON_GRID}


def test_without_a_fit_of_this_very_network_nothing_is_guessed(bundle, a_neck):
    from ece_core.pipeline import networks

    nothing = {"risk": None, "score": None, "reason": "The segmentation model has no fit of contour quality."}
    assert networks.contour_quality(bundle, *a_neck, 1, "cpu") == nothing
    profiles = np.tile(np.arange(100.0), (N, 1)) * a_cohort()[2][:, None]
    fit = fit_contour_quality(profiles, a_cohort()[1], "gradient-x-input", "of another network")
    fit.save(bundle.folder)
    assert networks.contour_quality(bundle, *a_neck, 1, "cpu") == nothing
    replace(fit, network_sha256="abc").save(bundle.folder)
    assert networks.contour_quality(bundle, *a_neck, 1, "cpu")["risk"] in ("low", "moderate", "high")


def test_the_shipped_fit_is_of_the_shipped_weights():
    """Else every outline of the product silently loses its risk; after a training fit again."""
    from ece_core.models.bundle import read_bundle, shipped_models_folders

    folder = shipped_models_folders()[0] / "lymph-node-unet"
    fit = ContourQuality.load(folder)
    assert fit is not None and fit.network_sha256 == read_bundle(folder)["weights_sha256"]
    assert fit.mean.shape == fit.component.shape == (100,) and fit.high_below < fit.low_from
