"""Our own network: folded it answers the same, and full resolution is a small part of its work."""

import pytest
import torch
from ece_core.models import load_bundle
from ece_core.models.bundle import save_bundle
from ece_core.models.folding import with_folded_norms
from ece_core.models.registry import build

CARD = {
    "name": "light", "version": "0.1", "labels": ["N", "P", "ENE"], "training_data": "none: random weights",
    "metrics": {}, "license": "Apache-2.0", "intended_use": "tests",
}  # fmt: skip
ARGUMENTS = {
    "in_channels": 1, "out_channels": 4, "features": [4, 16, 32], "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
    "kernel_sizes": [[3, 3, 3]] * 3,
}  # fmt: skip


@pytest.fixture
def a_network():
    """With statistics as training leaves them: not 0 and 1."""
    torch.manual_seed(0)
    network = build("LightUNet", ARGUMENTS)
    for _ in range(3):
        network(torch.randn(2, 1, 8, 8, 8) * 3 + 1)
    return network.eval()


def test_folded_it_answers_the_same_without_normalization(a_network):
    x = torch.randn(1, 1, 16, 16, 16)
    folded = with_folded_norms(a_network)
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), a_network(x), rtol=1e-4, atol=1e-5)
    kinds = [[type(module).__name__ for module in network.modules()] for network in (a_network, folded)]
    assert ("BatchNorm3d" in kinds[0], "BatchNorm3d" in kinds[1]) == (True, False), "and the network itself is kept"


def test_a_network_in_training_is_not_folded(a_network):
    with pytest.raises(ValueError, match="must be in eval mode"):
        with_folded_norms(a_network.train())


def test_a_network_that_cannot_fold_is_left_as_it_is():
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 1, 1), torch.nn.BatchNorm3d(1)).eval()
    assert with_folded_norms(network) is network


def test_a_bundle_is_folded_when_it_is_loaded_to_run_but_not_to_train_on(a_network, tmp_path):
    inputs = {"spacing_mm": 2.0, "window_hu": [-400, 400], "patch_size": [16] * 3, "tile_size": [16] * 3}
    card = {**CARD, "task": "lymph_node_segmentation", "architecture": "LightUNet", "arguments": ARGUMENTS}
    save_bundle(tmp_path / "light", {**card, "input": inputs}, a_network, half=False)
    x = torch.randn(1, 1, 8, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(load_bundle(tmp_path / "light").network(x), a_network(x), rtol=1e-4, atol=1e-5)
    state = load_bundle(tmp_path / "light", fold=False).network.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in a_network.state_dict().items())


def test_less_than_half_of_its_work_is_at_full_resolution(a_network):
    work = {}

    def count(module, inputs, output):
        voxels = output[0, 0].numel()
        work[voxels] = work.get(voxels, 0) + module.weight[0].numel() * output[0].numel()

    for module in a_network.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.register_forward_hook(count)
    a_network(torch.zeros(1, 1, 16, 16, 16))
    assert work[16**3] < sum(work.values()) / 2
