"""What training draws: how often a lymph node, where in the patch, and the same however processes share it."""

import numpy as np
import pytest
import torch
from ece_core.training.labels import UNKNOWN
from ece_core.training.patches import Patches

CONFIG = {
    "task": "segmentation", "seed": 3, "patch_size": [8, 8, 8], "tile_size": [8, 8, 8], "spacing_mm": 1.0,
    "arguments": {}, "batch_size": 3, "real_share": 0.0, "augmentation": "none", "foreground_share": 1 / 3,
    "translation": 1.0, "focus": "labels",
}  # fmt: skip


@pytest.fixture
def one_voxel(tmp_path):
    """A scan with one voxel of class P and one of ENE, far from each other and from the border."""
    classes = np.zeros((60, 60, 60), np.uint8)
    classes[15, 15, 15], classes[40, 40, 40] = 2, 3
    path = tmp_path / "case.npz"
    np.savez(path, hu=np.zeros(classes.shape, np.int16), classes=classes)
    return path


def test_a_third_of_the_patches_hold_a_lymph_node(one_voxel):
    patches = Patches(CONFIG, [one_voxel], [])
    targets = [patches.patch(number)[1] for number in range(90)]
    wanted = [bool(target.any()) for target in targets[2::3]]
    assert all(wanted), "every third one, whatever else comes by chance"
    assert 30 <= sum(bool(target.any()) for target in targets) <= 40


@pytest.mark.parametrize("augmentation", ["none", "nnunet", "simulator"])
def test_lymph_nodes_lie_anywhere_in_the_patch_and_never_leave_it(one_voxel, augmentation):
    patches_drawn = 80 if augmentation == "none" else 25
    patches = Patches(CONFIG | {"foreground_share": 1.0, "augmentation": augmentation}, [one_voxel], [])
    places = [np.argwhere(patches.patch(number)[1].numpy()) for number in range(patches_drawn)]
    # Zoomed out, a single voxel can fall between those that are looked up.
    assert np.mean([len(place) > 0 for place in places]) > (0.8 if augmentation != "none" else 0.999)
    if augmentation == "none":
        seen = np.concatenate(places)
        assert (seen.min(axis=0) == 0).all() and (seen.max(axis=0) == 7).all()
        assert np.abs(seen.mean(axis=0) - 3.5).max() < 1


def test_without_translation_lymph_nodes_lie_in_the_middle(one_voxel):
    patches = Patches(CONFIG | {"foreground_share": 1.0, "translation": 0.0}, [one_voxel], [])
    assert {tuple(np.argwhere(patches.patch(n)[1].numpy())[0]) for n in range(10)} == {(4, 4, 4)}


def test_each_label_is_drawn_as_often_however_large(tmp_path):
    classes = np.zeros((30, 30, 30), np.uint8)
    classes[2:14, 2:28, 2:28] = 1
    classes[25, 25, 25] = 3
    np.savez(tmp_path / "case.npz", hu=np.zeros(classes.shape, np.int16), classes=classes)
    patches = Patches(CONFIG | {"foreground_share": 1.0}, [tmp_path / "case.npz"], [])
    with_ene = [bool((patches.patch(number)[1] == 3).any()) for number in range(100)]
    assert 35 <= sum(with_ene) <= 65


def test_processes_see_together_what_one_would_see(one_voxel):
    whole, target = Patches(CONFIG, [one_voxel], []).batch(4)
    parts = [Patches(CONFIG, [one_voxel], [], (rank, 2)).batch(4) for rank in (0, 1)]
    assert [len(images) for images, _ in parts] == [2, 1]
    assert torch.equal(torch.stack([parts[0][1][0], parts[1][1][0], parts[0][1][1]]), target)
    assert torch.equal(torch.stack([parts[0][0][0], parts[1][0][0], parts[0][0][1]]), whole)


def test_unknown_voxels_are_never_what_a_patch_is_drawn_for(tmp_path):
    classes = np.zeros((40, 40, 40), np.uint8)
    classes[2:38, 2:38, 2:20] = UNKNOWN
    classes[30, 30, 30] = 5  # a lymph node of no known class
    np.savez(tmp_path / "unknown.npz", hu=np.zeros(classes.shape, np.int16), classes=classes)
    classes[5, 35, 35] = 1
    np.savez(tmp_path / "case.npz", hu=np.zeros(classes.shape, np.int16), classes=classes)
    files = [tmp_path / "unknown.npz", tmp_path / "case.npz"]
    patches = Patches(CONFIG | {"foreground_share": 1.0}, files, [])
    assert all((patches.patch(number)[1] == 1).any() for number in range(20))
    joined = Patches(CONFIG | {"foreground_share": 1.0, "labels": "all_joined"}, files[:1], [])
    assert all((joined.patch(number)[1] == 1).any() for number in range(5)), "one label: then it is known"


def test_a_scan_smaller_than_the_patch_is_padded_with_what_is_no_tissue(tmp_path):
    classes = np.ones((4, 5, 6), np.uint8)
    np.savez(tmp_path / "case.npz", hu=np.full(classes.shape, 100, np.int16), classes=classes)
    image, target = Patches(CONFIG | {"foreground_share": 1.0}, [tmp_path / "case.npz"], []).patch(0)
    assert (target == 1).sum() == (image > 0).sum() == 4 * 5 * 6
