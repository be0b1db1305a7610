"""The sum over all voxels: equal to one explanation per voxel for every method, and estimates that know their error."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ece_core.errors import ECEError
from ece_core.explain import METHODS, Blocks, Sample, Settings, Voxels, explain, explain_voxels, fit_patterns
from ece_core.explain.accumulation import compact_parts, correlation_of
from ece_core.explain.class_activation import averaged
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from small_networks import SmallSegmentation, assert_same_state, plain_gradient, seeded, state_of, voxels
from torch.testing import assert_close

pytestmark = pytest.mark.slow

X = voxels(1, 2, 4, 4, 4)
MASK = voxels(4, 4, 4, seed=4) > 1.0
BASELINE = 0.3 * voxels(1, 2, 4, 4, 4, seed=3)
LINEAR = [name for name, method in METHODS.items() if method.is_linear and name != "hr-cam"]
OTHERS = [name for name, method in METHODS.items() if not method.is_linear]


@pytest.fixture(scope="module")
def network():
    return seeded(SmallSegmentation())


@pytest.fixture(scope="module")
def settings(network):
    patterns = fit_patterns(network, [voxels(2, 2, 4, 4, 4, seed=n) for n in range(2)])
    return Settings(layer="bottom", baseline=BASELINE, steps=4, tolerance=9.0, samples=2, patterns=patterns)


def one_by_one(network, method, settings, mask=MASK):
    """Each voxel explained on its own, from a forward pass of its own."""
    total = 0
    for k, j, i in mask.nonzero().tolist():
        total = total + explain(network, X, lambda logits, at=(k, j, i): logits[(0, 1, *at)], method, settings)
    return total


@pytest.mark.parametrize("method", LINEAR)
def test_one_pass_is_the_sum_where_the_method_is_linear(network, settings, method):
    found = explain_voxels(network, X, Voxels(MASK, 1), method, settings)
    assert (found.way, found.passes, found.voxels) == ("one pass", 1, int(MASK.sum()))
    assert found.is_exact and found.correlation == 1.0
    assert_close(found.map, one_by_one(network, method, settings), rtol=1e-8, atol=1e-10)
    assert found.map.any()


@pytest.mark.parametrize("method", OTHERS)
def test_every_voxel_is_done_where_it_is_not(network, settings, method):
    found = explain_voxels(network, X, Voxels(MASK, 1), method, settings)
    assert found.is_exact and found.way == ("every channel" if method == "gradcam" else "every voxel")
    expected = one_by_one(network, method, settings)
    assert_close(found.map, expected, rtol=1e-8, atol=1e-10)
    assert_close(explain(network, X, Voxels(MASK, 1), method, settings), expected, rtol=1e-8, atol=1e-10)
    at_once = explain(network, X, lambda logits: logits[0, 1][MASK].sum(), method, settings)
    assert not torch.allclose(at_once, expected, rtol=1e-3), "sum first, then backward, is another map"


@pytest.mark.parametrize("layer", ["down", "bottom", "pool"])
def test_grad_cam_by_channels_is_grad_cam_by_voxels(network, layer):
    settings = Settings(layer=layer)
    many, few = MASK, MASK & (torch.arange(4) < 1)
    assert few.sum() < 4 < many.sum()
    for mask, way in ((many, "every channel"), (few, "every voxel")):
        found = explain_voxels(network, X, Voxels(mask, 1), "gradcam", settings)
        assert found.way == way
        assert found.passes == (min(int(mask.sum()), 6 if layer == "bottom" else 4))
        assert_close(found.map, one_by_one(network, "gradcam", settings, mask))


def test_grad_cam_of_several_layers_is_accumulated_layer_by_layer(network):
    names = ["bottom", "join"]
    cams = [explain_voxels(network, X, Voxels(MASK, 1), "gradcam", Settings(layer=name)).map for name in names]
    found = explain_voxels(network, X, Voxels(MASK, 1), "gradcam", Settings(layer="bottleneck+decoder"))
    assert_close(found.map, averaged(cams))


def test_the_network_is_left_as_found(network):
    network.train()
    before = state_of(network)
    explain_voxels(network, X, Voxels(MASK, 1), "gradcam", Settings(layer="bottom"))
    explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop")
    assert_same_state(before, state_of(network))
    network.eval()


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("way", [None, Blocks(2), Sample(5)], ids=["exact", "blocks", "sample"])
def test_several_voxels_at_once_are_the_same_as_one_by_one(network, settings, method, way):
    """As on a GPU: a copy of the image for each voxel of a pass; 4 does not divide the voxels evenly."""
    voxels_of_class = Voxels(MASK, 1)
    one, several = (
        explain_voxels(network, X, voxels_of_class, method, replace(settings, at_once=n), way) for n in (1, 4)
    )
    assert int(MASK.sum()) % 4, "the last pass is not full"
    assert_close(several.map, one.map, rtol=1e-9, atol=1e-12)
    assert several.correlation == pytest.approx(one.correlation, abs=1e-9)
    assert several.voxels == one.voxels and (several.passes < one.passes or one.way == "every channel")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("method", OTHERS)
def test_a_gpu_gives_the_same_sum(network, settings, method):
    on_cpu = explain_voxels(network, X, Voxels(MASK, 1), method, settings)
    on_gpu = explain_voxels(network.cuda(), X.cuda(), Voxels(MASK.cuda(), 1), method, settings)
    network.cpu()
    assert_close(on_gpu.map.cpu(), on_cpu.map, rtol=1e-7, atol=1e-9)
    assert on_gpu.passes < on_cpu.passes or on_cpu.way == "every channel"


def test_two_images_are_refused_whatever_is_done_at_once(network, settings):
    with pytest.raises(ECEError, match="Give one image"):
        explain_voxels(network, X.repeat(2, 1, 1, 1, 1), Voxels(MASK, 1), "saliency", replace(settings, at_once=4))


# Estimates


def test_a_sample_of_all_voxels_is_exact(network):
    exact = explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop")
    assert_close(explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop", way=Sample(10**6)).map, exact.map)


@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=6)).filter(np.any), st.data())
def test_compact_parts_share_the_places_out(mask, data):
    places = torch.from_numpy(np.argwhere(mask))
    number = data.draw(st.integers(1, len(places)))
    parts = compact_parts(places, number)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(len(places))), "each place once"
    assert len(parts) == number
    sizes = [len(part) for part in parts]
    assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 2


def test_compact_parts_of_a_bar_are_its_pieces_in_turn():
    bar = torch.tensor([[0, 0, i] for i in range(12)])
    assert [part.tolist() for part in compact_parts(bar, 4)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_one_voxel_says_nothing_of_its_error(network):
    assert explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop", way=Sample(1)).correlation == 0


def test_a_sample_knows_how_far_off_it_is():
    network, everything = seeded(SmallSegmentation()), Voxels(torch.ones(8, 8, 8, dtype=torch.bool), 1)
    image = voxels(1, 2, 8, 8, 8)
    exact = explain_voxels(network, image, everything, "guided-backprop").map
    said, measured = [], []
    for seed in range(8):
        found = explain_voxels(network, image, everything, "guided-backprop", way=Sample(100, seed))
        assert (found.way, found.passes, found.voxels, found.is_exact) == ("sample", 100, 512, False)
        said.append(found.correlation)
        measured.append(correlation_of(found.map, exact))
    said, measured = torch.tensor(said), torch.tensor(measured)
    assert -0.05 < float(said.mean() - measured.mean()) < 0.01, "rather too low than too high"
    assert float((said - measured).abs().max()) < 0.1
    few = explain_voxels(network, image, everything, "guided-backprop", way=Sample(12))
    assert few.correlation < float(said.mean()), "fewer voxels, less certain"


def test_a_sample_is_free_of_bias(network):
    exact = explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop").map
    samples = [explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop", way=Sample(4, n)).map for n in range(40)]
    assert correlation_of(torch.stack(samples).mean(0), exact) > 0.97
    assert min(correlation_of(one, exact) for one in samples) < 0.97


def test_blocks_of_one_voxel_are_exact_and_larger_ones_are_measured(network):
    exact = explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop").map
    ones = explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop", way=Blocks(1))
    assert_close(ones.map, exact)
    assert ones.correlation == pytest.approx(1.0)
    all_checked = explain_voxels(network, X, Voxels(MASK, 1), "guided-backprop", way=Blocks(2, checked=8))
    assert all_checked.way == "blocks" and not all_checked.is_exact
    assert all_checked.correlation == pytest.approx(correlation_of(all_checked.map, exact), abs=1e-12)
    assert all_checked.correlation < 1 - 1e-4
    blocks = {(k // 2, j // 2, i // 2) for k, j, i in MASK.nonzero().tolist()}
    assert all_checked.passes == len(blocks) + int(MASK.sum())


def test_estimates_are_not_needed_where_one_pass_is_exact(network):
    found = explain_voxels(network, X, Voxels(MASK, 1), "gradient", way=Sample(2))
    assert found.is_exact and found.passes == 1
    summed = lambda image: network(image)[:, :, MASK].sum(-1)  # noqa: E731
    assert_close(found.map, plain_gradient(summed, X, 1))


# Voxels


def test_voxels_of_a_class_and_of_a_lymph_node(network):
    logits = network(X)
    predicted = Voxels.predicted(logits, 1)
    assert torch.equal(predicted.mask, logits[0].argmax(0) == 1)
    instances = torch.zeros(4, 4, 4, dtype=torch.int16)
    instances[1, 2, 3] = 7
    one = Voxels.of_lymph_node(instances, 7, 2)
    assert one.mask.sum() == 1 and one.mask[1, 2, 3] and one.class_index == 2
    expected = explain(network, X, lambda logits: logits[0, 2, 1, 2, 3], "saliency")
    assert_close(explain(network, X, one, "saliency"), expected)


@pytest.mark.parametrize(
    ("mask", "class_index", "words"),
    [
        pytest.param(torch.ones(4, 4, 5, dtype=torch.bool), 1, r"grid \(4, 4, 5\) were asked for", id="grid"),
        pytest.param(torch.zeros(4, 4, 4, dtype=torch.bool), 1, "No voxel is set", id="empty"),
        pytest.param(MASK, 3, "Class 3 was asked for, but the network has 3", id="class"),
    ],
)
@pytest.mark.parametrize("method", ["gradient", "gradcam", "guided-backprop"])
def test_voxels_that_do_not_fit_are_refused(network, mask, class_index, words, method):
    with pytest.raises(ECEError, match=words):
        explain_voxels(network, X, Voxels(mask, class_index), method, Settings(layer="bottom"))
