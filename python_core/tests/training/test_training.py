"""Training on tiny data: it learns, it resumes, it writes a bundle that runs."""

import json

import numpy as np
import pytest
import torch
from ece_core.errors import InputError
from ece_core.models import load_bundle
from ece_core.training.classification import Blocks, augment, jitter_mask
from ece_core.training.loop import run
from ece_core.training.main import load_config, main
from ece_core.training.segmentation import IGNORE, RealBackground, loss_function
from torch import nn

CLASSIFICATION = {
    "task": "classification", "name": "tiny", "version": "0.1", "seed": 1, "data_seed": 2, "difficulty": "medium",
    "cases": 4, "jobs": 1, "spacing_mm": [2.5, 1.5, 1.5], "patch_size": [16, 24, 24], "architecture": "DenseNet",
    "arguments": {"in_channels": 2, "out_channels": 3, "init_features": 4, "growth_rate": 4, "block_config": [1, 1],
                  "bn_size": 1},
    "batch_size": 5, "steps": 2, "learning_rate": 0.01, "bf16": False, "log_every": 1, "checkpoint_every": 1,
    "loaders": 0,
}  # fmt: skip


def crops_of(folder, number, rng):
    labels = np.array([0, 1, 2])
    np.savez(
        folder / f"crops_{number:04d}.npz", label=labels,
        hu=(rng.normal(0, 5, (3, 16, 24, 24)) + labels[:, None, None, None] * 100).astype(np.int16),
        mask=np.ones((3, 16, 24, 24), np.uint8),
    )  # fmt: skip


@pytest.fixture
def tiny_work(tmp_path):
    data = tmp_path / "work" / "data"
    data.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        crops_of(data, number, rng)
    (tmp_path / "config.json").write_text(json.dumps(CLASSIFICATION))
    return tmp_path


def test_training_writes_a_bundle_that_loads_and_names_its_data(tiny_work):
    folder = main("classification", tiny_work / "config.json", tiny_work / "work")
    bundle = load_bundle(folder)
    assert bundle.network(torch.rand(1, 2, 16, 24, 24)).shape == (1, 3)
    assert "4 simulated patients" in bundle.spec["training_data"]
    assert "Not a medical device" in bundle.spec["intended_use"]
    assert (tiny_work / "work" / "curve.csv").read_text().count("\n") == 2


def test_a_class_without_a_lymph_node_is_named(tmp_path):
    np.savez(tmp_path / "crops.npz", hu=np.zeros((1, 4, 4, 4), np.int16), mask=np.ones((1, 4, 4, 4), np.uint8),
             label=np.array([0]))  # fmt: skip
    with pytest.raises(InputError, match='class P or ENE is among the 1 training cases.*Raise "cases"'):
        Blocks(CLASSIFICATION, [tmp_path / "crops.npz"])


def linear_task(work, steps, stop_at=None):
    """A small regression-like classification whose every batch follows from the step alone."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps)

    def batch(step):
        if step == stop_at:
            raise KeyboardInterrupt
        rng = np.random.default_rng(step)
        x = torch.from_numpy(rng.normal(size=(4, 1, 2, 2, 2)).astype(np.float32))
        return x, (x.sum((1, 2, 3, 4)) > 0).long()

    config = {"steps": steps, "bf16": False, "log_every": 5, "checkpoint_every": 5, "loaders": 0}
    run(config, work, network, optimizer, schedule, batch, nn.functional.cross_entropy, "cpu", None)
    return network


def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    for name in ("broken", "whole"):
        (tmp_path / name).mkdir()
    whole = linear_task(tmp_path / "whole", 30)
    with pytest.raises(KeyboardInterrupt):
        linear_task(tmp_path / "broken", 30, stop_at=17)
    resumed = linear_task(tmp_path / "broken", 30)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_learns(tmp_path):
    network = linear_task(tmp_path, 120)
    x = torch.from_numpy(np.random.default_rng(9999).normal(size=(400, 1, 2, 2, 2)).astype(np.float32))
    right = (network(x).argmax(1) == (x.sum((1, 2, 3, 4)) > 0).long()).float().mean()
    assert right > 0.9


def test_a_perfect_segmentation_has_the_least_loss_and_ignored_voxels_do_not_count():
    target = torch.zeros(1, 4, 4, 4, dtype=torch.long)
    target[:, :2] = 2
    perfect = nn.functional.one_hot(target, 4).movedim(-1, 1).float() * 40
    flipped = perfect.roll(1, dims=1)
    # Classes that are absent count as found: their smoothed Dice is 1.
    assert float(loss_function(perfect, target)) == pytest.approx(0, abs=1e-3)
    assert float(loss_function(flipped, target)) > 1
    ignored = target.clone()
    ignored[:, 0] = IGNORE
    wrong_there = perfect.clone()
    wrong_there[:, :, 0] = flipped[:, :, 0]
    assert float(loss_function(wrong_there, ignored)) == pytest.approx(0, abs=1e-3)


def test_jittered_masks_stay_near_the_true_one_and_are_never_empty():
    rng = np.random.default_rng(0)
    grid = np.indices((16, 24, 24)) - np.array([8, 12, 12])[:, None, None, None]
    mask = (np.linalg.norm(grid, axis=0) < 6).astype(np.uint8)
    overlaps = []
    for _ in range(40):
        moved = jitter_mask(mask, rng)
        assert moved.any()
        overlaps.append(2 * (moved & mask).sum() / (moved.sum() + mask.sum()))
    assert min(overlaps) > 0.5
    assert np.mean(overlaps) < 0.999, "the mask must move"


def test_augmented_blocks_keep_shape_and_range():
    rng = np.random.default_rng(0)
    block = augment(np.full((16, 24, 24), 60, np.int16), np.ones((16, 24, 24), np.uint8), rng)
    assert block.shape == (2, 16, 24, 24)
    assert block.dtype == np.float32
    assert 0 <= block.min() <= block.max() <= 1


def test_real_background_marks_targets_as_unknown_and_all_else_as_background(tmp_path):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[8:12, 8:12, 8:12] = 10
    np.savez(tmp_path / "case.npz", hu=np.zeros((20, 20, 20), np.int16), labels=labels,
             spacing_zyx_mm=np.array([2.0, 2.0, 2.0]))  # fmt: skip
    background = RealBackground(tmp_path / "case.npz", 2.0)
    values = set()
    for seed in range(8):
        _, target = background.patch(np.random.default_rng(seed), (10, 10, 10))
        values |= set(np.unique(target))
    assert values == {0, IGNORE}


@pytest.mark.parametrize(
    ("task", "text", "words"),
    [
        ("regression", "{}", "no training task named 'regression'.*segmentation or classification"),
        ("segmentation", "{", "cannot be read as JSON.*configs/"),
        ("segmentation", '{"task": "classification"}', "not one for segmentation"),
    ],
)
def test_a_wrong_config_is_refused(tmp_path, task, text, words):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=words):
        load_config(task, tmp_path / "config.json")
