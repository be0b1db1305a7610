"""The parotid paper's parts: network, loss by hand, synthetic heads, curation, split, glands cut from arrays."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from ece_core.errors import InputError
from ece_core.explain import fit_patterns
from ece_core.training.parotid.cases import ParotidCase, dice_of
from ece_core.training.parotid.loss import dice_focal_loss
from ece_core.training.parotid.maps import SEVEN, contour_maps
from ece_core.training.parotid.real import read_parotids, read_split
from ece_core.training.parotid.settings import load_settings
from ece_core.training.parotid.synthetic import VARIATIONS, draw_head
from ece_core.training.parotid.train import train_parotid, without_the_worst
from ece_core.training.parotid.unet import ParotidUNet
from torch import nn


def test_the_network_is_the_papers():
    network = ParotidUNet(32)
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv3d)]
    assert widths == [32, 32, 64, 64, 128, 128, 256, 256, 128, 128, 64, 64, 32, 32, 1]  # four levels, doubling
    for level in (*network.encoder, network.bottleneck, *network.decoder):
        assert [type(m) for m in level] == [nn.Conv3d, nn.ReLU, nn.GroupNorm] * 2  # the norm after the activation
    assert ParotidUNet(4)(torch.zeros(1, 1, 16, 8, 24)).shape == (1, 1, 16, 8, 24)


def test_loss_of_two_voxels_is_known_by_hand():
    """p = 1/2 at a voxel of the gland and at one beside it."""
    logits, truth = torch.zeros(1, 1, 1, 1, 2), torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
    dice = 2 * 0.5 / (1 + 1)
    focal = 0.5 * 0.5**2 * np.log(2)
    assert float(dice_focal_loss(logits, truth)) == pytest.approx(1 - dice + focal, rel=1e-6)


def test_variations_share_places_and_differ_as_published():
    heads = {name: draw_head(name, seed=3, number=5, edge=32, noise=0.0) for name in VARIATIONS}
    for head in heads.values():
        assert (head.truth == heads["S1"].truth).all() and not (head.truth & head.rod).any() and head.truth.sum() > 50
    inside = {name: float(np.median(head.image[head.truth])) for name, head in heads.items()}
    assert inside == pytest.approx({"S1": 0, "S2": 0, "S3": 0.05, "S4": 0.05, "S5": 4, "S6": 4}, abs=1e-5)
    on_rod = {name: float(np.median(head.image[head.rod])) for name, head in heads.items()}
    assert on_rod == pytest.approx({"S1": 0, "S2": 9, "S3": 0, "S4": 9, "S5": 0, "S6": 9}, abs=1e-5)
    assert (heads["S1"].image[heads["S1"].image > -0.5] == 0).all()  # nothing but the head to be seen


def test_heads_follow_from_seed_and_number():
    one = draw_head("S6", 1, 2, 16, 0.004)
    assert (one.image == draw_head("S6", 1, 2, 16, 0.004).image).all()
    assert (one.image != draw_head("S6", 1, 3, 16, 0.004).image).any()


def a_case(name, truth=True):
    image = np.zeros((8, 8, 8), np.float32)
    image[2:6, 2:6, 2:6] = 1
    return ParotidCase(name, name, image, (image > 0) & truth)


def test_curation_leaves_out_the_worst_fifth_in_order():
    cases = [a_case(f"c{n}") for n in range(10)]
    kept = without_the_worst(cases, np.array([0.9, 0.1, 0.8, 0.7, 0.2, 0.6, 0.5, 0.4, 0.3, 1.0]), 0.2)
    assert [case.name for case in kept] == ["c0", "c2", "c3", "c5", "c6", "c7", "c8", "c9"]


def test_dice_of_masks():
    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    assert (dice_of(empty, empty), dice_of(empty, full), dice_of(full, full)) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("split", "problem"),
    [
        ({"train": ["a"], "validation": ["b"]}, "does not name patients for train, validation and test"),
        ({"train": ["a"], "validation": [], "test": ["b"]}, "A part of the split has no patient"),
        ({"train": ["a", "b"], "validation": ["c"], "test": ["b"]}, "in the split twice"),
    ],
)
def test_a_split_that_leaks_or_lacks_is_refused(split, problem, tmp_path):
    (tmp_path / "split.json").write_text(json.dumps(split))
    with pytest.raises(InputError, match=problem + ".*parotid_split.json"):
        read_split(tmp_path / "split.json")


def test_glands_are_cut_out_around_a_place_off_their_center(tmp_path):
    hu, labels = np.full((40, 40, 40), -100, np.int16), np.zeros((40, 40, 40), np.uint8)
    labels[18:24, 18:24, 6:12], labels[18:24, 18:24, 28:34] = 3, 4
    hu[labels > 0] = 50
    np.savez(tmp_path / "pt_1.npz", hu=hu, labels=labels, spacing_zyx_mm=np.array([3.0, 3.0, 3.0]))
    (tmp_path / "labels.json").write_text(json.dumps({"3": "RightParotid", "4": "LeftParotid"}))
    centers = []
    for jitter_mm in (0.0, 9.0):
        right, left = read_parotids(tmp_path, ["pt_1"], 16, 3.0, (-200, 300), jitter_mm, seed=1)
        assert (right.name, left.name, right.patient) == ("pt_1_RightParotid", "pt_1_LeftParotid", "pt_1")
        assert right.image.shape == (16, 16, 16) and right.truth.sum() == pytest.approx(6**3, rel=0.35)
        assert right.image[right.truth].mean() > 0.45 and right.image[~right.truth].mean() < 0.25
        centers.append(np.argwhere(right.truth).mean(0) - 7.5)
    assert np.abs(centers[0]).max() < 0.6 and 0.3 < np.abs(centers[1]).max() <= 3.6
    with pytest.raises(InputError, match="1 patients of the split are not in the folder"):
        read_parotids(tmp_path, ["pt_2"], 16, 3.0, (-200, 300), 0.0, seed=1)


@pytest.mark.parametrize(
    ("task", "changes", "problem"),
    [
        ("parotid-real", {}, "not one for parotid-real"),
        ("parotid-synthetic", {"edge": 20}, '"edge" in the config is 20, not a multiple of 8'),
        ("parotid-synthetic", {"filter": 4}, "has filter"),
    ],
)
def test_settings_that_cannot_be_are_refused(task, changes, problem, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(the_config("parotid_synthetic") | changes))
    with pytest.raises(InputError, match=problem):
        load_settings(tmp_path / "config.json", task)


def the_config(name):
    from pathlib import Path

    return json.loads((Path(__file__).parents[3] / "configs" / f"{name}.json").read_text())


def test_the_repositorys_configs_and_split_are_read():
    from pathlib import Path

    configs = Path(__file__).parents[3] / "configs"
    for task in ("parotid-synthetic", "parotid-real"):
        assert load_settings(configs / f"{task.replace('-', '_')}.json", task)["task"] == task
    assert {part: len(names) for part, names in read_split(configs / "parotid_split.json").items()} == {
        "train": 120, "validation": 20, "test": 60
    }  # fmt: skip


CONFIG = {
    "seed": 1, "filters": 4, "learning_rate": 0.01, "last_learning_rate": 1e-4, "log_every": 5, "checkpoint_every": 3,
    "augment": False,
}  # fmt: skip


@pytest.mark.slow
def test_training_learns_goes_on_where_it_stopped_and_is_explained_by_all_seven(tmp_path):
    cases = [a_case("a"), replace(a_case("b"), image=a_case("b").image + 0.1)]
    whole = train_parotid(CONFIG, tmp_path / "whole", cases, 20)

    def stop(_stage, fraction):
        if fraction >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_parotid(CONFIG, tmp_path / "broken", cases, 20, report=stop)
    again = train_parotid(CONFIG, tmp_path / "broken", cases, 20)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    image = cases[0].image
    with torch.no_grad():
        inside = (whole(torch.from_numpy(image)[None, None]) > 0)[0, 0].numpy()
    assert dice_of(inside, cases[0].truth) > 0.9
    patterns = fit_patterns(whole, [torch.from_numpy(case.image)[None, None] for case in cases])
    maps = contour_maps(whole, image, inside, patterns, voxels=4)
    assert list(maps) == list(SEVEN)
    for method, found in maps.items():
        assert found.heatmap.shape == image.shape and 0 <= found.heatmap.min() <= found.heatmap.max() <= 1, method
        assert found.correlation <= 1
    with pytest.raises(InputError, match="other values of cases"):
        train_parotid(CONFIG, tmp_path / "whole", [cases[1], cases[0]], 20)


@pytest.mark.slow
def test_augmentation_follows_from_the_seed_and_keeps_image_and_truth_together():
    from ece_core.training.parotid.augmentation import augmented

    case, seen = a_case("a"), set()
    case.image[0, 0, 0] = 5  # so that a flip shows
    for seed in range(12):
        image, truth = augmented(case.image, case.truth, seed)
        again, _ = augmented(case.image, case.truth, seed)
        assert torch.equal(image, again) and image.shape == truth.shape == (1, 8, 8, 8)
        seen.add(round(float(image.sum()), 3))
        assert float(image[truth > 0.5].mean()) > 0.8
    assert len(seen) > 2
