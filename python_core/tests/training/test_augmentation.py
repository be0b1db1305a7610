"""Patches are turned, zoomed and mirrored together with their labels, and reach no farther than was read."""

import numpy as np
import pytest
import torch
from ece_core.training.augmentation import LOOKS, Augmentation

SIZE = (6, 8, 8)


class Turned(Augmentation):
    """Without change of intensity: what geometry alone does."""

    def __init__(self, look="nnunet", size=SIZE, spacing=(1, 1, 1)):
        super().__init__(look, size, spacing)
        self.intensities = []


def a_block(size):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (1, *size)).astype(np.uint8)
    return labels.astype(np.float32), labels


def quarter_turn():
    return np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def test_without_augmentation_a_patch_stays_what_it_is():
    still = Augmentation("none", SIZE, (1, 1, 1))
    rng = np.random.default_rng(0)
    assert all(still.draw_turn(rng) is None for _ in range(50))
    image, labels = a_block(SIZE)
    same, same_labels = still.apply(image, labels, None, rng)
    assert torch.equal(same, torch.from_numpy(image))
    assert torch.equal(same_labels, torch.from_numpy(labels).long())


def test_a_quarter_turn_is_that_of_numpy():
    augment = Turned()
    augment.look = LOOKS["none"]
    image, labels = a_block(augment.block_size(quarter_turn()))
    moved, moved_labels = augment.apply(image, labels, quarter_turn(), np.random.default_rng(0))
    k, j, i = ((n - s) // 2 for n, s in zip(image.shape[1:], SIZE, strict=True))
    inside = image[0, k : k + SIZE[0], j : j + SIZE[1], i : i + SIZE[2]]
    assert np.allclose(moved[0].numpy(), np.rot90(inside, -1, axes=(1, 2)), atol=1e-4)
    assert torch.equal(moved[0].round().long(), moved_labels[0])


@pytest.mark.parametrize("look", ["simulator", "nnunet"])
@pytest.mark.parametrize("size", [(6, 8, 8), (4, 16, 14)])
def test_a_turned_patch_reaches_no_farther_than_its_block(look, size):
    augment, rng = Turned(look, size, (2.0, 1.0, 1.0)), np.random.default_rng(1)
    turns = [turn for turn in (augment.draw_turn(rng) for _ in range(200)) if turn is not None]
    corners = np.array(np.meshgrid(*[((n - 1) / 2, (1 - n) / 2) for n in size])).reshape(3, -1)
    assert 40 < len(turns) < 100, "0.36 of 200"
    for turn in turns:
        assert (np.abs(turn @ corners).max(axis=1) <= (augment.block_size(turn) - 1) / 2).all()


def test_a_flat_patch_is_turned_in_its_plane_only():
    augment, rng = Turned(size=(4, 16, 14)), np.random.default_rng(2)
    turns = [turn for turn in (augment.draw_turn(rng) for _ in range(100)) if turn is not None]
    assert all(np.array_equal(turn[0], [1, 0, 0]) and np.array_equal(turn[:, 0], [1, 0, 0]) for turn in turns)


def test_turns_are_those_of_the_patient_not_of_voxels():
    augment, rng = Turned("nnunet", (8, 8, 8), (3.0, 1.0, 1.0)), np.random.default_rng(3)
    turn = next(turn for turn in (augment.draw_turn(rng) for _ in range(100)) if turn is not None)
    in_mm = np.diag([3.0, 1, 1]) @ turn @ np.diag([1 / 3, 1, 1])
    scale = np.cbrt(np.linalg.det(in_mm))
    assert np.allclose(in_mm @ in_mm.T, scale**2 * np.eye(3))


@pytest.mark.parametrize("look", ["simulator", "nnunet"])
def test_one_seed_gives_one_patch_and_another_seed_another(look):
    augment = Augmentation(look, SIZE, (1, 1, 1))
    image, labels = a_block(SIZE)
    one, again, other = (augment.apply(image, labels, None, np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    if look == "simulator":
        assert 0 <= one.min() <= one.max() <= 1
