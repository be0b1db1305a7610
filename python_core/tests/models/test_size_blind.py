"""The second look at a lymph node does not see how large it is; both kinds of network have it and mark signs."""

import numpy as np
import pytest
import torch
from ece_core.explain.classifier import explain_classifier
from ece_core.models.lymph_node_swin import _padded
from ece_core.models.registry import build
from ece_core.models.size_blind import SizeBlind, equally_large

SPACING_MM = (1.25, 0.75, 0.75)
BLIND = {"spacing_mm": SPACING_MM, "edge": 16, "init_features": 4, "growth_rate": 4, "block_config": [2, 2]}
DENSE = {"init_features": 4, "growth_rate": 4, "block_config": [2, 2, 2], "hidden": 8}
SWIN = {"feature_size": 6, "depths": [1, 1, 1, 1], "heads": [1, 1, 2, 2], "window": 2, "hidden": 8}


def an_ellipsoid(radius_mm, shape=(40, 64, 64), aside=0.0):
    """(1, 2, k, j, i): a smooth image that scales with the ellipsoid, and the distance to its surface."""
    axes = [(torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * mm for n, mm in zip(shape, SPACING_MM, strict=True)]
    k, j, i = torch.meshgrid(*axes, indexing="ij")
    i = i - aside
    relative = torch.sqrt(k**2 + (j / 0.8) ** 2 + (i / 0.6) ** 2) / radius_mm
    image = torch.exp(-(relative**2)) * (1 + 0.3 * torch.sin(3 * i / radius_mm))
    return torch.stack((image, ((relative - 1) * radius_mm / 8).clamp(-1, 1)))[None].float()


def test_a_lymph_node_twice_as_large_looks_the_same():
    small, large = (equally_large(an_ellipsoid(radius), SPACING_MM, 24) for radius in (8.0, 16.0))
    assert small.shape == (1, 2, 24, 24, 24)
    as_they_are = (an_ellipsoid(8.0) - an_ellipsoid(16.0))[..., 8:32, 20:44, 20:44].abs().mean((0, 2, 3, 4))
    assert (small[:, 0] - large[:, 0]).abs().mean() < 0.03 < 0.1 < as_they_are[0]  # a voxel of the smaller one, at most
    assert (small[:, 1] - large[:, 1]).abs().mean() < 0.05
    assert float(large[:, 1].mean()) == pytest.approx(np.pi / 6 * 0.8 * 0.6 / 1.4**3, abs=0.02)


def test_it_is_in_the_middle_wherever_it_lies_in_the_block():
    middle, aside = (equally_large(an_ellipsoid(8.0, aside=mm), SPACING_MM, 24) for mm in (0.0, 6.0))
    assert (middle - aside).abs().mean() < 0.01


def test_proportions_are_kept():
    inside = equally_large(an_ellipsoid(12.0), SPACING_MM, 32)[0, 1] > 0.5
    extents = [int(inside.any(dim=d1).any(dim=d2).sum()) for d1, d2 in ((1, 1), (0, 1), (0, 0))]
    assert extents[0] == pytest.approx(32 / 1.4, abs=1.5)
    assert extents[1] / extents[0] == pytest.approx(0.8, abs=0.08)
    assert extents[2] / extents[0] == pytest.approx(0.6, abs=0.08)


def test_without_an_inside_the_whole_block_is_shown():
    shown = equally_large(torch.ones(2, 2, 8, 8, 8), (1.0, 1.0, 1.0), 8)
    assert torch.isfinite(shown).all() and shown[:, 1].max() == 0 and shown[:, 0].max() == pytest.approx(1)


def test_how_deep_the_distance_reaches_is_not_seen():
    torch.manual_seed(0)
    network, block = SizeBlind(2, **BLIND).eval(), an_ellipsoid(8.0, (24, 32, 32))
    deeper = torch.cat((block[:, :1], torch.where(block[:, 1:] < 0, block[:, 1:] * 3, block[:, 1:])), dim=1)
    for one, other in zip(network(block), network(deeper), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("name", "arguments"), [("LymphNodeDenseNet", DENSE), ("LymphNodeSwin", SWIN)])
def test_both_networks_take_both_looks_and_mark_signs_at_half_the_resolution(name, arguments):
    torch.manual_seed(0)
    block = torch.cat((an_ellipsoid(6.0, (16, 24, 40)),) * 2)
    for size_blind in (None, BLIND):
        network = build(name, {"in_channels": 2, "out_channels": 3, "size_blind": size_blind, **arguments}).eval()
        logits, signs = network.logits_and_signs(block)
        assert logits.shape == (2, 3) and signs.shape == (2, 1, 8, 12, 20)
        logits.sum().backward()
        assert all(weight.grad is not None for weight in network.parameters())


def test_what_is_added_around_a_block_is_far_from_the_lymph_node():
    padded = _padded(torch.zeros(1, 3, 16, 40, 32))
    assert padded.shape == (1, 3, 32, 64, 32)
    assert padded[:, :2].max() == 0 and padded[:, 2, 16:].min() == 1 and padded[:, 2, :16, :40].max() == 0


def test_a_network_with_both_looks_can_be_explained():
    network = build("LymphNodeDenseNet", {"in_channels": 2, "out_channels": 3, "size_blind": BLIND, **DENSE}).eval()
    maps = explain_classifier(network, an_ellipsoid(6.0, (16, 16, 16)), 2, ["gradcam", "guided-backprop"], "norms.1")
    assert all(torch.isfinite(each).all() for each in maps.values())
