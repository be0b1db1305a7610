import warnings

import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import GuidedExtensionWarning, guided_backpropagation
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import (
    RELU_SPELLINGS,
    Calling,
    Chain,
    GuidedReLU,
    SharedInput,
    SmallUNet,
    a_dense_net,
    guided_by_definition,
    plain_gradient,
    seeded,
    voxels,
)
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

ARCHITECTURES = {"chain": Chain, "ReLU's input shared": SharedInput, "U-Net, pool and concat": SmallUNet}


class TwoUnits(nn.Module):
    """score = 3 ReLU(2 x0 - x1) - 5 ReLU(x0 + x1): small enough for a pencil."""

    def __init__(self, act=torch.relu) -> None:
        super().__init__()
        self.act = act
        self.conv, self.head = nn.Conv3d(2, 2, 1, bias=False), nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([[2.0, -1.0], [1.0, 1.0]]).reshape(2, 2, 1, 1, 1))
            self.head.weight.copy_(torch.tensor([[3.0, -5.0]]))

    def forward(self, x):
        return self.head(self.act(self.conv(x)).sum((2, 3, 4)))


def test_guided_backpropagation_is_counted_by_hand():
    # Voxel 0: both units are active; the second one lowers the score, so only 3 * (2, -1) comes back.
    # Voxel 1: the first unit is off (2 * 0 - 1 < 0) and the second lowers the score: nothing comes back.
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0]]).reshape(1, 2, 1, 1, 2)
    guided = guided_backpropagation(TwoUnits(), x, 0)
    assert_close(guided, torch.tensor([[6.0, 0.0], [-3.0, 0.0]]).reshape(1, 2, 1, 1, 2))


@pytest.mark.parametrize("act", RELU_SPELLINGS.values(), ids=RELU_SPELLINGS.keys())
@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_every_spelling_of_relu_is_seen(architecture, act):
    network, x = seeded(architecture()), voxels(2, 2, 4, 4, 6)
    expected = guided_by_definition(network, x, 1)
    assert_close(guided_backpropagation(Calling(network, act), x, 1), expected, rtol=1e-10, atol=1e-14)
    assert not torch.allclose(expected, plain_gradient(network, x, 1))


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
@pytest.mark.parametrize("inplace", [False, True])
def test_relu_as_a_module_used_several_times(architecture, inplace):
    network, x = seeded(architecture(nn.ReLU(inplace=inplace))), voxels(1, 2, 4, 4, 4)
    assert_close(guided_backpropagation(network, x, 1), guided_by_definition(network, x, 1))


@pytest.mark.parametrize("act", RELU_SPELLINGS.values(), ids=RELU_SPELLINGS.keys())
def test_a_unit_at_exactly_zero_is_not_active(act):
    network, x = TwoUnits(act), torch.tensor([[1.0], [2.0]]).reshape(1, 2, 1, 1, 1)  # 2 * 1 - 2 = 0
    assert not guided_backpropagation(network, x, 0).any()


def test_a_chain_and_a_dense_net_agree_with_captum():
    captum = pytest.importorskip("captum.attr")
    chain = nn.Sequential(
        nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.Conv3d(4, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3)
    )
    for network, x in ((seeded(chain), voxels(2, 2, 4, 6, 6)), (a_dense_net(), voxels(2, 2, 16, 16, 16))):
        ours = guided_backpropagation(network, x, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # captum announces its hooks
            theirs = captum.GuidedBackprop(network).attribute(x.clone().requires_grad_(), target=1)
        assert_close(ours, theirs)
        assert not torch.allclose(ours, plain_gradient(network, x, 1))


def test_an_all_positive_network_gives_the_gradient():
    network, x = seeded(Chain(norm=nn.Identity())), voxels(1, 2, 4, 4, 4).abs()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    assert_close(guided_backpropagation(network, x, 1), plain_gradient(network, x, 1))


def test_below_the_first_rectifier_it_is_the_gradient_of_the_active_units_that_help():
    # Finite differences: the score with each unit's helpfulness frozen is linear near x.
    network, x = TwoUnits().double(), voxels(1, 2, 2, 2, 2)
    with torch.no_grad():
        helpful = network.head.weight[0].clamp(min=0)
    step, slow = 1e-6, torch.zeros_like(x)
    score = lambda image: (torch.relu(network.conv(image)).sum((2, 3, 4)) @ helpful).item()  # noqa: E731
    for index in range(x.numel()):
        up, down = x.clone(), x.clone()
        up.view(-1)[index] += step
        down.view(-1)[index] -= step
        slow.view(-1)[index] = (score(up) - score(down)) / (2 * step)
    assert_close(guided_backpropagation(network, x, 0), slow, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_it_is_positively_homogeneous_in_the_score(factor):
    network, x = seeded(SmallUNet()), voxels(1, 2, 4, 4, 4)
    scaled = guided_backpropagation(network, x, lambda logits: factor * logits[:, 2].sum())
    assert_close(scaled, factor * guided_backpropagation(network, x, 2))


def test_the_sign_of_the_score_matters():
    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4)
    against = guided_backpropagation(network, x, lambda logits: -logits[:, 2].sum())
    assert not torch.allclose(against, -guided_backpropagation(network, x, 2))


def test_the_targets_own_softmax_and_relu_are_left_alone():
    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4)
    target = lambda logits: torch.relu(logits.softmax(1)[:, 1] - 0.01).sum()  # noqa: E731
    leaf = network(x).detach().requires_grad_(True)
    (seed,) = torch.autograd.grad(target(leaf), leaf)
    copy = x.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(network(copy, GuidedReLU.apply), copy, seed)
    assert_close(guided_backpropagation(network, x, target), expected)


def test_a_batch_equals_its_elements():
    network, x = a_dense_net(), voxels(3, 2, 16, 16, 16)
    together = guided_backpropagation(network, x, 1)
    assert_close(together, torch.cat([guided_backpropagation(network, one, 1) for one in x.split(1)]))


def test_it_depends_weakly_on_the_weights_and_this_is_on_record():
    """Adebayo et al. 2018: the last layer's weights hardly matter. Recorded, so that nobody reads more into it."""
    x = voxels(1, 2, 16, 16, 16)
    network, changed = a_dense_net(), a_dense_net()
    with torch.no_grad():
        changed.class_layers.out.weight.copy_(voxels(*changed.class_layers.out.weight.shape, seed=5).abs())
        network.class_layers.out.weight.copy_(voxels(*changed.class_layers.out.weight.shape, seed=6).abs())
    maps = [guided_backpropagation(one, x, 1).flatten() for one in (network, changed)]
    assert not torch.equal(*maps)
    assert torch.corrcoef(torch.stack(maps))[0, 1] > 0.8


# Extensions: named, never silent


@pytest.mark.parametrize(
    ("act", "derivative", "name"),
    [
        pytest.param(nn.LeakyReLU(0.2), lambda a: torch.where(a > 0, 1.0, 0.2), "LeakyRelu", id="LeakyReLU"),
        pytest.param(
            nn.LeakyReLU(0.2, inplace=True), lambda a: torch.where(a > 0, 1.0, 0.2), "LeakyRelu", id="inplace"
        ),
        pytest.param(
            nn.PReLU(init=-0.3), lambda a: torch.where(a > 0, 1.0, -0.3), "PreluKernel", id="PReLU below zero"
        ),
        pytest.param(nn.ReLU6(), lambda a: ((a > 0) & (a < 6)).double(), "Hardtanh", id="ReLU6"),
    ],
)
def test_leaky_rectifiers_get_the_extension_and_a_warning(act, derivative, name):
    class Extended(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return act(a.clone())

        @staticmethod
        def backward(ctx, gradient):
            return gradient.clamp(min=0) * derivative(ctx.saved_tensors[0])

    network, x = seeded(Chain()), voxels(1, 2, 4, 4, 4) * 5
    act = act.double()
    leaf = x.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(network(leaf, Extended.apply)[:, 1].sum(), leaf)
    with pytest.warns(GuidedExtensionWarning, match=f"defined for ReLU; for {name} the extension"):
        guided = guided_backpropagation(Calling(network, act), x, 1)
    assert_close(guided, expected)


def test_plain_relu_gets_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        guided_backpropagation(a_dense_net(), voxels(1, 2, 16, 16, 16), 1)


# Refusals: never a plain gradient


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Relu(Swish):
    """Only named like the real one."""


def half_in_place(x):
    x[:, :2].relu_()
    return x


def zero_by_index(x):
    x[x < 0] = 0
    return x


@pytest.mark.parametrize(
    ("act", "words"),
    [
        pytest.param(nn.GELU(), "uses Gelu, which is neither a rectifier", id="GELU"),
        pytest.param(functional.silu, "uses Silu", id="SiLU"),
        pytest.param(nn.Mish(), "uses Mish", id="Mish"),
        pytest.param(nn.ELU(), "uses Elu", id="ELU"),
        pytest.param(torch.tanh, "uses Tanh", id="tanh"),
        pytest.param(nn.Softplus(), "uses Softplus", id="softplus"),
        pytest.param(nn.Hardtanh(), "uses Hardtanh", id="a hard tanh, cut on both sides of zero"),
        pytest.param(lambda x: x.clamp(min=0.1), "uses Clamp,", id="bent above zero"),
        pytest.param(lambda x: x.clamp(0, 5), "uses Clamp,", id="cut above"),
        pytest.param(lambda x: torch.maximum(x, x * 0), "uses Maximum", id="maximum"),
        pytest.param(lambda x: torch.where(x > 0, x, 0.0), "uses Where", id="where"),
        pytest.param(lambda x: x.masked_fill(x < 0, 0), "uses MaskedFill", id="masked fill"),
        pytest.param(lambda x: (x + x.abs()) / 2, "uses Abs", id="sum with the absolute value"),
        pytest.param(lambda x: x * (x > 0), r"multiplies by a tensor it computes itself \(Mul\)", id="own mask"),
        pytest.param(lambda x: x / (2 - (x > 0).double()), r"computes itself \(Div\)", id="own mask, divided"),
        pytest.param(lambda x: x * x, r"both depend on the input \(Mul\)", id="square by hand"),
        pytest.param(lambda x: 1 / (x.square() + 1), "uses (Pow|Reciprocal)", id="square by name"),
        pytest.param(lambda x: torch.ones_like(x) / (x + 9), "divides by a tensor that depends", id="division"),
        pytest.param(Swish.apply, "custom operation Swish", id="a custom function"),
        pytest.param(Relu.apply, "custom operation Relu", id="a custom function named like ReLU"),
        pytest.param(half_in_place, "uses torch::autograd::CopySlices", id="half of the channels, in place"),
        pytest.param(zero_by_index, "uses (IndexPut|MaskedFill|torch::autograd::CopySlices)", id="index in place"),
        pytest.param(
            lambda x: functional.dropout(x, 0.5, training=True), r"computes itself \(Mul\)", id="live dropout"
        ),
    ],
)
def test_an_activation_that_is_no_rectifier_is_refused(act, words):
    network = seeded(Chain())
    with pytest.raises(ECEError, match=f"Guided backpropagation does not apply: .*{words}.*Grad-CAM"):
        guided_backpropagation(Calling(network, act), voxels(1, 2, 4, 4, 4), 1)


def test_a_network_without_rectifier_is_refused():
    network = nn.Sequential(nn.Conv3d(2, 1, 1), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(ECEError, match=r"no rectifier \(ReLU\), and the result would be the plain gradient"):
        guided_backpropagation(network, torch.ones(1, 2, 2, 2, 2), 0)


def test_one_bad_activation_among_many_is_enough():
    network = nn.Sequential(nn.Conv3d(2, 4, 1), nn.ReLU(), nn.GELU(), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
    with pytest.raises(ECEError, match="uses Gelu"):
        guided_backpropagation(network, torch.ones(1, 2, 2, 2, 2), 0)


def test_a_dense_net_with_another_activation_is_refused():
    with pytest.raises(ECEError, match="uses Elu"):
        guided_backpropagation(a_dense_net(act=("elu", {"inplace": True})), voxels(1, 2, 16, 16, 16), 1)


def test_weights_that_scale_and_a_merged_constant_are_no_hidden_activation():
    class Scaled(Chain):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))
            self.register_buffer("offset", torch.ones(4, 1, 1, 1))

    class ScaledForward(Scaled):
        def forward(self, x, act=None):
            features = 2 * (act or self.act)(self.first(x)) * self.scale.view(1, -1, 1, 1, 1) / self.offset / 3
            return self.head((act or self.act)(self.second(features)).mean((2, 3, 4)))

    network, x = seeded(ScaledForward()), voxels(1, 2, 4, 4, 4)
    assert_close(guided_backpropagation(network, x, 0), guided_by_definition(network, x, 0))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        pytest.param(lambda x: (x, x), "gives a tuple, not one tensor", id="two outputs"),
        pytest.param(lambda x: x.detach().mean((2, 3, 4)), "no gradient with respect to its input", id="detached"),
    ],
)
def test_a_network_without_usable_logits_is_refused(network, words):
    class Wrapped(nn.Module):
        def forward(self, x):
            return network(x)

    with pytest.raises(ECEError, match=words):
        guided_backpropagation(Wrapped(), voxels(1, 2, 4, 4, 4), 1)


# Random graphs

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["relu", "conv", "norm", "add", "concat", "pool_up", "minus"]),
        st.sampled_from(list(RELU_SPELLINGS)),
        st.integers(0, 3),
    ),
    min_size=2,
    max_size=8,
)


class RandomGraph(nn.Module):
    """Executes a drawn programme; earlier tensors are reused, so that many have several consumers."""

    def __init__(self, steps) -> None:
        super().__init__()
        self.steps = steps
        self.convolutions = nn.ModuleList(nn.Conv3d(2, 2, 3, padding=1) for _ in steps)
        self.merges = nn.ModuleList(nn.Conv3d(4, 2, 1) for _ in steps)
        self.norm, self.head, self.relu = nn.BatchNorm3d(2), nn.Linear(2, 2), nn.ReLU()

    def forward(self, x, act=None):
        made = [self.convolutions[0](x)]
        for place, (step, spelling, back) in enumerate(self.steps):
            last, other = made[-1], made[-1 - back % len(made)]
            relu = act or RELU_SPELLINGS[spelling]
            made.append(
                {
                    "relu": lambda o=other, r=relu: r(o.clone()),  # a copy: in place, and others need the input
                    "conv": lambda n=last, p=place: self.convolutions[p](n),
                    "norm": lambda n=last: self.norm(n),
                    "add": lambda n=last, o=other: n + o,
                    "minus": lambda n=last, o=other: o - 2 * n,
                    "concat": lambda n=last, o=other, p=place: self.merges[p](torch.cat([n, o], 1)),
                    "pool_up": lambda n=last: functional.interpolate(functional.max_pool3d(n, 2), scale_factor=2),
                }[step]()
            )
        return self.head((act or self.relu)(sum(made)).mean((2, 3, 4)))


@given(STEPS, st.integers(0, 10**6))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_graphs_agree_with_the_definition(steps, seed):
    network, x = seeded(RandomGraph(steps), seed), voxels(1, 2, 4, 4, 4, seed=seed)
    expected = guided_by_definition(network, x, 1)
    assert_close(guided_backpropagation(network, x, 1), expected, rtol=1e-9, atol=1e-12 * (1 + expected.abs().max()))
