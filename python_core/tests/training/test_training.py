"""Training on tiny data: it learns, it resumes, it writes a bundle that runs."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from ece_core.errors import InputError, RunError
from ece_core.models import load_bundle
from ece_core.simulate import simulate_case
from ece_core.training.classification import Blocks, Patches, signs_loss
from ece_core.training.crops import Crops, augment, jitter_surface
from ece_core.training.labels import UNKNOWN
from ece_core.training.loop import run
from ece_core.training.losses import loss_function
from ece_core.training.main import load_config, main
from ece_core.training.simulated_data import inserted_case
from safetensors.torch import load_file
from torch import nn

CLASSIFICATION = {
    "task": "classification", "name": "tiny", "version": "0.1", "seed": 1, "data_seed": 2, "difficulty": "medium",
    "cases": 4, "jobs": 1, "spacing_mm": [2.5, 1.5, 1.5], "patch_size": [16, 24, 24], "margin_mm": 8.0,
    "windows_hu": [[-400, 400], [-150, 50]],
    "twin_share": 0.8, "natural_from": 0.6, "trunk_rate": 0.3,
    "architecture": "LymphNodeDenseNet",
    "arguments": {"in_channels": 3, "out_channels": 3, "init_features": 4, "growth_rate": 4, "block_config": [1, 1],
                  "bn_size": 1, "hidden": 4},
    "signs": {"steps": 2, "batch_size": 4, "learning_rate": 0.01, "patch_size": [8, 16, 16]},
    "batch_size": 5, "steps": 2, "learning_rate": 0.01, "bf16": False, "log_every": 1, "checkpoint_every": 1,
    "loaders": 0,
}  # fmt: skip


def crops_of(folder, number, rng):
    """One lymph node of each class and the twin of the last; HU 0, 100, 200 and 300."""
    hu = rng.normal(0, 5, (4, 16, 24, 24)) + np.arange(4)[:, None, None, None] * 100
    mask, signs = np.zeros((4, 16, 24, 24), np.uint8), np.zeros((4, 16, 24, 24), np.uint8)
    mask[:, 4:12, 6:18, 6:18] = 1
    signs[2, 4:12, 6:18, 18:22] = 1
    np.savez(
        folder / f"crops_{number:04d}.npz", label=np.array([0, 1, 2, 1]), hu=hu.astype(np.int16), mask=mask,
        signs=signs, twin=np.array([False, False, False, True]), short_axis_mm=np.full(4, 18.0, np.float32),
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
    assert bundle.network(torch.rand(1, 3, 16, 24, 24)).shape == (1, 3)
    assert "4 simulated patients" in bundle.spec["training_data"]
    assert "Not a medical device" in bundle.spec["intended_use"]
    assert (tiny_work / "work" / "curve.csv").read_text().count("\n") == 2


def test_both_steps_of_a_training_are_taken_up_where_they_stopped(tiny_work):
    once = main("classification", tiny_work / "config.json", tiny_work / "work")
    weights = load_file(once / "weights.safetensors")
    (tiny_work / "work" / "checkpoint.pt").unlink()
    again = load_file(main("classification", tiny_work / "config.json", tiny_work / "work") / "weights.safetensors")
    assert (tiny_work / "work" / "signs" / "curve.csv").read_text().count("\n") == 2, "the signs were not learned twice"
    for name, tensor in weights.items():
        assert torch.equal(tensor, again[name]), name


def test_a_class_without_a_lymph_node_is_named(tmp_path):
    one = np.zeros((1, 4, 4, 4), np.uint8)
    np.savez(tmp_path / "crops.npz", hu=one.astype(np.int16), mask=one + 1, signs=one, label=np.array([0]),
             twin=np.array([False]), short_axis_mm=np.ones(1))  # fmt: skip
    with pytest.raises(InputError, match='class P or ENE is among the 1 training cases.*Raise "cases"'):
        Crops(CLASSIFICATION, [tmp_path / "crops.npz"])


@pytest.fixture
def crops(tmp_path):
    crops_of(tmp_path, 0, np.random.default_rng(0))
    return Crops(CLASSIFICATION, [tmp_path / "crops_0000.npz"])


@pytest.fixture
def drawn(monkeypatch):
    """Instead of an augmented block: which row was drawn, its box, and the seed of its augmentation."""
    calls = []

    def augmented(self, row, box, seed):
        calls.append((row, box, seed))
        return np.zeros((4, 2, 2, 2), np.float32)

    monkeypatch.setattr(Crops, "augmented", augmented)
    return calls


def test_twins_come_with_their_lymph_node_augmented_alike(crops, drawn):
    paired = Blocks(crops, {**CLASSIFICATION, "steps": 100, "twin_share": 1.0, "batch_size": 10})
    _, (labels, _) = paired.batch(0)
    assert labels.tolist() == [1, 2, 1, 2, 0, 1, 2, 1, 2, 0]
    for (twin, twin_box, twin_seed), (breached, box, seed) in (drawn[0:2], drawn[2:4], drawn[5:7], drawn[7:9]):
        assert (twin, breached) == (3, 2)
        assert (twin_box, twin_seed) == (box, seed)


def test_the_share_of_twins_falls_to_zero_where_the_natural_mix_begins(crops):
    blocks = Blocks(crops, {**CLASSIFICATION, "steps": 100})
    assert [blocks.twin_share(step) for step in (0, 30, 60, 99)] == pytest.approx([0.8, 0.4, 0.0, 0.0])


def test_the_natural_mix_draws_p_and_ene_as_often_as_they_are(crops, drawn):
    crops.metastatic = np.array([1, 1, 1, 2])
    blocks = Blocks(crops, {**CLASSIFICATION, "steps": 10, "batch_size": 200, "natural_from": 0.0})
    _, (labels, _) = blocks.batch(5)
    assert (labels == 0).sum() == 40
    assert (labels == 0).sum() == 40
    assert 20 <= (labels == 2).sum() <= 65, "a quarter of 160"


def test_patches_of_a_breach_lie_on_its_signs_and_come_with_the_twin(crops, drawn):
    Patches(crops, CLASSIFICATION["signs"] | {"batch_size": 300, "seed": 1}).batch(0)
    on_signs = [crops.signs[2][box].any() for row, box, _ in drawn if row == 2]
    assert np.mean(on_signs) > 0.8
    for (row, box, seed), following in pairwise(drawn):
        if following[0] == 3:
            assert (2, *following[1:]) == (row, box, seed)
    assert {row for row, *_ in drawn} == {0, 1, 2, 3}


def test_lymph_nodes_of_like_size_are_drawn(crops):
    crops.short_axis_mm = np.arange(1000) / 20
    rng = np.random.default_rng(0)
    sizes = crops.short_axis_mm[[crops.like(np.arange(1000), 20.0, rng) for _ in range(200)]]
    assert 17.4 <= sizes.min() <= sizes.max() <= 22.6
    assert crops.like(np.arange(1000), 999.0, rng) >= 900
    assert crops.like(np.arange(3), 20.0, rng) in (0, 1, 2)


def test_a_box_for_several_lymph_nodes_holds_what_is_shown_of_each(crops):
    k, j, i = crops.tight([0, 2])
    near = np.argwhere(crops.distance[0] / 10 < CLASSIFICATION["margin_mm"])
    for axis, part in enumerate((k, j, i)):
        assert part.start <= near[:, axis].min()
        assert part.stop > near[:, axis].max()
    assert j == i


def test_the_loss_of_signs_is_least_at_their_share_and_blind_beyond_the_margin():
    images, signs = torch.zeros(1, 3, 4, 4, 4), torch.zeros(1, 1, 4, 4, 4)
    signs[..., :2] = 1
    images[:, -1, :2] = 1.0  # these slices lie beyond the margin
    right = torch.tensor([9.0, -9.0]).expand(1, 1, 2, 2, 2)
    assert float(signs_loss(right, images, signs)) < 0.01
    assert float(signs_loss(-right, images, signs)) > 5
    wrong_beyond = right.clone()
    wrong_beyond[:, :, 0] = -right[:, :, 0]
    assert float(signs_loss(wrong_beyond, images, signs)) == pytest.approx(float(signs_loss(right, images, signs)))


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

    def loss_of(images, targets):
        return nn.functional.cross_entropy(network(images), targets)

    config = {"seed": 1, "steps": steps, "bf16": False, "log_every": 5, "checkpoint_every": 5, "loaders": 0}
    run(config, work, network, optimizer, schedule, batch, loss_of, "cpu", None)
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


def test_a_gradient_that_is_not_finite_stops_the_training_and_keeps_the_checkpoint(tmp_path):
    network = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer)

    def batch(step):
        return torch.full((1, 1), np.inf if step == 3 else 1.0)[..., None, None, None], torch.zeros(1)

    def loss_of(images, targets):
        return network(images[..., 0, 0, 0]).sum()

    config = {"seed": 1, "steps": 5, "bf16": False, "log_every": 1, "checkpoint_every": 2, "loaders": 0}
    with pytest.raises(RunError, match=r'not finite at step 3.*Lower "learning_rate".*the checkpoint is kept'):
        run(config, tmp_path, network, optimizer, schedule, batch, loss_of, "cpu", None)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2


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
    ignored[:, 0] = UNKNOWN
    wrong_there = perfect.clone()
    wrong_there[:, :, 0] = flipped[:, :, 0]
    assert float(loss_function(wrong_there, ignored)) == pytest.approx(0, abs=1e-3)


def test_jittered_surfaces_stay_near_the_true_one_and_never_vanish():
    rng = np.random.default_rng(0)
    grid = (np.indices((16, 24, 24)) - np.array([8, 12, 12])[:, None, None, None]) * 1.0
    distance = np.linalg.norm(grid, axis=0) - 6
    overlaps = []
    for _ in range(40):
        moved = jitter_surface(distance, rng) < 0
        overlaps.append(2 * (moved & (distance < 0)).sum() / (moved.sum() + (distance < 0).sum()))
    assert min(overlaps) > 0.5
    assert np.mean(overlaps) < 0.98, "the surface must move"
    assert (jitter_surface(np.where(distance < -5.5, -0.1, 9.0), rng) < 0).any()


def test_augmented_blocks_keep_shape_and_range():
    rng = np.random.default_rng(0)
    signs = rng.random((16, 24, 24)) < 0.1
    block = augment(np.full(signs.shape, 60, np.int16), np.full(signs.shape, -3.0), signs, rng, CLASSIFICATION)
    assert block.shape == (4, 16, 24, 24)
    assert block.dtype == np.float32
    assert 0 <= block[:2].min() <= block[:2].max() <= 1
    assert -1 <= block[2].min() <= block[2].max() <= 1
    assert block[3].sum() == signs.sum(), "turned, never changed"


@pytest.fixture(scope="module")
def a_planning_ct(tmp_path_factory):
    """Coarse CT in the layout of OpenKBP, its target volume a block on one side of the neck."""
    ct = simulate_case(5, 0, "medium", (50, 72, 72), (3.0, 3.6, 3.6)).simulation.ct
    labels = np.zeros(ct.shape, np.uint8)
    labels[18:32, 28:44, 40:50] = 10
    path = tmp_path_factory.mktemp("real") / "case.npz"
    np.savez(path, hu=ct.array.astype(np.int16), labels=labels, spacing_zyx_mm=np.array([3.0, 3.6, 3.6]))
    return path


def test_lymph_nodes_in_real_ct_are_labeled_and_its_targets_are_unknown(a_planning_ct, tmp_path):
    with np.load(inserted_case(tmp_path, a_planning_ct, 1, 0, "medium", 3.0)) as case:
        hu, classes = case["hu"], case["classes"]
    assert hu.shape == classes.shape
    assert set(np.unique(classes)) <= {0, 1, 2, 3, UNKNOWN}
    assert np.isin(classes, (1, 2, 3)).any()
    target_ml = 14 * 16 * 10 * 3.0 * 3.6 * 3.6 / 1000
    assert (classes == UNKNOWN).sum() * 3.0**3 / 1000 == pytest.approx(target_ml, rel=0.35)
    inserted = hu[np.isin(classes, (2, 3))]
    assert -60 < np.median(inserted) < 180, "soft tissue where there was fat"


@pytest.mark.parametrize(
    ("task", "text", "words"),
    [
        ("regression", "{}", "no training task named 'regression'.*segmentation, classification or pretrain"),
        ("segmentation", "{", "cannot be read as JSON.*configs/"),
        ("segmentation", '{"task": "classification"}', "not one for segmentation"),
    ],
)
def test_a_wrong_config_is_refused(tmp_path, task, text, words):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=words):
        load_config(task, tmp_path / "config.json")
