"""The networks of GMGENet and of its comparators: what goes in, what comes out, and on which grid Grad-CAM is drawn."""

import pytest
import torch
from ece_core.explain.layer import find_layer, last_spatial_layer, watched
from ece_core.models.registry import build

SMALL = {"in_channels": 1, "out_channels": 2, "init_features": 4, "growth_rate": 2, "bn_size": 1}
FIVE = [1, 1, 1, 1, 1]
THIN = torch.rand(1, 1, 7, 24, 24)  # as thin against its width as 25 slices of 90 x 90


def a_densenet(**changes):
    return build("VolumeDenseNet", SMALL | {"block_config": FIVE} | changes).eval()


def grid_of_maps(network, x):
    with torch.no_grad(), watched(find_layer(network, "class_layers.relu")) as seen:
        network(x)
    return tuple(seen.activation.shape[2:])


def test_five_dense_blocks_take_a_thin_volume_that_breaks_monais():
    with pytest.raises(RuntimeError, match="smaller than kernel size"):
        build("DenseNet", SMALL | {"block_config": FIVE}).eval()(THIN)
    assert a_densenet(halvings=4)(THIN).shape == (1, 2)


@pytest.mark.parametrize(
    ("changes", "grid"),
    [
        pytest.param({"halvings": 0}, (2, 6, 6), id="convolution and pooling of the stem: 7 to 4 to 2, 24 to 12 to 6"),
        pytest.param({"halvings": 0, "stem_pool": False}, (4, 12, 12), id="the convolution alone"),
        pytest.param({"halvings": 1, "stem_pool": False}, (2, 6, 6), id="halved once more"),
        pytest.param({"halvings": 4, "stem_pool": False}, (2, 3, 3), id="an axis of fewer than 4 voxels is kept"),
    ],
)
def test_the_grid_of_the_last_maps_is_counted_by_hand(changes, grid):
    assert grid_of_maps(a_densenet(**changes), THIN) == grid


def test_grad_cam_finds_the_layer_that_the_config_names():
    network = a_densenet()
    assert last_spatial_layer(network, THIN) is network.class_layers.relu


def test_the_head_is_given_standardized_means():
    network = a_densenet(standardize=True).train()
    seen = network.class_layers.flatten(10 + 0.1 * torch.randn(8, network.class_layers.out.in_features, 1, 1, 1))
    assert seen.mean(0).abs().max() < 1e-2
    torch.testing.assert_close(seen.std(0, correction=0), torch.ones(seen.shape[1]), rtol=0.2, atol=0)
    assert network.eval()(THIN).shape == (1, 2)


def test_it_has_five_dense_blocks():
    assert [name for name, _ in a_densenet().features.named_children() if name.startswith("denseblock")] == [
        f"denseblock{n}" for n in range(1, 6)
    ]


def test_the_plain_network_has_a_stage_per_entry_and_takes_any_size():
    network = build("PlainCNN", {"in_channels": 1, "out_channels": 2, "channels": [2, 3, 4], "hidden": 5}).eval()
    convolutions = [each for each in network if isinstance(each, torch.nn.Conv3d)]
    assert [(each.in_channels, each.out_channels) for each in convolutions] == [(1, 2), (2, 3), (3, 4)]
    assert network(torch.rand(2, 1, 9, 10, 11)).shape == (2, 2)
