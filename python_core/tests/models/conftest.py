"""Small bundles with random weights: the real code paths in milliseconds."""

import pytest
import torch
from ece_core.models.bundle import save_bundle
from ece_core.models.registry import build

CARD = {
    "name": "small", "version": "0.1", "labels": ["N", "P", "ENE"], "training_data": "none: random weights",
    "metrics": {}, "license": "Apache-2.0", "intended_use": "tests",
}  # fmt: skip
UNET = {
    "in_channels": 1, "out_channels": 4, "kernel_size": [3, 3, 3], "strides": [1, 2, 2],
    "upsample_kernel_size": [2, 2], "filters": [4, 8, 8], "norm_name": "batch",
}  # fmt: skip
DENSENET = {
    "in_channels": 3, "out_channels": 3, "init_features": 4, "growth_rate": 4, "block_config": [1, 1], "bn_size": 1,
}  # fmt: skip


def make_bundle(folder, task, architecture, arguments, inputs):
    torch.manual_seed(0)
    spec = {**CARD, "task": task, "architecture": architecture, "arguments": arguments, "input": inputs}
    save_bundle(folder, spec, build(architecture, arguments).eval(), half=False)
    return folder


@pytest.fixture
def a_segmentation_bundle(tmp_path):
    inputs = {"spacing_mm": 2.0, "window_hu": [-400, 400], "patch_size": [16, 16, 16], "tile_size": [16, 16, 16]}
    return make_bundle(tmp_path / "unet", "lymph_node_segmentation", "DynUNet", UNET, inputs)


@pytest.fixture
def a_classification_bundle(tmp_path):
    inputs = {
        "spacing_mm": [1.25, 0.75, 0.75], "windows_hu": [[-400, 400], [-150, 50]], "patch_size": [16, 24, 24],
        "margin_mm": 8.0,
    }  # fmt: skip
    return make_bundle(tmp_path / "densenet", "lymph_node_classification", "DenseNet", DENSENET, inputs)
