import numpy as np
import pytest
import torch
from ece_core.geometry import Volume, affine_from
from ece_core.models import body_tiles as module
from ece_core.models import load_bundle
from ece_core.models.body_tiles import BORDER, body_cells, body_tiles, is_local
from ece_core.models.recipe import recipe_of
from ece_core.models.segmentation import fast_by_default, segment
from test_segmentation import BrightIsMetastatic

INPUT = {"spacing_mm": 2.0, "window_hu": [-400, 400], "patch_size": [16, 16, 16], "tile_size": [16, 16, 16]}
SPACING = (2.0, 2.0, 2.0)
STEP = (4, 4, 4)


class Counting(BrightIsMetastatic):
    """Says at how many voxels it looked."""

    def __init__(self):
        super().__init__()
        self.voxels = 0

    def forward(self, x):
        self.voxels += x.numel()
        return super().forward(x)


def a_neck(shape=(160, 104, 240), wide=110, narrow=30, deep=24):
    """Normalized as the recipe does: shoulders below, a narrow neck above, a thin couch behind them in the air."""
    k, j, i = np.ogrid[: shape[0], : shape[1], : shape[2]]
    middle_j, middle_i = deep + 16, shape[2] // 2
    body = ((j - middle_j) / deep) ** 2 + ((i - middle_i) / np.where(k < 30, wide, narrow)) ** 2 < 1
    couch = (j == shape[1] - 8) & (abs(i - middle_i) < wide) & (k >= 0)
    return np.where(body | couch, np.float32(0.55), np.float32(0)), body


def held(tiles, shape):
    """How often each voxel counts."""
    count = np.zeros(shape, int)
    for tile in tiles:
        first, last = tile.inner or ((0, 0, 0), tile.size)
        count[tuple(slice(a + b, a + c) for a, b, c in zip(tile.start, first, last, strict=True))] += 1
    return count


def tiles_of(image, local=True, most_voxels=2_500_000):
    return body_tiles(recipe_of(INPUT), image, SPACING, (32, 32, 32), STEP, local, most_voxels)


def test_the_body_is_found_without_the_couch():
    image, body = a_neck()
    cells = body_cells(recipe_of(INPUT), image, SPACING)
    fine = cells.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    assert fine[body].all()
    assert not fine[:, 90:, :].any()


@pytest.mark.parametrize("most_voxels", [2_500_000, 300_000])
def test_every_place_of_the_body_counts_once_far_from_edges(most_voxels):
    image, body = a_neck()
    tiles = tiles_of(image, most_voxels=most_voxels)
    count = held(tiles, image.shape)
    assert (count[body] == 1).all() and count.max() == 1
    for tile in tiles:
        assert not np.any(np.array(tile.start) % 4) and not np.any(np.array(tile.size) % 4)
        assert np.prod(tile.size) <= most_voxels
        for a, first, last, s, n in zip(tile.start, *tile.inner, tile.size, image.shape, strict=True):
            assert a >= 0 and a + s <= n
            assert (first >= BORDER or a == 0) and (s - last >= BORDER or a + s == n)
    assert [tile.start[0] for tile in tiles] == sorted(tile.start[0] for tile in tiles)


def test_air_beside_a_narrow_neck_is_left_out():
    image, _ = a_neck()
    looked_at = sum(np.prod(tile.size) for tile in tiles_of(image))
    one_box = 160 * 96 * 240  # around the body, with its borders
    assert looked_at < 0.7 * one_box


def test_a_network_that_needs_its_own_tile_size_keeps_it():
    image, body = a_neck()
    tiles = tiles_of(image, local=False)
    assert {tile.size for tile in tiles} == {(32, 32, 32)}
    assert (held(tiles, image.shape)[body] >= 1).all()
    assert not held(tiles, image.shape)[64:, :, :20].any(), "air beside the neck"


def test_where_there_is_no_body_there_are_no_tiles():
    assert tiles_of(np.zeros((40, 40, 40), np.float32)) == []


@pytest.mark.parametrize(
    ("layer", "local"),
    [
        (torch.nn.BatchNorm3d(2), True), (torch.nn.InstanceNorm3d(2), False), (torch.nn.GroupNorm(1, 2), False),
        (torch.nn.AdaptiveAvgPool3d(1), False),
    ],
)  # fmt: skip
def test_a_norm_over_the_tile_is_not_local(layer, local, a_segmentation_bundle):
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3), torch.nn.Sequential(layer))
    assert is_local(network) is local
    bundle = load_bundle(a_segmentation_bundle)
    assert fast_by_default(bundle)
    object.__setattr__(bundle, "network", network)
    assert fast_by_default(bundle) is local


SMALL = ((56, 64, 72), 34, 20, 20)


def a_scan():
    image, _ = a_neck(*SMALL)
    hu = np.where(image > 0, 40, -1000).astype(np.int16)
    for k, j, i in ((8, 30, 12), (44, 40, 32), (34, 24, 36)):
        hu[k : k + 5, j : j + 6, i : i + 6] = 300
    return Volume(hu, affine_from(SPACING))


def test_fast_search_finds_what_full_search_finds_with_less_work(a_segmentation_bundle):
    bundle = load_bundle(a_segmentation_bundle)
    network = Counting()
    object.__setattr__(bundle, "network", network)
    full = segment(bundle, a_scan(), "cpu")
    in_full, network.voxels = network.voxels, 0
    fast = segment(bundle, a_scan(), "cpu", fast=True)
    assert (full.class_map.array == 2).sum() == 3 * 5 * 6 * 6
    assert (fast.class_map.array != full.class_map.array).sum() == 0
    np.testing.assert_allclose(fast.class_probabilities, full.class_probabilities, atol=1e-4)
    assert network.voxels < 0.6 * in_full


@pytest.mark.slow
def test_tiles_of_a_local_network_answer_as_one_tile_does(a_segmentation_bundle, monkeypatch):
    """The real architecture with a border as wide as its neighborhood: not one voxel differs."""
    monkeypatch.setattr(module, "BORDER", 24)
    bundle = load_bundle(a_segmentation_bundle)
    with torch.no_grad():  # foreground here and there
        bundle.network.output_block.conv.conv.bias[0] = -0.1
    rng = np.random.default_rng(4)
    scan = a_scan()
    scan = scan.with_array((scan.array + rng.normal(0, 60, scan.shape)).astype(np.int16))
    sizes = []
    bundle.network.register_forward_pre_hook(lambda network, inputs: sizes.append(inputs[0].shape))
    one = segment(bundle, scan, "cpu", fast=True)
    assert len(sizes) == 1
    many = segment(bundle, scan, "cpu", fast=True, patch_scale=0.125)
    assert len(sizes) > 2
    assert 0.01 < (one.class_map.array > 0).mean() < 0.9
    _, body = a_neck(*SMALL)
    assert (one.class_map.array != many.class_map.array)[body].sum() == 0
