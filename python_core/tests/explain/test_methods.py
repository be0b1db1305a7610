"""What every method keeps: the network as it was, a batch as its elements, 2D as 3D; and what moves it."""

import numpy as np
import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import METHODS, Settings, Voxels, explain, fit_hr_cam, fit_patterns
from small_networks import Chain, SmallSegmentation, SmallUNet, assert_same_state, seeded, state_of, voxels
from torch import nn
from torch.testing import assert_close

pytestmark = pytest.mark.slow

X = voxels(2, 2, 4, 4, 4)
FITTED = ("pattern-signal", "pattern-attribution", "hr-cam")


def settings_for(network, layer="bottom", x=X):
    images = [voxels(*x.shape, seed=n) for n in range(2)]
    return Settings(
        layer=layer,
        baseline=0.1,
        steps=4,
        tolerance=9.0,
        samples=2,
        noise=0.0,
        patterns=fit_patterns(network, images),
        hr_cam=fit_hr_cam(network, [layer], [(images[0], torch.tensor([0, 1]))], 3, steps=3),
    )


@pytest.fixture(scope="module")
def network():
    return seeded(SmallUNet(nn.ReLU(inplace=True)))


@pytest.fixture(scope="module")
def settings(network):
    return settings_for(network)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_equals_its_elements(network, settings, method):
    together = explain(network, X, 1, method, settings)
    assert together.any() and not together.requires_grad and together.shape[2:] == X.shape[2:]
    assert_close(together, torch.cat([explain(network, one, 1, method, settings) for one in X.split(1)]))


def fail(*_):
    raise KeyError("on purpose")


@pytest.mark.parametrize("method", METHODS)
def test_the_network_is_left_as_found(network, settings, method):
    network.train()
    network.down.weight.requires_grad_(False)
    before, image = state_of(network), X.clone()
    explain(network, image, 1, method, settings)
    assert_same_state(before, state_of(network))
    assert torch.equal(image, X)
    with pytest.raises(KeyError, match="on purpose"):
        explain(network, X, fail, method, settings)
    assert_same_state(before, state_of(network))
    handle = network.join.register_forward_hook(fail)
    try:
        before = state_of(network)
        if method != "hr-cam" or settings.layer == "join":
            with pytest.raises(KeyError, match="on purpose"):
                explain(network, X, 1, method, settings)
            assert_same_state(before, state_of(network))
    finally:
        handle.remove()
        network.down.weight.requires_grad_(True)
        network.eval()


@pytest.mark.parametrize("method", [method for method in METHODS if method not in FITTED])
def test_2d_is_3d_with_one_slice(method):
    flat, volume = seeded(SmallSegmentation(dimensions=2)), seeded(SmallSegmentation(flat=True))
    with torch.no_grad():
        for (name, one), other in zip(flat.named_parameters(), volume.parameters(), strict=True):
            other.copy_(one.reshape(other.shape)), name
    x, mask = voxels(1, 2, 6, 4), voxels(6, 4) > 0.8
    settings = Settings(layer="bottom", baseline=0.1, steps=4, tolerance=9.0, samples=2, window=(2, 2), noise=0.1)
    expected = explain(flat, x, Voxels(mask, 1), method, settings)
    if method == "occlusion":
        settings = Settings(baseline=0.1, window=(1, 2, 2))
    found = explain(volume, x[:, :, None], Voxels(mask[None], 1), method, settings)
    assert_close(found[:, :, 0], expected)
    assert expected.any()


# Whose maps look much the same when all weights but the first layer's are drawn again (median correlation above 0.5,
# either sign): rules that count positive contributions alone hardly see what follows (Sixt et al. 2020,
# arXiv:1912.09818), and a signal's pattern is of the data. Guided backpropagation notices here (0.28).
KNOWN_TO_STAY = {"lrp-zplus", "lrp-epsilon-plus-flat", "pattern-signal"}


@pytest.mark.slow
def test_randomizing_the_weights_changes_every_map_but_those_known_not_to():
    x, stays = voxels(1, 2, 8, 8, 8), set()
    network, others = seeded(SmallUNet()), [seeded(SmallUNet(), seed) for seed in range(1, 6)]
    for other in others:
        with torch.no_grad():
            other.down.weight.copy_(network.down.weight)
    fitted = {one: settings_for(one, x=voxels(2, 2, 8, 8, 8)) for one in (network, *others)}
    for method in METHODS:
        known = explain(network, x, 1, method, fitted[network])
        correlations = []
        for other in others:
            changed = explain(other, x, 1, method, fitted[other])
            assert not torch.allclose(changed, known), f"{method}: not a voxel has changed"
            pair = torch.stack([known.flatten(), changed.flatten()])
            correlations.append(float(torch.nan_to_num(torch.corrcoef(pair)[0, 1])))
        if np.median(np.abs(correlations)) > 0.5:
            stays.add(method)
    assert stays == KNOWN_TO_STAY


def test_an_unknown_method_and_an_image_without_channels_are_refused(network):
    with pytest.raises(ECEError, match=r"no explanation method named 'lime'\. Choose from gradcam"):
        explain(network, X, 1, "lime")
    with pytest.raises(ECEError, match=r"shape \(4, 4, 4\).*or \(batch, channel, row, column\)"):
        explain(network, X[0, 0], 1, "gradient")


@pytest.mark.parametrize("method", [method for method in METHODS if method not in FITTED])
def test_where_a_method_does_not_apply_it_says_so_or_gives_what_its_name_says(method):
    """GELU: refused by what is defined for ReLU, explained by what needs no rule of an activation."""
    network, settings = seeded(Chain(nn.GELU())), Settings(layer="second", baseline=0.1, tolerance=9.0)
    if "guided" in method or "lrp" in method or method == "deconvnet":
        with pytest.raises(ECEError, match=r"does not apply: the network uses [Gg]elu"):
            explain(network, X, 1, method, settings)
    else:
        assert explain(network, X, 1, method, settings).any()
