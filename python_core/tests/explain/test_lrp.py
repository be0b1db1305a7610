"""LRP against its formulas: every layer as a matrix, every rule a few lines over contributions x_i w_ji."""

import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import explain
from ece_core.explain.lrp import EPSILON, GAMMA, RULE_SETS
from small_networks import Chain, SharedInput, SmallUNet, matrix_of, seeded, voxels
from test_deep_lift import Attention, Gate
from torch import nn
from torch.testing import assert_close

X = voxels(1, 2, 4, 4, 4)


def away_from_zero(z):
    return torch.where(z < 0, z - EPSILON, z + EPSILON)


def in_parts_of(parts, relevance, offset=0.0):
    return (parts * (relevance / away_from_zero(parts.sum(1) + offset))[:, None]).sum(0)


def epsilon(parts, bias, relevance, weight):
    return in_parts_of(parts, relevance, bias)


def zplus(parts, bias, relevance, weight):
    return in_parts_of(parts.clamp(min=0), relevance)


def alpha2beta1(parts, bias, relevance, weight):
    given = torch.zeros(parts.shape[1], dtype=parts.dtype)
    for row, one in zip(parts, relevance, strict=True):
        p, n = row.clamp(min=0), row.clamp(max=0)
        alpha, beta = (2, 1) if p.sum() > 0 and n.sum() < 0 else (1, 0) if p.sum() > 0 else (0, -1)
        given += alpha * p * one / (p.sum() + EPSILON) - beta * n * one / (n.sum() - EPSILON)
    return given


def gamma(parts, bias, relevance, weight):
    given = torch.zeros(parts.shape[1], dtype=parts.dtype)
    for row, b, one in zip(parts, bias, relevance, strict=True):
        sign = 1 if row.sum() + b >= 0 else -1
        favored = row + GAMMA * (row * sign).clamp(min=0) * sign
        total = favored.sum() + b + GAMMA * max(float(b) * sign, 0) * sign
        given += favored * one / away_from_zero(total)
    return given


def flat(parts, bias, relevance, weight):
    seen = (weight != 0).to(parts.dtype)
    return in_parts_of(seen, relevance)


RULES = {
    "zplus": (zplus, zplus, zplus),
    "epsilon": (epsilon, epsilon, epsilon),
    "gamma": (gamma, gamma, gamma),
    "alpha2beta1": (alpha2beta1, alpha2beta1, alpha2beta1),
    "epsilon-plus-flat": (flat, zplus, epsilon),
}


def through(layer, x, relevance, rule):
    weight = matrix_of(layer, x)
    bias = layer(torch.zeros_like(x)).flatten().detach()
    return rule(weight * x.flatten(), bias, relevance, weight)


def through_average(layer, x, relevance, signed):
    parts = matrix_of(layer, x) * x.flatten()
    if signed:
        return in_parts_of(parts, relevance)
    own = torch.where(parts.sum(1) >= 0, 1.0, -1.0)[:, None]
    return in_parts_of((parts * own).clamp(min=0) * own, relevance)


def through_norm(norm, x, relevance, signed):
    if not signed:
        return relevance
    y = norm(x)
    if isinstance(norm, nn.GroupNorm):
        grouped = x.reshape(norm.num_groups, -1)
        scale = (grouped.var(1, unbiased=False) + norm.eps).rsqrt()
        scale = scale.repeat_interleave(x.shape[1] // norm.num_groups) * norm.weight
    else:
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    part = scale.reshape(1, -1, 1, 1, 1) * x
    return (part / away_from_zero(y)).flatten() * relevance


def chain_by_formula(network, x, target, rules):
    first, convolution, dense = RULES[rules]
    signed = rules == "epsilon"
    a = network.first(x)
    b = network.norm(a).relu()
    c = network.second(b).relu()
    pooled = c.mean((2, 3, 4))
    logits = network.head(pooled)
    relevance = torch.zeros_like(logits).flatten()
    relevance[target] = logits[0, target]
    relevance = through(network.head, pooled, relevance, dense)
    relevance = through_average(lambda maps: maps.mean((2, 3, 4)), c, relevance, signed)
    relevance = through(network.second, b, relevance, convolution)
    relevance = through_norm(network.norm, a, relevance, signed)
    return through(network.first, x, relevance, first).reshape(x.shape)


def unet_by_formula(network, x, target, rules):
    first, convolution, dense = RULES[rules]
    signed = rules == "epsilon"
    a = network.down(x).relu()
    skip = network.norm(a)
    low = network.pool(skip)
    b = network.bottom(low).relu()
    joined = torch.cat([network.up(b), skip], 1)
    c = network.join(joined).relu()
    pooled = c.mean((2, 3, 4))
    logits = network.head(pooled)
    relevance = torch.zeros_like(logits).flatten()
    relevance[target] = logits[0, target]
    relevance = through(network.head, pooled, relevance, dense)
    relevance = through_average(lambda maps: maps.mean((2, 3, 4)), c, relevance, signed)
    relevance = through(network.join, joined, relevance, convolution)
    to_deep, to_skip = relevance[: skip.numel()], relevance[skip.numel() :].clone()
    to_low = through(network.bottom, low, through_average(network.up, b, to_deep, signed), convolution)
    voxels_of_skip = skip[0, 0].numel()
    _, places = nn.functional.max_pool3d(skip, 2, return_indices=True)  # all to the maximum of each window
    for number, place in enumerate(places.flatten().tolist()):
        channel = number // low[0, 0].numel()
        to_skip[channel * voxels_of_skip + place] += to_low[number]
    return through(network.down, x, through_norm(network.norm, a, to_skip, signed), first).reshape(x.shape)


@pytest.mark.slow
@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize(
    ("network", "slow"),
    [
        pytest.param(Chain(nn.ReLU(inplace=True)), chain_by_formula, id="chain with batch norm"),
        pytest.param(SmallUNet(nn.ReLU(inplace=True)), unet_by_formula, id="U-Net with group norm, pool and concat"),
    ],
)
def test_lrp_is_its_formula(network, slow, rules):
    network = seeded(network)
    with torch.no_grad():
        expected = slow(network, X, 1, rules)
    assert_close(explain(network, X, 1, "lrp-" + rules), expected, rtol=1e-6, atol=1e-9)
    assert expected.any()


def without_bias(network):
    network = seeded(network)
    with torch.no_grad():
        for module in network.modules():
            if getattr(module, "bias", None) is not None:
                module.bias.zero_()
            if isinstance(module, nn.BatchNorm3d):
                module.running_mean.zero_()
    return network


@pytest.mark.parametrize("rules", RULE_SETS)
@pytest.mark.parametrize("architecture", [Chain, SharedInput, SmallUNet])
def test_relevance_is_conserved_without_bias(architecture, rules):
    network = without_bias(architecture())
    if rules == "epsilon" and architecture is SmallUNet:
        network.norm = nn.Identity()  # its mean acts as a bias, which a signed rule pays
    # Of this class the head has weights of both signs, so that no unit is left without positive parts.
    relevance = explain(network, X, 1, "lrp-" + rules)
    assert_close(relevance.sum(), network(X)[0, 1].detach(), rtol=5e-3, atol=1e-4)


@pytest.mark.parametrize("architecture", [Chain, SharedInput])
def test_the_epsilon_rule_without_bias_is_gradient_x_input(architecture):
    network = without_bias(architecture())
    found, expected = (explain(network, X, 1, method) for method in ("lrp-epsilon", "gradient-x-input"))
    assert_close(found, expected, rtol=1e-2, atol=1e-4)


def test_zplus_suppresses_what_speaks_against():
    # score = ReLU(2 x0 - x1): at (3, 1) all of the 5 goes to voxel 0.
    network = nn.Sequential(nn.Conv3d(2, 1, 1, bias=False), nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1, 1))
    x = torch.tensor([3.0, 1.0]).reshape(1, 2, 1, 1, 1)
    assert_close(explain(network, x, 0, "lrp-zplus").flatten(), torch.tensor([5.0, 0.0]), rtol=1e-5, atol=1e-5)
    # alpha 2, beta 1: twice the 5 to voxel 0, minus the 5 to voxel 1, which it was -1 of -1.
    assert_close(explain(network, x, 0, "lrp-alpha2beta1").flatten(), torch.tensor([10.0, -5.0]), rtol=1e-4, atol=1e-4)
    assert_close(explain(network, x, 0, "lrp-epsilon").flatten(), torch.tensor([6.0, -1.0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        pytest.param(Gate(), r"LRP does not apply: the network .*sigmoid", id="a gate"),
        pytest.param(Attention(), "LRP does not apply: .*attention", id="attention"),
        pytest.param(Chain(nn.GELU()), "LRP does not apply: the network uses gelu, .*no rule", id="GELU"),
    ],
)
@pytest.mark.parametrize("rules", ["zplus", "epsilon"])
def test_what_lrp_has_no_rule_for_is_refused(network, words, rules):
    with pytest.raises(ECEError, match=words):
        explain(seeded(network), X, 1, "lrp-" + rules)


class Plain(nn.Module):
    """What captum has rules for: every module used once."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv3d(2, 4, 3, padding=1), nn.Conv3d(4, 4, 1), nn.Linear(32, 3)
        self.act, self.pool, self.last = nn.ReLU(), nn.MaxPool3d(2), nn.ReLU()

    def forward(self, x):
        return self.head(self.last(self.second(self.pool(self.act(self.first(x))))).flatten(1))


@pytest.mark.slow
def test_the_epsilon_rule_agrees_with_captum_on_a_chain():
    captum = pytest.importorskip("captum.attr")
    rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    network = seeded(Plain())
    ours = explain(network, X, 1, "lrp-epsilon")
    for layer in (network.first, network.second, network.head):
        layer.rule = rules.EpsilonRule(epsilon=EPSILON)
    theirs = captum.LRP(network).attribute(X.clone(), target=1)
    assert_close(ours, theirs.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rule"), [("zplus", "Alpha1_Beta0_Rule"), ("gamma", "GammaRule")])
def test_two_more_rules_agree_with_captum_where_they_mean_the_same(name, rule):
    """No bias (captum gives it another share), no negative voxel, and a class whose score is positive."""
    captum = pytest.importorskip("captum.attr")
    rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    network, image, target = without_bias(Plain()), X.abs(), 2
    assert network(image)[0, target] > 0
    ours = explain(network, image, target, "lrp-" + name)
    for layer in (network.first, network.second, network.head):
        layer.rule = getattr(rules, rule)(**({"gamma": GAMMA} if name == "gamma" else {}))
    theirs = captum.LRP(network).attribute(image.clone(), target=target).detach()
    assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert ours.any()
