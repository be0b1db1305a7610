"""The script that chooses the default explanation: on blocks that are drawn, by a network that knows nothing."""

import argparse
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ece_core.explain import METHODS
from ece_core.models.lymph_node_densenet import LymphNodeDenseNet

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "choose_explanation.py"
SEED = 7


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("choose_explanation", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def bundle():
    torch.manual_seed(2)
    network = LymphNodeDenseNet(3, 3, init_features=4, growth_rate=4, block_config=(1, 1)).eval()
    inputs = {
        "spacing_mm": [1.25, 1.0, 1.0], "patch_size": [16, 24, 24], "windows_hu": [[-400, 400], [-150, 50]],
        "margin_mm": 4.0,
    }  # fmt: skip
    spec = {"input": inputs, "training": {"difficulty": "medium"}, "gradcam_layer": "signs.0"}
    return SimpleNamespace(name="drawn", version="0", network=network, spec=spec, folder=None)


@pytest.fixture
def work(tmp_path):
    """Patient 0: a lymph node with a tongue of 16 voxels and its twin, and one whose breach shows in two voxels."""
    k, j, i = np.indices((16, 24, 24)) - np.array([7.5, 11.5, 11.5]).reshape(3, 1, 1, 1)
    ball = np.sqrt((1.25 * k) ** 2 + j**2 + i**2) <= 5
    tongue = (np.abs(k) < 1) & (np.abs(j) < 1) & (i > 4) & (i < 9)
    fleck = tongue & (k > 0) & (j > 0) & (i > 7)
    masks = [ball | tongue, ball, ball, ball]
    hu = [np.where(mask, 80, -100).astype(np.int16) for mask in masks]
    signs = [tongue & ~ball, 0 * ball, fleck, 0 * ball]
    (tmp_path / str(SEED)).mkdir()
    np.savez(
        tmp_path / str(SEED) / "crops_0000.npz", hu=np.stack(hu), mask=np.stack(masks).astype(np.uint8),
        signs=np.stack(signs).astype(np.uint8), twin=np.array([False, True, False, True]),
    )  # fmt: skip
    return tmp_path


def the_only_one(script, bundle, work):
    (node,) = script.at_most(1, script.breached_lymph_nodes(bundle, work, SEED))
    return node


def test_every_method_is_a_candidate(script):
    assert {name.partition("@")[0] for name in script.candidates()} == set(METHODS)


@pytest.mark.slow
def test_a_lymph_node_is_judged_once(script, bundle, work, monkeypatch):
    node = the_only_one(script, bundle, work)
    assert node.patient == 0 and node.number == 0 and node.signs.sum() >= script.LEAST_BREACH_VOXELS
    asked = argparse.Namespace(work=work, seed=SEED, curves=False, repair=True, other=None)
    names = ["gradient", "hr-cam", script.BEFORE]
    first = script.judged(bundle, node, asked, names)
    assert "refused" in first["methods"]["hr-cam"]
    assert first["methods"]["gradient"]["breach"] >= 0 and 0 <= first["repair"]["whole"] <= 1
    monkeypatch.delattr(script, "heatmap_of")  # a second run must not need it
    monkeypatch.delattr(script, "judged_repair")
    assert script.judged(bundle, node, asked, names) == first
    asked.curves = True
    assert 0 < script.judged(bundle, node, asked, names)["methods"]["gradient"]["deletion_area"] < 1
