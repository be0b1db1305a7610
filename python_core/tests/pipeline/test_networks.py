"""The door to the real networks: tiny ones with random weights, so that only the plumbing is tested."""

import numpy as np
import pytest
from ece_core.errors import InputError, ModelError
from ece_core.export.result import read_result
from ece_core.models import save_bundle
from ece_core.models.registry import build
from ece_core.pipeline import AnalyzeOptions, analyze, networks
from fake_networks import a_neck_ct

CARD = {
    "version": "0.0.1",
    "labels": ["N", "P", "ENE"],
    "training_data": "None: random weights.",
    "metrics": {},
    "license": "Apache-2.0",
    "intended_use": "Tests.",
}
A_UNET = {
    "in_channels": 1,
    "out_channels": 4,
    "kernel_size": [3, 3, 3],
    "strides": [1, 2, 2],
    "upsample_kernel_size": [2, 2],
    "filters": [4, 8, 8],
}
A_DENSENET = {"in_channels": 3, "out_channels": 3, "init_features": 4, "growth_rate": 4, "block_config": [1, 1]}


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    window = {"window_hu": [-400, 400]}
    unet = {"architecture": "DynUNet", "arguments": A_UNET, "name": "tiny_unet", "task": networks.SEGMENTATION}
    densenet = {
        "architecture": "DenseNet", "arguments": A_DENSENET, "name": "tiny_densenet", "task": networks.CLASSIFICATION,
    }  # fmt: skip
    unet["input"] = {"spacing_mm": 3.0, "tile_size": [16, 32, 32], "patch_size": [16, 32, 32], **window}
    densenet["input"] = {
        "spacing_mm": [2.0, 2.0, 2.0], "patch_size": [16, 16, 16], "windows_hu": [[-400, 400], [-150, 50]],
        "margin_mm": 8.0,
    }  # fmt: skip
    for spec in (unet, densenet):
        network = build(spec["architecture"], spec["arguments"])
        if spec["architecture"] == "DynUNet":
            _see_only_background(network)
        save_bundle(folder / spec["name"], {**CARD, **spec}, network)
    return folder


def _see_only_background(network):
    """Random weights would call half of the neck a lymph node."""
    import torch

    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "output_block" in name and name.endswith("bias"):
                weight.copy_(torch.tensor([20.0, 0.0, 0.0, 0.0]))


def test_the_same_files_are_loaded_once(tiny_models):
    first = networks.load(networks.CLASSIFICATION, tiny_models)
    assert networks.load(networks.CLASSIFICATION, tiny_models) is first
    assert first.task == networks.CLASSIFICATION


def test_a_missing_model_is_said(tmp_path):
    with pytest.raises(ModelError, match=r"No model for lymph node segmentation.*ece models import"):
        networks.load(networks.SEGMENTATION, tmp_path)


def test_analyze_with_networks_that_find_nothing(tiny_models, a_ct_file, tmp_path):
    analyze(a_ct_file, tmp_path / "out", AnalyzeOptions(device="cpu", models=tiny_models))
    result = read_result(tmp_path / "out")
    assert result.device == "cpu" and result.lymph_nodes == ()
    assert [model["name"] for model in result.models] == ["tiny_unet", "tiny_densenet"]


def test_classify_and_explain_one_lymph_node(tiny_models):
    ct = a_neck_ct()
    instances = ct.with_array((ct.array == 400).astype(np.uint16))
    bundle = networks.load(networks.CLASSIFICATION, tiny_models)
    answer = networks.classify(bundle, ct, instances, 1, "cpu")
    assert sum(answer["class_probabilities"].values()) == pytest.approx(1)
    asked = ("capsule-repair", "gradcam", "guided-backprop")
    maps = networks.heatmaps(bundle, ct, instances, 1, asked, "cpu")
    assert tuple(maps) == asked
    repair = maps["capsule-repair"].figures["capsule_repair"]
    assert repair["as_is"] == pytest.approx(answer["ece_probability"], abs=1e-4) and len(repair["sectors"]) == 10
    assert set(maps["gradcam"].figures["faithfulness"]) <= {"hottest_in_shell", "shell_share", "shell_focus"}
    centre = ct.to_lps(np.argwhere(instances.array).mean(axis=0))
    for heatmap in maps.values():
        volume = heatmap.volume
        assert volume.array.dtype == np.float32 and volume.array.min() >= 0 and volume.array.max() <= 1 + 1e-6
        assert all(-0.5 <= c < n for c, n in zip(volume.to_index(centre), volume.shape, strict=True))


@pytest.mark.slow
def test_faithfulness_with_the_network(tiny_models):
    ct = a_neck_ct()
    instances = ct.with_array((ct.array == 400).astype(np.uint16))
    bundle = networks.load(networks.CLASSIFICATION, tiny_models)
    (heatmap,) = networks.heatmaps(bundle, ct, instances, 1, ("gradient-x-input",), "cpu", with_network=True).values()
    figures = heatmap.figures["faithfulness"]
    probability = networks.classify(bundle, ct, instances, 1, "cpu")["ece_probability"]
    assert figures["deletion_curve"][0] == figures["insertion_curve"][-1] == pytest.approx(probability, abs=1e-4)
    assert figures["deletion_curve"][-1] == figures["insertion_curve"][0]
    assert abs(figures["randomization"]) < 0.9 and figures["repeatability"] > figures["randomization"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("gpu", "no device with this name.*auto, cpu, cuda", id="unknown"),
        pytest.param("cuda:99", r"cuda:99 is not there.*ece doctor", id="not in this computer"),
    ],
)
def test_devices_that_are_not_there(name, words):
    with pytest.raises(InputError, match=words):
        networks.choose_device(name)


def test_auto_is_a_device_of_this_computer():
    torch = pytest.importorskip("torch")
    assert networks.choose_device("auto") == ("cuda:0" if torch.cuda.is_available() else "cpu")
