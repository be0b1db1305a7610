"""Grad-CAM++, guided Grad-CAM, layers and their average: each from its formula in loops, in 2D and 3D."""

import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import Settings, explain, grad_cam, guided_backpropagation
from ece_core.explain.layer import chosen_layers
from small_networks import Chain, SmallSegmentation, SmallUNet, seeded, voxels
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

X = voxels(1, 2, 4, 4, 4)


def plus_plus_by_formula(network, x, target, layer):
    kept = {}
    handle = layer.register_forward_hook(lambda module, arguments, output: kept.update(maps=output) or output.clone())
    score = network(x)[0, target]
    handle.remove()
    gradients = torch.autograd.grad(score, kept["maps"])[0][0]
    maps = kept["maps"].detach()[0]
    cam = torch.zeros_like(maps[0])
    for channel in range(len(maps)):
        total, weight = maps[channel].sum(), 0.0
        for g in gradients[channel].flatten():
            below = 2 * g**2 + total * g**3
            weight += (g**2 / below if below != 0 else 0) * max(g, 0)
        cam += weight * maps[channel]
    return functional.interpolate(cam.clamp(min=0)[None, None], x.shape[2:], mode="trilinear")


@pytest.mark.parametrize(("network", "layer"), [(Chain(), "norm"), (SmallUNet(nn.ReLU(inplace=True)), "bottom")])
def test_grad_cam_plus_plus_is_its_formula(network, layer):
    network = seeded(network)
    expected = plus_plus_by_formula(network, X, 1, network.get_submodule(layer))
    found = explain(network, X, 1, "gradcam-plus-plus", Settings(layer=layer))
    assert_close(found, expected.detach())
    assert found.any()
    assert_close(
        explain(network, X, 1, "guided-gradcam-plus-plus", Settings(layer=layer)),
        expected.detach() * guided_backpropagation(network, X, 1),
    )


def test_grad_cam_plus_plus_of_one_map_is_counted_by_hand():
    # One channel A = (1, 3), score = 2 A0 + 1 A1: alpha = g^2 / (2 g^2 + 4 g^3) = 1 / (2 + 4 g) = 1/10 and 1/6,
    # w = 2/10 + 1/6 = 11/30.
    class Weighs(nn.Module):
        def __init__(self):
            super().__init__()
            self.maps = nn.Identity()

        def forward(self, x):
            return (self.maps(x) * torch.tensor([2.0, 1.0])).sum((2, 3, 4))

    network, x = Weighs(), torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 1, 2)
    found = explain(network, x, 0, "gradcam-plus-plus", Settings(layer="maps"))
    assert_close(found.flatten(), torch.tensor([11 / 30, 33 / 30]))


def test_guided_grad_cam_is_the_product_of_the_two():
    network, settings = seeded(SmallUNet()), Settings(layer="bottom")
    expected = guided_backpropagation(network, X, 1) * grad_cam(network, X, 1, "bottom")
    assert_close(explain(network, X, 1, "guided-gradcam", settings), expected)
    assert expected.any()


def test_several_layers_are_averaged_each_by_its_maximum():
    network, names = seeded(SmallUNet()), ["down", "bottom", "join"]
    cams = [grad_cam(network, X, 1, name) for name in names]
    expected = sum(cam / cam.max() if cam.max() > 0 else cam for cam in cams) / 3
    assert_close(explain(network, X, 1, "gradcam", Settings(layer=names)), expected)
    assert_close(explain(network, X, 1, "gradcam", Settings(layer=network.bottom)), cams[1])


@pytest.mark.parametrize("dimensions", [2, 3])
def test_layers_by_their_place_in_the_network(dimensions):
    network = seeded(SmallSegmentation(dimensions=dimensions))
    x = voxels(1, 2, *[4] * dimensions)
    names = {module: name for name, module in network.named_modules()}

    def chosen(choice):
        return [names[layer] for layer in chosen_layers(network, x, choice)]

    assert chosen("all") == ["down", "bottom", "join"], "the head's maps are the logits"
    assert chosen("bottleneck+decoder") == ["bottom", "join"]
    assert chosen("join") == ["join"]
    assert chosen(None) == chosen("last") == ["head"]


def test_a_network_without_decoder_has_no_such_average():
    with pytest.raises(ECEError, match="has no decoder"):
        chosen_layers(seeded(Chain()), X, "bottleneck+decoder")
    with pytest.raises(ECEError, match="no convolution that runs once"):
        chosen_layers(nn.Sequential(nn.Flatten(), nn.Linear(128, 2)).double(), X, "all")


@pytest.mark.slow
def test_guided_grad_cam_agrees_with_captum():
    captum = pytest.importorskip("captum.attr")
    chain = nn.Sequential(
        nn.Conv3d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 4, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    )
    network = seeded(chain)
    ours = explain(network, X, 1, "guided-gradcam", Settings(layer="2"))
    theirs = captum.GuidedGradCam(network, network[2]).attribute(
        X.clone().requires_grad_(), target=1, interpolate_mode="trilinear"
    )
    assert_close(ours, theirs.detach())
