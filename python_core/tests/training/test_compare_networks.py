"""`scripts/compare_networks.py`: networks trained on equal data, judged by what they find."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ece_core.evaluation.overlap import Overlap
from ece_core.io import write_image
from ece_core.simulate import simulate_case

ROOT = Path(__file__).parents[3]
OF_THE_NETWORK = {"name", "spacing_mm", "patch_size", "architecture", "arguments", "steps", "tile_size"}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("compare_networks")


def test_the_two_configs_differ_in_the_network_alone():
    shipped, light = (
        json.loads((ROOT / "configs" / f"{name}.json").read_text()) for name in ("segmentation", "segmentation_light")
    )
    assert {key for key in shipped | light if shipped.get(key) != light.get(key)} <= OF_THE_NETWORK
    edges = [config["patch_size"][0] * config["spacing_mm"] for config in (shipped, light)]
    assert 0.8 < edges[0] / edges[1] < 1.25  # they see about as much around a voxel


def test_detection_counts_the_best_prediction_of_each_lymph_node_of_5_mm_and_more(script):
    truth, found = np.zeros((1, 1, 12), int), np.zeros((1, 1, 12), int)
    truth[..., 0:3], truth[..., 4:6], truth[..., 7:8] = 1, 2, 3
    found[..., 0], found[..., 2], found[..., 5], found[..., 10] = 1, 2, 3, 4
    overlap = Overlap.of(truth, found)
    one = script.Found(overlap, np.array([9.0, 6.0, 4.0]), np.array([0.6, 0.9, 0.7, 0.8]))
    rates = script.detection([one])
    assert one.best_confidence().tolist() == [0.9, 0.7, -np.inf]
    assert one.false_confidence().tolist() == [0.8]
    assert rates["1"]["value"] == 1.0 and script.detection([one, one])["1"]["value"] == 1.0
    many = script.Found(overlap, np.array([9.0, 6.0, 4.0]), np.array([0.6, 0.7, 0.9, 0.8]))
    script.FALSE_POSITIVES = (0.5,)
    assert script.detection([many])["0.5"]["value"] == 0.5  # the false positive, 0.8, stands between the two


@pytest.mark.slow
def test_a_table_of_what_trainings_reached(tmp_path):
    case = simulate_case(5, 0, "medium", (50, 72, 72), (3.0, 3.6, 3.6))
    folder = tmp_path / "cohort" / "case_0000"
    folder.mkdir(parents=True)
    write_image(case.simulation.ct, folder / "ct.nii.gz")
    write_image(case.simulation.instances, folder / "instances.nii.gz")
    (folder / "truth.json").write_text(json.dumps({"lymph_nodes": case.truth}))
    work = tmp_path / "run"
    shutil.copytree(ROOT / "Resources" / "Models" / "lymph-node-unet", work / "lymph-node-unet")
    shutil.copy(ROOT / "configs" / "segmentation.json", work / "config.json")
    (work / "curve.csv").write_text("20,2.5,30\n40,2.0,60\n")
    command = [sys.executable, str(ROOT / "scripts" / "compare_networks.py"), str(tmp_path / "cohort"), str(work)]
    run = subprocess.run([*command, "--out", str(tmp_path / "n.json")], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    (row,) = json.loads((tmp_path / "n.json").read_text())["rows"]
    assert (row["steps"], row["minutes"]) == (40, 1.0)
    assert all(0 <= rate["value"] <= 1 for rate in row["detection"].values())
    assert run.stdout.count("\n") == 3
