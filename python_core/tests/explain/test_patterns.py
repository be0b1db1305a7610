"""PatternNet and PatternAttribution: patterns by loops over patches, maps by matrices, and what they must recover."""

import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import Patterns, Settings, explain, fit_patterns
from small_networks import Chain, SharedInput, matrix_of, seeded, voxels
from torch import nn
from torch.testing import assert_close

pytestmark = pytest.mark.slow

IMAGES = [voxels(2, 2, 4, 4, 4, seed=n) for n in range(3)]
X = voxels(1, 2, 4, 4, 4)


def test_the_pattern_is_the_signal_and_not_the_weight():
    # x = a s + d e with w = (1, -1): w takes out the distractor d, and so shows it, too. The pattern is a / (w . a).
    generator = torch.Generator().manual_seed(1)
    s, e = torch.randn(2, 4000, generator=generator, dtype=torch.float64)
    a, d = torch.tensor([3.0, 1.0]).double(), torch.tensor([2.0, 2.0]).double()
    network = nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, -1.0]]))
    x = (a[:, None] * s + d[:, None] * e).T.reshape(4000, 2, 1, 1)
    patterns = fit_patterns(nn.Sequential(nn.Flatten(), network), [x[:2000], x[2000:]])
    assert_close(patterns.tensors[0].flatten(), a / 2, rtol=0.1, atol=0.05)
    assert_close((patterns.tensors[0].flatten() * network.weight.flatten()).sum().detach(), torch.tensor(1.0).double())


def patches_of(image, size):
    """Every patch that a convolution with zero padding sees, one after the other."""
    padded = nn.functional.pad(image, [size // 2] * 6)
    for k in range(image.shape[2]):
        for j in range(image.shape[3]):
            for i in range(image.shape[4]):
                yield padded[:, :, k : k + size, j : j + size, i : i + size].flatten(1)


def pattern_by_formula(weight, x, y, is_open):
    """x (places, inputs), y and is_open (places,): the two-component estimator for one unit."""
    x, y = x[is_open], y[is_open]
    covariance = (x * y[:, None]).mean(0) - x.mean(0) * y.mean()
    return covariance / (weight.flatten() @ covariance)


def test_patterns_of_a_network_are_their_formula():
    network = seeded(Chain(nn.ReLU(inplace=True)))
    patterns = fit_patterns(network, IMAGES)
    image = torch.cat(IMAGES)
    with torch.no_grad():
        a = network.first(image)
        b = network.norm(a)
        c = network.second(b.relu())
        pooled = c.relu().mean((2, 3, 4))
        logits = network.head(pooled)
    for number, (layer, given, y, after) in enumerate([(network.first, image, a, b), (network.second, b.relu(), c, c)]):
        x = torch.stack(list(patches_of(given, 3)), dim=1).flatten(0, 1)
        for unit in range(4):
            is_open = after[:, unit].flatten() > 0
            slow = pattern_by_formula(layer.weight[unit].detach(), x, y[:, unit].flatten(), is_open)
            assert_close(patterns.tensors[number][unit].flatten(), slow, rtol=1e-6, atol=1e-9)
    for unit in range(3):  # no rectifier follows: over all images
        everywhere = torch.ones(len(image), dtype=torch.bool)
        slow = pattern_by_formula(network.head.weight[unit].detach(), pooled, logits[:, unit], everywhere)
        assert_close(patterns.tensors[2][:, unit], slow, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["pattern-signal", "pattern-attribution"])
def test_the_maps_are_their_formula(method):
    network = seeded(Chain())
    patterns = fit_patterns(network, IMAGES)
    a = network.first(X)
    b = network.norm(a)
    c = network.second(b.relu())
    scale = (network.norm.weight / (network.norm.running_var + network.norm.eps).sqrt()).repeat_interleave(64)
    weights = []
    for layer, given, pattern in [
        (network.first, X, patterns.tensors[0]),
        (network.second, b.relu(), patterns.tensors[1]),
        (network.head, c.mean((2, 3, 4)), patterns.tensors[2].T),
    ]:
        plain = layer.weight.detach().clone()
        with torch.no_grad():
            layer.weight.copy_(pattern if method == "pattern-signal" else plain * pattern)
            weights.append(matrix_of(layer, given))
            layer.weight.copy_(plain)
    score = network(X)[0, 1]
    back = weights[2][1] * score
    back = back @ matrix_of(lambda maps: maps.mean((2, 3, 4)), c)
    back = (back * (c.flatten() > 0)) @ weights[1]
    back = back * (b.flatten() > 0) * (1 / scale if method == "pattern-signal" else 1)
    expected = (back @ weights[0]).reshape(X.shape)
    assert_close(explain(network, X, 1, method, Settings(patterns=patterns)), expected.detach())


def test_patterns_are_kept_with_the_network_they_are_of(tmp_path):
    network = seeded(SharedInput())
    patterns = fit_patterns(network, IMAGES)
    assert Patterns.load(tmp_path) is None
    assert patterns.save(tmp_path).name == "patterns.safetensors"
    again = Patterns.load(tmp_path)
    assert again.weights_sha256 == patterns.weights_sha256
    for one, other in zip(again.tensors, patterns.tensors, strict=True):
        assert torch.equal(one, other)
    explain(network, X, 1, "pattern-signal", Settings(patterns=again))
    with pytest.raises(ECEError, match=r"fitted on another network\. Fit them again"):
        explain(seeded(SharedInput(), seed=2), X, 1, "pattern-signal", Settings(patterns=again))
    (tmp_path / "patterns.safetensors").write_bytes(b"no")
    with pytest.raises(ECEError, match="patterns cannot be read"):
        Patterns.load(tmp_path)


def test_without_patterns_or_images_it_is_refused():
    with pytest.raises(ECEError, match="needs patterns, which this model does not have.*Fit them"):
        explain(seeded(Chain()), X, 1, "pattern-attribution")
    with pytest.raises(ECEError, match="need images"):
        fit_patterns(seeded(Chain()), [])
    with pytest.raises(ECEError, match="PatternNet does not apply: the network uses gelu"):
        fit_patterns(seeded(Chain(nn.GELU())), IMAGES)
