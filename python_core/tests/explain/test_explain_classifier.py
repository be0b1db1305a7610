import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import (
    DEFAULT_METHODS,
    Settings,
    explain,
    explain_classifier,
    grad_cam,
    guided_backpropagation,
    last_spatial_layer,
)
from small_networks import Chain, a_dense_net, seeded, voxels
from torch import nn
from torch.testing import assert_close


@pytest.fixture
def counted_network():
    network = a_dense_net()
    network.runs = 0

    def count(module, arguments):
        module.runs += 1

    network.register_forward_pre_hook(count)
    return network


def test_both_methods_share_one_forward_pass(counted_network):
    x, layer = voxels(2, 2, 16, 16, 16), "features.denseblock2"
    explained = explain_classifier(counted_network, x, 1, DEFAULT_METHODS, layer)
    assert counted_network.runs == 1
    assert list(explained) == ["gradcam", "guided-backprop"]
    torch.testing.assert_close(explained["gradcam"], grad_cam(counted_network, x, 1, layer))
    torch.testing.assert_close(explained["guided-backprop"], guided_backpropagation(counted_network, x, 1))
    assert all(map_.any() and not map_.requires_grad for map_ in explained.values())


@pytest.mark.parametrize("methods", [["guided-backprop", "gradcam"], ["gradcam"], ["guided-backprop"], []])
def test_methods_come_in_the_order_asked_for(counted_network, methods):
    x = voxels(1, 2, 16, 16, 16)
    explained = explain_classifier(counted_network, x, 1, methods, "features.denseblock2")
    assert list(explained) == methods
    assert counted_network.runs == (1 if methods else 0)


def test_grad_cam_alone_differentiates_only_what_follows_the_layer():
    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4)
    seen = []
    network.norm.register_forward_hook(lambda module, arguments, output: seen.append(output.requires_grad))
    explain_classifier(network, x, 1, ["gradcam"], "second")
    explain_classifier(network, x, 1, ["gradcam", "guided-backprop"], "second")
    assert seen == [False, True]


def test_without_a_layer_the_last_feature_maps_are_taken():
    network, x = a_dense_net(), voxels(1, 2, 32, 32, 32)
    assert last_spatial_layer(network, x) is network.class_layers.relu
    explained = explain_classifier(network, x, 1, ["gradcam"])
    torch.testing.assert_close(explained["gradcam"], grad_cam(network, x, 1, "class_layers.relu"))


def test_the_last_layer_is_found_by_order_of_running_and_not_of_naming():
    class Reversed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.pool = nn.Linear(4, 2), nn.AdaptiveAvgPool3d(1)
            self.last, self.first, self.act = nn.Conv3d(4, 4, 1), nn.Conv3d(2, 4, 1), nn.ReLU()

        def forward(self, x):
            return self.head(self.pool(self.act(self.last(self.act(self.first(x))))).flatten(1))

    network = seeded(Reversed())
    assert last_spatial_layer(network, voxels(1, 2, 4, 4, 4)) is network.last  # act runs twice, pool gives one voxel


def test_layers_by_word_are_those_of_a_single_explanation():
    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4)
    assert_close(
        explain_classifier(network, x, 1, ["gradcam"], "all")["gradcam"],
        explain(network, x, 1, "gradcam", Settings(layer="all")),
    )
    assert_close(
        explain_classifier(network, x, 1, ["gradcam"], "last")["gradcam"],
        explain_classifier(network, x, 1, ["gradcam"])["gradcam"],
    )
    with pytest.raises(ECEError, match="has no decoder"):
        explain_classifier(network, x, 1, ["guided-backprop", "gradcam"], "bottleneck+decoder")


def test_an_unknown_method_is_refused_before_anything_runs(counted_network):
    with pytest.raises(ECEError, match=r"no explanation method named 'lime'\. Choose from gradcam, guided-backprop"):
        explain_classifier(counted_network, voxels(1, 2, 16, 16, 16), 1, ["gradcam", "lime"])
    assert counted_network.runs == 0


def test_a_network_without_feature_maps_has_no_layer_to_choose():
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with pytest.raises(ECEError, match=r"No layer gives feature maps.*Name the layer"):
        explain_classifier(network, torch.zeros(1, 2, 2, 2, 2), 1, ["gradcam"])


def test_grad_cam_alone_does_not_need_a_network_that_guided_backpropagation_accepts():
    network, x = seeded(Chain(nn.GELU())), voxels(1, 2, 4, 4, 4)
    assert explain_classifier(network, x, 1, ["gradcam"])["gradcam"].any()
    with pytest.raises(ECEError, match="uses Gelu"):
        explain_classifier(network, x, 1)
