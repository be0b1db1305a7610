"""Gradient, saliency, gradient x input, SmoothGrad, integrated gradients, DeConvNet, occlusion: each written twice."""

import warnings

import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import Settings, explain
from ece_core.explain.smooth_grad import noises
from small_networks import (
    RELU_SPELLINGS,
    Calling,
    Chain,
    SharedInput,
    SmallUNet,
    plain_gradient,
    seeded,
    voxels,
)
from torch import nn
from torch.testing import assert_close

ARCHITECTURES = {"chain": Chain, "ReLU's input shared": SharedInput, "U-Net, pool and concat": SmallUNet}
X = voxels(1, 2, 4, 4, 4)
BASELINE = 0.3 * voxels(1, 2, 4, 4, 4, seed=3)


def by_differences(network, x, target):
    step, slow = 1e-6, torch.zeros_like(x)
    with torch.no_grad():
        for index in range(x.numel()):
            unit = torch.zeros_like(x)
            unit.view(-1)[index] = step
            slow.view(-1)[index] = (network(x + unit)[0, target] - network(x - unit)[0, target]) / (2 * step)
    return slow


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_gradient_saliency_and_gradient_x_input_are_finite_differences(architecture):
    network = seeded(architecture())
    slow = by_differences(network, X, 1)
    assert_close(explain(network, X, 1, "gradient"), slow, rtol=1e-5, atol=1e-7)
    assert_close(explain(network, X, 1, "saliency"), slow.abs(), rtol=1e-5, atol=1e-7)
    assert_close(explain(network, X, 1, "gradient-x-input"), slow * X, rtol=1e-5, atol=1e-7)


def test_smooth_grad_is_the_mean_over_its_noisy_copies():
    network, settings = seeded(SmallUNet()), Settings(samples=3, noise=0.2, seed=5)
    copies = [X + noise for noise in noises(X, settings)]
    assert 0.1 < float((copies[0] - X).std() / (X.max() - X.min())) < 0.3
    assert not torch.equal(copies[0], copies[1])
    slow = sum(plain_gradient(network, copy, 1) for copy in copies) / 3
    assert_close(explain(network, X, 1, "smoothgrad", settings), slow)
    assert_close(explain(network, X, 1, "smoothgrad", Settings(samples=1, noise=0.0)), plain_gradient(network, X, 1))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_integrated_gradients_are_a_sum_of_many_small_steps(architecture):
    network, steps = seeded(architecture()), 200
    slow = torch.zeros_like(X)
    for step in range(steps):
        slow += plain_gradient(network, BASELINE + (step + 0.5) / steps * (X - BASELINE), 1) / steps
    slow *= X - BASELINE
    found = explain(network, X, 1, "integrated-gradients", Settings(baseline=BASELINE, steps=100))
    assert_close(found, slow, rtol=0.05, atol=0.03 * float(slow.abs().max()))
    difference = (network(X) - network(BASELINE))[0, 1].detach()
    assert abs(float(found.sum() - difference)) < 0.02 * float(found.abs().sum())


def test_integrated_gradients_of_a_quadratic_score_are_known():
    class Square(nn.Module):
        def forward(self, x):
            return (x**2).sum((2, 3, 4))

    # From b to x the mean of 2 z is x + b: (x - b)(x + b) = x^2 - b^2, and two points are enough.
    found = explain(Square(), X, lambda y: y.sum(), "integrated-gradients", Settings(baseline=BASELINE, steps=2))
    assert_close(found, X**2 - BASELINE**2)


class Steep(nn.Module):
    """A score that leaps where the voxels sum to 3."""

    def __init__(self, slope) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x):
        return torch.sigmoid(self.slope * (x.sum((2, 3, 4)) - 3))


def test_integrated_gradients_take_more_steps_until_they_are_complete():
    ones = torch.ones(1, 1, 2, 2, 2, dtype=torch.float64)
    few, many = (explain(Steep(3.0), ones, 0, "integrated-gradients", Settings(steps=n)) for n in (3, 12))
    assert_close(few, many)  # 3 and 6 points miss more than 5 % of the difference, 12 do not
    assert float(few.sum()) == pytest.approx(1, abs=0.05)


def test_integrated_gradients_that_miss_the_difference_are_refused():
    with pytest.raises(ECEError, match=r"not complete here: the map sums to .* Take more steps"):
        explain(Steep(300.0), torch.ones(1, 1, 2, 2, 2), 0, "integrated-gradients", Settings(steps=3))


class DeconvReLU(torch.autograd.Function):
    """The definition (Zeiler and Fergus 2013), for the tests' second version."""

    @staticmethod
    def forward(ctx, x):
        return x * (x > 0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (gradient > 0)


@pytest.mark.parametrize("act", RELU_SPELLINGS.values(), ids=RELU_SPELLINGS.keys())
@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_deconvnet_is_its_definition_in_every_spelling(architecture, act):
    network, leaf = seeded(architecture()), X.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(network(leaf, DeconvReLU.apply)[:, 1].sum(), leaf)
    assert_close(explain(Calling(network, act), X, 1, "deconvnet"), expected)
    assert not torch.allclose(expected, plain_gradient(network, X, 1))


def test_deconvnet_does_not_see_the_image_where_nothing_is_pooled():
    """It never asks which units were active (Zeiler and Fergus 2013): of two images the same map."""
    network = seeded(Chain())
    first = explain(network, X, 1, "deconvnet")
    assert first.any()
    assert_close(explain(network, -3 * X, 1, "deconvnet"), first)
    pooled = seeded(SmallUNet())
    assert not torch.allclose(explain(pooled, -3 * X, 1, "deconvnet"), explain(pooled, X, 1, "deconvnet"))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        pytest.param(
            nn.LeakyReLU(0.1), "DeConvNet does not apply: it is defined for ReLU, not for LeakyRelu", id="leaky"
        ),
        pytest.param(nn.GELU(), "DeConvNet does not apply: the network uses Gelu", id="GELU"),
    ],
)
def test_deconvnet_is_refused_for_other_activations(act, words):
    with pytest.raises(ECEError, match=words):
        explain(seeded(Chain(act)), X, 1, "deconvnet")


@pytest.mark.parametrize("shape", [(4, 4, 4), (4, 6)])
def test_occlusion_is_counted_box_by_box(shape):
    def network(image):
        return torch.stack([(image.flatten(1) ** 2).sum(1), image.flatten(1).sum(1) ** 3], dim=1)

    class Wrapped(nn.Module):
        def forward(self, image):
            return network(image)

    x, settings = voxels(2, 2, *shape), Settings(window=2, stride=1, baseline=0.5)
    lost, count = torch.zeros(2, 1, *shape).double(), torch.zeros(shape)
    for corner in torch.cartesian_prod(*[torch.arange(n - 1) for n in shape]).tolist():
        box = tuple(slice(a, a + 2) for a in corner)
        blanked = x.clone()
        blanked[(slice(None), slice(None), *box)] = 0.5
        drop = network(x)[:, 1] - network(blanked)[:, 1]
        for element in range(2):
            lost[(element, 0, *box)] += drop[element]
        count[box] += 1
    assert_close(explain(Wrapped(), x, 1, "occlusion", settings), lost / count)


def test_occlusion_covers_the_border_and_refuses_gaps():
    x = torch.arange(5.0).reshape(1, 1, 1, 1, 5)
    network = nn.Sequential(nn.Flatten(), nn.Linear(5, 1, bias=False))
    nn.init.ones_(network[1].weight)
    found = explain(network, x, 0, "occlusion", Settings(window=2, stride=2))
    # Boxes at 0, 2 and the last one moved in to 3: sums 1, 5, 7; voxel 3 is in two of them.
    assert_close(found.flatten(), torch.tensor([1.0, 1.0, 5.0, 6.0, 7.0]))
    with pytest.raises(ECEError, match="leaves voxels out"):
        explain(network, x, 0, "occlusion", Settings(window=2, stride=3))


class Affine(nn.Module):
    """score = w . x + 2"""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv3d(1, 1, 2, bias=False), nn.Linear(1, 1)
        seeded(self)

    def forward(self, x):
        return self.head(self.conv(x).flatten(1))


IN_CLOSED_FORM = {
    "gradient": lambda w, x: w,
    "saliency": lambda w, x: w.abs(),
    "smoothgrad": lambda w, x: w,
    **dict.fromkeys(
        ("gradient-x-input", "integrated-gradients", "deeplift", "lrp-epsilon", "occlusion"), lambda w, x: w * x
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", IN_CLOSED_FORM)
def test_on_a_linear_network_they_are_known(method):
    network, x = Affine(), voxels(1, 1, 2, 2, 2)
    with torch.no_grad():
        network.head.bias.zero_()
    w = network.conv.weight.detach() * network.head.weight.detach().squeeze()
    found = explain(network, x, 0, method, Settings(window=1, stride=1))
    assert_close(found, IN_CLOSED_FORM[method](w, x), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_they_agree_with_captum_where_it_is_right():
    captum = pytest.importorskip("captum.attr")
    chain = nn.Sequential(
        nn.Conv3d(2, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.AvgPool3d(2), nn.Conv3d(4, 4, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32, 3),
    )  # fmt: skip
    network, settings = seeded(chain), Settings(baseline=BASELINE, steps=50, window=2, stride=2)
    theirs = {
        "gradient": captum.Saliency(network).attribute(X.clone().requires_grad_(), target=1, abs=False),
        "saliency": captum.Saliency(network).attribute(X.clone().requires_grad_(), target=1),
        "gradient-x-input": captum.InputXGradient(network).attribute(X.clone().requires_grad_(), target=1),
        "integrated-gradients": captum.IntegratedGradients(network).attribute(X, BASELINE, target=1, n_steps=50),
        "occlusion": captum.Occlusion(network).attribute(
            X, sliding_window_shapes=(2, 2, 2, 2), strides=(2, 2, 2, 2), target=1, baselines=BASELINE
        )[:, :1],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum announces its hooks
        theirs["deconvnet"] = captum.Deconvolution(network).attribute(X.clone().requires_grad_(), target=1)
        theirs["deeplift"] = captum.DeepLift(network).attribute(X.clone(), BASELINE, target=1)
    for method, expected in theirs.items():
        assert_close(
            explain(network, X, 1, method, settings), expected.detach().double(), rtol=1e-5, atol=1e-6, msg=method
        )
        assert expected.any()
