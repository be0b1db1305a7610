import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import HRCam, Settings, explain, fit_hr_cam
from ece_core.explain.hr_cam import maps_of
from small_networks import SmallUNet, assert_same_state, seeded, state_of, voxels
from torch.nn import functional
from torch.testing import assert_close

pytestmark = pytest.mark.slow

LAYERS = ("down", "bottom", "join")
X = voxels(2, 2, 4, 4, 4, seed=7)


@pytest.fixture(scope="module")
def network():
    return seeded(SmallUNet())


@pytest.fixture(scope="module")
def batches(network):
    """Two classes that the pooled features tell apart: images brighter by one."""
    truth = torch.tensor([0, 1] * 6)
    images = voxels(12, 2, 4, 4, 4) + truth.reshape(-1, 1, 1, 1, 1)
    return [(images[:6], truth[:6]), (images[6:], truth[6:])]


@pytest.fixture(scope="module")
def top(network, batches):
    return fit_hr_cam(network, LAYERS, batches, 2)


def test_the_top_is_the_best_there_is(network, batches, top):
    """At the minimum of cross-entropy plus decay the gradient is zero; written here from features as they are."""
    images, truth = (torch.cat(parts) for parts in zip(*batches, strict=True))
    features = torch.cat([one.mean((2, 3, 4)) for one in maps_of(network, images, LAYERS)], 1)
    deviation = features.std(0, unbiased=False)
    weight = top.weight.clone().requires_grad_(True)
    bias = top.bias.clone().requires_grad_(True)
    logits = features @ weight.T + bias
    loss = functional.cross_entropy(logits, truth) + 1e-3 * ((weight * deviation) ** 2).sum()
    gradient = torch.autograd.grad(loss, [weight, bias])
    assert float((gradient[0] / deviation).abs().max()) < 1e-3 and float(gradient[1].abs().max()) < 1e-3
    assert torch.equal(logits.argmax(1), truth)


def test_the_map_is_the_weighted_sum_of_the_enlarged_maps(network, top):
    weights, slow = list(top.weight[1]), torch.zeros(2, 1, 4, 4, 4).double()
    for maps in maps_of(network, X, LAYERS):
        for channel in range(maps.shape[1]):
            one = maps[:, channel : channel + 1]
            slow += weights.pop(0) * functional.interpolate(one, (4, 4, 4), mode="trilinear")
    assert not weights
    assert_close(explain(network, X, 1, "hr-cam", Settings(hr_cam=top)), slow)


def test_the_mean_of_the_map_is_the_tops_score_where_no_map_is_enlarged(network, batches):
    top = fit_hr_cam(network, ("down", "join"), batches, 2)
    features = torch.cat([one.mean((2, 3, 4)) for one in maps_of(network, X, top.layers)], 1)
    found = explain(network, X, 0, "hr-cam", Settings(hr_cam=top))
    assert_close(found.mean((1, 2, 3, 4)), features @ top.weight[0])


def test_the_network_is_frozen(network, batches):
    before = state_of(network.train())
    fit_hr_cam(network, LAYERS, batches, 2, steps=3)
    assert_same_state(before, state_of(network))
    network.eval()


def test_the_top_is_kept_with_its_network(network, top, tmp_path):
    assert HRCam.load(tmp_path) is None
    top.save(tmp_path)
    again = HRCam.load(tmp_path)
    assert again.layers == LAYERS and torch.equal(again.weight, top.weight) and torch.equal(again.bias, top.bias)
    with pytest.raises(ECEError, match="trained on another network"):
        explain(seeded(SmallUNet(), seed=3), X, 1, "hr-cam", Settings(hr_cam=again))
    with pytest.raises(ECEError, match="needs a trained top"):
        explain(network, X, 1, "hr-cam")
    with pytest.raises(ECEError, match="needs images"):
        fit_hr_cam(network, LAYERS, [], 2)
