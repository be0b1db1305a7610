"""Weights, requires_grad, hooks, training mode and in-place flags are as before, also after an exception."""

import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import explain_classifier, grad_cam, guided_backpropagation, last_spatial_layer
from small_networks import Chain, a_dense_net, assert_same_state, seeded, state_of, voxels
from torch import nn

EXPLAIN = {
    "grad_cam": lambda network, x, target: grad_cam(network, x, target, "features.denseblock2"),
    "guided_backpropagation": guided_backpropagation,
    "explain_classifier": lambda network, x, target: explain_classifier(network, x, target),
    "last_spatial_layer": lambda network, x, target: last_spatial_layer(network, x),
}


@pytest.fixture
def a_network_of_mixed_settings():
    """Half in training mode, some weights already frozen, a hook of someone else's."""
    network = a_dense_net(dropout_prob=0.3)
    network.train()
    network.features.norm0.eval()
    network.features.conv0.weight.requires_grad_(False)
    network.class_layers.out.bias.requires_grad_(False)
    network.features.pool0.register_forward_hook(lambda module, arguments, output: None)
    return network


@pytest.mark.parametrize("explain", EXPLAIN.values(), ids=EXPLAIN.keys())
def test_after_an_explanation(a_network_of_mixed_settings, explain):
    network, x = a_network_of_mixed_settings, voxels(2, 2, 16, 16, 16)
    before, image = state_of(network), x.clone()
    explain(network, x, 1)
    assert_same_state(before, state_of(network))
    assert torch.equal(x, image) and x.grad is None and not x.requires_grad


def fail(*_):
    raise KeyError("inside the target")


class FailsBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise MemoryError("inside backward")


@pytest.mark.parametrize("explain", EXPLAIN.values(), ids=EXPLAIN.keys())
def test_after_an_exception_in_forward(a_network_of_mixed_settings, explain):
    network = a_network_of_mixed_settings
    network.class_layers.pool.register_forward_hook(fail)
    before = state_of(network)
    with pytest.raises(KeyError, match="inside"):
        explain(network, voxels(1, 2, 16, 16, 16), 1)
    assert_same_state(before, state_of(network))


@pytest.mark.parametrize("name", ["grad_cam", "guided_backpropagation", "explain_classifier"])
def test_after_an_exception_in_the_target(a_network_of_mixed_settings, name):
    network = a_network_of_mixed_settings
    before = state_of(network)
    with pytest.raises(KeyError, match="inside the target"):
        EXPLAIN[name](network, voxels(1, 2, 16, 16, 16), fail)
    assert_same_state(before, state_of(network))


def test_after_an_exception_in_backward(a_network_of_mixed_settings):
    network = a_network_of_mixed_settings
    network.class_layers.pool.register_forward_hook(lambda module, arguments, output: FailsBackward.apply(output))
    before = state_of(network)
    with pytest.raises(MemoryError, match="inside backward"):
        EXPLAIN["grad_cam"](network, voxels(1, 2, 16, 16, 16), 1)
    assert_same_state(before, state_of(network))


def test_after_a_refusal():
    network = seeded(Chain(nn.GELU())).train()
    before = state_of(network)
    with pytest.raises(ECEError, match="Gelu"):
        guided_backpropagation(network, voxels(1, 2, 4, 4, 4), 1)
    assert_same_state(before, state_of(network))


def test_training_mode_does_not_reach_the_explanation(a_network_of_mixed_settings):
    """Batch statistics and dropout would make the map depend on chance and on the batch."""
    x = voxels(2, 2, 16, 16, 16)
    explained = [guided_backpropagation(a_network_of_mixed_settings, x, 1) for _ in range(2)]
    assert torch.equal(*explained)
    assert torch.equal(explained[0], guided_backpropagation(a_network_of_mixed_settings.eval(), x, 1))


def test_a_network_with_an_inplace_first_layer_does_not_overwrite_the_input():
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Conv3d(2, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 2))
    x = torch.randn(1, 2, 4, 4, 4)
    before = x.clone()
    guided_backpropagation(network, x, 1)
    grad_cam(network, x, 1, "1")
    assert torch.equal(x, before)
