"""The classifier's own network: what its outputs depend on, and that the explanations can look into it."""

import pytest
import torch
from ece_core.explain.classifier import explain_classifier
from ece_core.models.registry import build
from torch import nn

ARGUMENTS = {
    "in_channels": 3, "out_channels": 3, "init_features": 4, "growth_rate": 4, "block_config": [2, 2, 2], "bn_size": 2,
    "hidden": 8,
}  # fmt: skip


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build("LymphNodeDenseNet", ARGUMENTS).eval()


def test_signs_are_marked_at_half_the_resolution(network):
    logits, signs = network.logits_and_signs(torch.rand(2, 3, 16, 24, 32))
    assert logits.shape == (2, 3)
    assert signs.shape == (2, 1, 8, 12, 16)


def test_signs_change_the_classes_and_what_is_no_sign_does_not(network):
    seen = []
    network.head.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0][0, -2:].tolist()))
    x = torch.rand(1, 3, 16, 16, 16)
    for bias in (-50.0, 2.0):
        nn.init.constant_(network.signs[0].bias, bias)
        network(x)
    assert seen[0] == [0.0, 0.0]
    assert seen[1][0] > 0
    assert seen[1][1] >= seen[1][0], "mean, then maximum"


def test_fixed_statistics_stay_fixed_in_training(network):
    network.statistics_fixed = True
    network.train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    first = network.logits_and_signs(torch.ones(1, 3, 16, 16, 16))[1]
    both = network.logits_and_signs(torch.cat([torch.ones(1, 3, 16, 16, 16), torch.rand(1, 3, 16, 16, 16)]))[1]
    torch.testing.assert_close(both[:1], first, msg="another sample in the batch changes nothing")
    for name, value in network.named_buffers():
        assert torch.equal(value, before[name]), name
    assert network.head[2].training, "dropout still drops"


@pytest.mark.parametrize("method", ["gradcam", "guided-backprop"])
def test_it_can_be_explained(network, method):
    maps = explain_classifier(network, torch.rand(1, 3, 16, 16, 16), 2, [method], "norms.1")
    assert torch.isfinite(maps[method]).all()
