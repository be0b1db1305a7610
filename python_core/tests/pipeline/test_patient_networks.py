"""Networks that judge the patient as a whole: beside the rules, chosen by name, refusing, found among bundles."""

import numpy as np
import pytest
from ece_core.errors import InputError, ModelError
from ece_core.export.result import read_result
from ece_core.geometry import Volume, affine_from
from ece_core.models import save_bundle
from ece_core.models.registry import build
from ece_core.pipeline import AnalyzeOptions, analyze, networks
from ece_core.pipeline.classify import classify
from fake_networks import a_bundle

BOX = {"center_lps_mm": [0.0, 1.0, 2.0], "size_mm": [90.0, 90.0, 25.0], "axes_lps": np.eye(3).tolist()}
SAID = {"gmgenet": {"ece_probability": 0.7, "box": BOX}, "dual-swinunetr": {"ece_probability": 0.2}}
CARD = {
    "version": "0.0.1", "task": networks.PATIENT_ECE, "labels": [], "training_data": "None: random weights.",
    "metrics": {}, "license": "Apache-2.0", "intended_use": "Tests.",
}  # fmt: skip


@pytest.fixture
def both_networks(fake_models):
    """Two networks that say always the same; call it with another ``judge_patient``."""

    def install(judge=lambda bundle, ct, device: SAID[bundle.name.removeprefix("fake_")]):
        fake_models(load_patient_networks=lambda folder, wanted: {name: a_bundle(name) for name in SAID},
                    judge_patient=judge)  # fmt: skip

    install()
    return install


def test_they_stand_beside_the_rules_and_may_be_the_answer(both_networks, a_ct_file, tmp_path):
    analyze(a_ct_file, tmp_path / "out", AnalyzeOptions(patient_model="gmgenet", explain=()))
    result = read_result(tmp_path / "out")
    assert (result.patient["ece_probability"], result.patient["method"]) == (0.7, "gmgenet")
    assert set(result.patient["outputs"]) == {"max", "noisy-or", "ene-count", "gmgenet", "dual-swinunetr"}
    assert result.patient["boxes"] == {"gmgenet": BOX}
    assert {"fake_gmgenet", "fake_dual-swinunetr"} <= {model["name"] for model in result.models}


def test_they_need_no_outline(both_networks, an_empty_ct_file, tmp_path):
    result = analyze(an_empty_ct_file, tmp_path / "out", AnalyzeOptions(patient_model="gmgenet", explain=()))
    assert result.lymph_nodes == () and result.patient["ece_probability"] == 0.7


def test_they_judge_the_scan_of_a_mask_too(both_networks, a_ct_file, tmp_path):
    found = analyze(a_ct_file, tmp_path / "found", AnalyzeOptions(explain=()))
    result = classify(a_ct_file, tmp_path / "found" / "lymph_nodes.seg.nrrd", tmp_path / "out")
    assert result.patient == found.patient


def test_none_asks_no_network(both_networks, a_ct_file, tmp_path):
    result = analyze(a_ct_file, tmp_path / "out", AnalyzeOptions(patient_model="none", explain=()))
    assert result.patient["method"] == "max" and set(result.patient["outputs"]) == {"max", "noisy-or", "ene-count"}


def test_a_scan_that_one_refuses_is_warned_about_and_has_no_probability_of_it(both_networks, a_ct_file, tmp_path):
    def judge(bundle, ct, device):
        if bundle.name == "fake_gmgenet":
            raise InputError("The scan does not show a nose.", "Use a scan of the whole neck.")
        return SAID["dual-swinunetr"]

    both_networks(judge)
    result = analyze(a_ct_file, tmp_path / "out", AnalyzeOptions(patient_model="gmgenet", explain=()))
    assert "ece_probability" not in result.patient and result.patient["outputs"]["dual-swinunetr"] == 0.2
    assert "GMGENet did not judge the patient. The scan does not show a nose." in result.warnings


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """A tiny network of each kind, with random weights."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("bundles")
    one = {"architecture": "PlainCNN", "arguments": {"in_channels": 1, "out_channels": 2, "channels": [2], "hidden": 2}}
    gmgenet = {"architecture": "GMGENet", "arguments": {"extractor": one, "classifier": one}, "gradcam_layer": "1",
               "input": {"volume_shape": [24, 40, 40], "voi_shape": [6, 16, 16]}}  # fmt: skip
    swin = {"architecture": "DualSwinUNETR", "arguments": {"feature_size": 12, "window": 2, "depths": [1, 1, 1, 1]},
            "input": {"spacing_mm": [6.0, 5.0, 5.0], "window_hu": [-200, 300], "patch_size": [64, 32, 32]}}  # fmt: skip
    for name, spec in (("one", gmgenet), ("other", swin)):
        save_bundle(folder / name, {**CARD, "name": name, **spec}, build(spec["architecture"], spec["arguments"]))
    return folder


def test_bundles_are_told_apart_by_their_architecture(bundles):
    found = networks.load_patient_networks(bundles, "max")
    assert {name: bundle.name for name, bundle in found.items()} == {"gmgenet": "one", "dual-swinunetr": "other"}


def test_one_that_is_not_there_is_refused_only_if_it_is_asked_for(tmp_path):
    pytest.importorskip("torch")
    assert networks.load_patient_networks(tmp_path, "max") == {}
    with pytest.raises(ModelError, match="No model for patient ece by GMGENet was found"):
        networks.load_patient_networks(tmp_path, "gmgenet")


def test_real_ones_judge_a_drawn_head(bundles):
    body = np.zeros((64, 60, 80), bool)
    body[:20, 20:50, 4:76] = body[20:32, 20:46, 27:53] = body[32:, 14:52, 22:58] = body[44:48, 8:14, 37:43] = True
    head = Volume(np.where(body, 40, -1000).astype(np.int16), affine_from((4.0, 4.0, 4.0), (-158.0, -112.0, -100.0)))
    found = networks.load_patient_networks(bundles, "max")
    said = {name: networks.judge_patient(bundle, head, "cpu") for name, bundle in found.items()}
    assert all(0 < answer["ece_probability"] < 1 for answer in said.values())
    box = said["gmgenet"]["box"]
    assert "box" not in said["dual-swinunetr"] and np.allclose(np.abs(box["axes_lps"]), np.eye(3))
    corner = np.array(box["center_lps_mm"]) - np.array(box["axes_lps"]).T @ np.array(box["size_mm"]) / 2
    low, high = head.to_lps(np.array([[-0.5] * 3, np.array(head.shape) - 0.5]))
    assert (corner >= np.minimum(low, high) - 4).all() and (corner <= np.maximum(low, high) + 4).all()
