"""Zennit's maps, where it has the same rule: it follows modules, so every ReLU is one here, and no norm takes part."""

import sys
from types import ModuleType

import pytest
import torch
from ece_core.explain import explain
from ece_core.explain.lrp import EPSILON, GAMMA
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import seeded, voxels
from test_guided_backpropagation import STEPS, RandomGraph
from torch import nn
from torch.testing import assert_close

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def zennit():
    """Without torchvision, of which it imports two class names and whose wheel must fit torch's build."""
    stand_ins = {name: ModuleType(name) for name in ("torchvision", "torchvision.models", "torchvision.models.resnet")}
    for name in ("Bottleneck", "BasicBlock"):
        setattr(stand_ins["torchvision.models.resnet"], name, type(name, (nn.Module,), {}))
    with pytest.MonkeyPatch.context() as patch:
        for name, module in stand_ins.items():
            patch.setitem(sys.modules, name, module)
        yield pytest.importorskip("zennit", exc_type=ImportError)


def theirs(composite, network, x, target):
    from zennit.attribution import Gradient

    def score(logits):
        one = torch.zeros_like(logits)
        one[0, target] = logits[0, target].detach()
        return one

    with Gradient(model=network, composite=composite, attr_output=score) as attributor:
        return attributor(x.clone())[1].detach()


def gradient_of_theirs(composite, network, x, target):
    from zennit.attribution import Gradient

    one = torch.zeros_like(network(x)).detach()
    one[0, target] = 1
    with Gradient(model=network, composite=composite) as attributor:
        return attributor(x.clone(), one)[1].detach()


class WithModules(nn.Module):
    """A random graph whose every ReLU is a module of its own."""

    def __init__(self, steps) -> None:
        super().__init__()
        self.graph = RandomGraph(steps)
        self.rectifiers = nn.ModuleList(nn.ReLU() for _ in range(len(steps) + 1))

    def forward(self, x):
        unused = iter(self.rectifiers)
        return self.graph(x, lambda value: next(unused)(value))


@pytest.mark.parametrize(("method", "composite"), [("guided-backprop", "GuidedBackprop"), ("deconvnet", "DeconvNet")])
@given(steps=STEPS, seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_random_graphs_agree(zennit, method, composite, steps, seed):
    from zennit import composites

    network, x = seeded(WithModules(steps), seed), voxels(1, 2, 4, 4, 4, seed=seed)
    expected = gradient_of_theirs(getattr(composites, composite)(), network, x, 1)
    scale = 1e-12 * (1 + expected.abs().max())
    assert_close(explain(network, x, 1, method), expected, rtol=1e-9, atol=float(scale))


class UNet(nn.Module):
    """Layers that all of zennit's rules know: a pool and a skip connection from one tensor, joined again."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.bottom = nn.Conv3d(2, 4, 3, padding=1), nn.Conv3d(4, 4, 3, padding=1)
        self.join, self.head = nn.Conv3d(8, 4, 3, padding=1), nn.Linear(4 * 4**3, 3)
        self.pool, self.up = nn.MaxPool3d(2), nn.Upsample(scale_factor=2)
        self.rectifiers = nn.ModuleList(nn.ReLU() for _ in range(3))

    def forward(self, x):
        skip = self.rectifiers[0](self.down(x))
        deep = self.up(self.rectifiers[1](self.bottom(self.pool(skip))))
        return self.head(self.rectifiers[2](self.join(torch.cat([deep, skip], 1))).flatten(1))


def composite_of(rules):
    """The rule set by the same name; where ours leaves the bias out, theirs is told to."""
    from zennit import rules as theirs
    from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
    from zennit.types import Activation, Convolution, Linear

    known = {
        "epsilon": theirs.Epsilon(EPSILON),
        "zplus": theirs.ZPlus(EPSILON, zero_params="bias"),
        "gamma": theirs.Gamma(GAMMA, EPSILON),
        "alpha2beta1": theirs.AlphaBeta(2.0, 1.0, EPSILON, zero_params="bias"),
        "flat": theirs.Flat(EPSILON, zero_params="bias"),
    }
    if rules == "epsilon-plus-flat":
        layers = [(Activation, theirs.Pass()), (Convolution, known["zplus"]), (nn.Linear, known["epsilon"])]
        return SpecialFirstLayerMapComposite(layers, [(Linear, known["flat"])])
    return LayerMapComposite([(Activation, theirs.Pass()), (Linear, known[rules])])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rules", ["zplus", "epsilon", "gamma", "alpha2beta1", "epsilon-plus-flat"])
def test_lrp_agrees_on_a_small_u_net(zennit, rules, seed):
    network, x = seeded(UNet(), seed), voxels(1, 2, 4, 4, 4, seed=seed)
    expected = theirs(composite_of(rules), network, x, 1)
    assert expected.any()
    assert_close(explain(network, x, 1, "lrp-" + rules), expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))
