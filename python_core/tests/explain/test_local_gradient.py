"""The gradient of single voxels, cropped to the cone that it reaches: the same as whole, for every kind of layer."""

from contextlib import nullcontext

import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import Blocks, Settings, Voxels, explain_voxels, local_gradient
from ece_core.explain.accumulation import accumulate
from ece_core.explain.layer import watched
from ece_core.explain.local_gradient import LocalGradient
from ece_core.explain.local_tensor import Local
from ece_core.explain.methods import METHODS
from ece_core.explain.tangent import Tangents
from ece_core.explain.trace import traced
from small_networks import seeded, voxels
from torch import nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.testing import assert_close


class Segmentation(nn.Module):
    """A U-Net of chosen parts; the coarse maps are cropped or padded to the fine ones' grid by nothing: they fit."""

    def __init__(self, down, up, norm, act, dimensions=3):
        super().__init__()
        conv = (nn.Conv2d, nn.Conv3d)[dimensions - 2]
        self.first, self.deep = conv(1, 2, 3, padding=1), conv(2, 3, 3, padding=1)
        self.join, self.last, self.head = conv(5, 2, 3, padding=1), conv(2, 2, 3, padding=1), conv(2, 2, 1)
        self.down, self.up, self.norm, self.act = down, up, norm, act

    def forward(self, x):
        skip = self.act(self.norm(self.first(x)))
        deep = self.up(self.act(self.deep(self.down(skip))))
        joined = self.act(self.join(torch.cat([deep, skip], 1)))
        return self.head(self.act(self.last(joined)) * 0.5 + joined)


class Resampled(nn.Module):
    def forward(self, x):
        return functional.interpolate(x, scale_factor=2, mode="trilinear")


def up_twice(x):
    """Nearest voxels that feed two operations, so that their gradient must be summed first."""
    fine = functional.interpolate(x, scale_factor=2)
    return fine + fine.relu()


PARTS = {
    "pool, nearest, batch": (nn.MaxPool3d(2), nn.Upsample(scale_factor=2), nn.BatchNorm3d(2), nn.ReLU(inplace=True)),
    "stride, transposed, leaky": (
        nn.Conv3d(2, 2, 3, stride=2, padding=1, groups=2), nn.ConvTranspose3d(3, 3, 2, stride=2), nn.Identity(),
        nn.LeakyReLU(0.2),
    ),
    "overlapping pool and kernel, PReLU": (
        nn.MaxPool3d(3, stride=2, padding=1), nn.ConvTranspose3d(3, 3, 4, stride=2, padding=1), nn.BatchNorm3d(2),
        nn.PReLU(1, 0.1),
    ),
    "average, two consumers, clamp": (
        nn.AvgPool3d(2), up_twice, nn.BatchNorm3d(2), lambda x: x.clamp(min=0),
    ),
    "dilated, trilinear": (
        nn.Sequential(nn.Conv3d(2, 2, 3, padding=2, dilation=2), nn.MaxPool3d(2)), Resampled(), nn.Identity(),
        nn.ReLU(),
    ),
    "padded beyond the kernel": (
        nn.MaxPool3d(2), nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv3d(3, 3, 1, padding=1), nn.MaxPool3d(3, 1)),
        nn.Identity(), nn.ReLU(),
    ),
    "group norm": (nn.MaxPool3d(2), nn.Upsample(scale_factor=2), nn.GroupNorm(1, 2), nn.ReLU()),
}  # fmt: skip
WHOLE = ["average, two consumers, clamp", "dilated, trilinear", "group norm"]  # by average, by trilinear, by norm


def a_network(name):
    return seeded(Segmentation(*(part if isinstance(part, nn.Module) else Calls(part) for part in PARTS[name])))


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


X = voxels(1, 1, 16, 16, 16)
PLACES = [(0, 0, 0), (8, 7, 9), (15, 3, 15)]


def seed_at(place, shape=(1, 2, 16, 16, 16)):
    seed = torch.zeros(shape, dtype=torch.float64)
    seed[(0, 1, *place)] = 1.5
    return seed


@pytest.fixture
def largest(monkeypatch):
    """The most voxels that a cropped convolution was given."""
    seen = []
    inner = local_gradient.neighbors_summed

    def spy(local, *args):
        seen.append(local.values[0, 0].numel())
        return inner(local, *args)

    monkeypatch.setattr(local_gradient, "neighbors_summed", spy)
    return seen


@pytest.mark.parametrize("name", PARTS)
def test_cropped_is_whole(name, largest):
    network = a_network(name)
    trace = traced(network, X, [network.deep])
    with torch.no_grad():
        values = trace.run(X)
    local = LocalGradient(trace, values, [trace.image, trace.layers[network.deep]])
    moved = []
    for place in PLACES:
        seed = seed_at(place)
        image = X.clone().requires_grad_(True)
        with watched(network.deep) as seen:
            logits = network(image)
            expected, at_layer = torch.autograd.grad(logits, [image, seen.activation], seed)
        found, found_at_layer = local.of(seed)
        assert_close(found, expected, rtol=1e-9, atol=1e-12)
        assert_close(found_at_layer, at_layer, rtol=1e-9, atol=1e-12)
        moved.append(bool(expected.any() and at_layer.any()))
    assert any(moved)
    assert (max(largest) < 16**3) == (name not in WHOLE)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["first", "deep", "join"])
@pytest.mark.parametrize("name", PARTS)
def test_changes_alone_go_forward_as_torch_takes_them_with_the_values(name, layer):
    network = a_network(name)
    module = getattr(network, layer)
    trace = traced(network, X, [module])
    node = trace.layers[module]
    with torch.no_grad():
        values = trace.run(X)
        tangents, behind = Tangents(trace, values, node), trace.after(node, values)
        for seed in (1, 2):
            change = voxels(*values[node].shape, seed=seed)
            with forward_ad.dual_level():
                expected = forward_ad.unpack_dual(behind(forward_ad.make_dual(values[node], change))).tangent.clone()
            assert_close(tangents.of(change), expected, rtol=1e-9, atol=1e-12)
            assert expected.any()


def one_by_one(method, network, x, mask, settings):
    with method.open(network, x, settings) as whole:
        return accumulate(whole, Voxels(mask, 1), is_linear=False).map


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name, one in METHODS.items() if one.open_voxels is not None])
@pytest.mark.parametrize("name", PARTS)
def test_every_method_is_the_same_cropped_and_whole(method, name):
    network, mask = a_network(name), voxels(16, 16, 16, seed=2) > 3.0
    settings = Settings(layer=["deep", "join"])
    extended = "PReLU" in name or "leaky" in name
    if method == "deconvnet" and extended:
        with pytest.raises(ECEError, match="DeConvNet does not apply: it is defined for ReLU"):
            explain_voxels(network, X, Voxels(mask, 1), method, settings)
        return
    with pytest.warns(match="the extension") if extended and "guided" in method else nullcontext():
        way = Blocks(1, checked=1) if method == "gradcam" else None  # the other way of Grad-CAM goes by channels
        found = explain_voxels(network, X, Voxels(mask, 1), method, settings, way)
        expected = one_by_one(METHODS[method], network, X, mask, settings)
    assert_close(found.map, expected, rtol=1e-8, atol=1e-11)
    assert found.map.any() and mask.sum() > 2


def test_two_dimensions_are_cropped_too(largest):
    network = seeded(
        Segmentation(nn.MaxPool2d(2), nn.Upsample(scale_factor=(2, 2)), nn.BatchNorm2d(2), nn.ReLU(), dimensions=2)
    )
    x, mask = voxels(1, 1, 24, 16), torch.zeros(24, 16, dtype=torch.bool)
    mask[11, 5] = mask[0, 15] = True
    found = explain_voxels(network, x, Voxels(mask, 1), "guided-backprop")
    assert_close(found.map, one_by_one(METHODS["guided-backprop"], network, x, mask, Settings()))
    assert max(largest) < 24 * 16


def test_a_layer_that_the_score_does_not_see_is_refused():
    class Aside(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.aside = nn.Conv3d(1, 2, 1), nn.Conv3d(1, 2, 1)

        def forward(self, x):
            self.aside(x)
            return self.used(x)

    with pytest.raises(ECEError, match="score does not depend on the layer"):
        explain_voxels(seeded(Aside()), X, Voxels(X[0, 0] > 3, 1), "gradcam-plus-plus", Settings(layer="aside"))


def test_boxes_are_added_in_the_box_around_both():
    whole = torch.zeros(1, 1, 5, 6, dtype=torch.float64)
    whole[0, 0, 1, 2], whole[0, 0, 3, 4] = 2.0, 3.0
    parts = [Local.around(whole * (whole == value)) for value in (2.0, 3.0)]
    total = parts[0].plus(parts[1])
    assert (total.start, total.stop) == ((1, 2), (4, 5))
    assert_close(total.full(), whole)
    assert parts[0].values.numel() == 1 and parts[0].full().sum() == 2.0
    assert not Local.around(torch.zeros(1, 1, 2, 2)).full().any()
