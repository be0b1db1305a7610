"""All methods for one lymph node: from the classifier's input to what is drawn, and what is said about them."""

import numpy as np
import pytest
import torch
from ece_core.cli.explain import guide
from ece_core.errors import ECEError
from ece_core.explain import METHODS, fit_hr_cam, fit_patterns
from ece_core.explain.lymph_node import explain_lymph_node
from ece_core.models.lymph_node_densenet import LymphNodeDenseNet
from ece_core.pipeline.explanation_guide import CAPSULE_REPAIR, GUIDES
from small_networks import voxels

FITTED = ("pattern-signal", "pattern-attribution", "hr-cam")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return LymphNodeDenseNet(3, 3, init_features=4, growth_rate=4, block_config=(1, 1)).eval()


@pytest.fixture(scope="module")
def block():
    rng = np.random.default_rng(1)
    block = rng.random((3, 8, 12, 12), np.float32)
    block[-1] = np.linspace(-1, 1, 12)
    return block


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    place = tmp_path_factory.mktemp("bundle")
    images = voxels(4, 3, 8, 12, 12).float()
    fit_patterns(network, [images]).save(place)
    truth = torch.tensor([0, 1, 2, 0])
    fit_hr_cam(network, ["norms.0", "norms.1"], [(images, truth)], 3, steps=3).save(place)
    return place


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_products_classifier_is_explained_by_every_method(network, block, folder, method):
    seen = np.ones(block.shape[1:], bool)
    seen[:, :, 9:] = False
    (heatmap,) = explain_lymph_node(network, block, 2, [method], "cpu", "norms.1", seen, folder).values()
    assert heatmap.shape == (8, 12, 12) and heatmap.dtype == np.float32
    assert heatmap.min() == 0 and heatmap.max() == 1
    assert not heatmap[:, :, 9:].any()


def test_signed_maps_are_kept_on_request(network, block):
    (signed,) = explain_lymph_node(network, block, 2, ["gradient-x-input"], "cpu", signed=True).values()
    assert signed.min() < 0 and np.abs(signed).max() == 1


@pytest.mark.parametrize("method", FITTED)
def test_what_must_be_fitted_says_so(network, block, method):
    with pytest.raises(ECEError, match="which this model does not have"):
        explain_lymph_node(network, block, 2, [method], "cpu")


def test_every_method_has_its_guide_and_the_command_shows_it():
    assert list(GUIDES) == [*METHODS, CAPSULE_REPAIR]
    shown = " ".join(guide().split())
    for name, each in GUIDES.items():
        assert f" {name} " in shown and f"Shows {each.shows}; cannot {each.cannot}." in shown
