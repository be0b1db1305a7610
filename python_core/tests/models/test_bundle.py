import json

import pytest
import torch
from ece_core.errors import ModelError
from ece_core.models import find_bundle, load_bundle, verify_bundle
from ece_core.models.bundle import save_bundle
from ece_core.models.registry import build


def edit(bundle, **changes):
    card = json.loads((bundle / "model.json").read_text())
    card.update(changes)
    (bundle / "model.json").write_text(json.dumps(card))


def test_weights_written_are_weights_read(a_classification_bundle):
    first, second = load_bundle(a_classification_bundle), load_bundle(a_classification_bundle)
    for a, b in zip(first.network.state_dict().values(), second.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert not first.network.training
    assert (
        first.summary()["sha256"] == json.loads((a_classification_bundle / "model.json").read_text())["weights_sha256"]
    )


def test_half_precision_storage_changes_the_answer_by_little(tmp_path, a_classification_bundle):
    bundle = load_bundle(a_classification_bundle)
    save_bundle(tmp_path / "half", {k: v for k, v in bundle.spec.items() if k != "schema"}, bundle.network)
    x = torch.rand(1, 3, 16, 24, 24)
    with torch.inference_mode():
        torch.testing.assert_close(load_bundle(tmp_path / "half").network(x), bundle.network(x), atol=5e-3, rtol=5e-3)
    half, whole = (folder / "weights.safetensors" for folder in (tmp_path / "half", a_classification_bundle))
    assert half.stat().st_size < 0.8 * whole.stat().st_size


def test_changed_weights_are_refused(a_classification_bundle):
    weights = a_classification_bundle / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="not those of its card.*import the model again"):
        verify_bundle(a_classification_bundle)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "ece-model/9"}, "schema 'ece-model/9'.*Update ece-core"),
        ({"architecture": "Resnet"}, "architecture named 'Resnet'.*DynUNet, DenseNet"),
        ({"arguments": {"in_channels": 2, "out_channels": 3, "depth": 4}}, "arguments do not fit.*Export"),
        ({"arguments": {"in_channels": 5, "out_channels": 3}}, "do not fit its architecture"),
    ],
)
def test_cards_that_are_not_ours_are_refused(a_classification_bundle, changes, words):
    edit(a_classification_bundle, **changes)
    with pytest.raises(ModelError, match=words):
        load_bundle(a_classification_bundle)


def test_an_incomplete_card_names_what_it_lacks(a_classification_bundle):
    card = json.loads((a_classification_bundle / "model.json").read_text())
    del card["license"], card["metrics"]
    (a_classification_bundle / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="lacks metrics, license"):
        load_bundle(a_classification_bundle)


def test_missing_or_broken_files_are_named(tmp_path, a_classification_bundle):
    with pytest.raises(ModelError, match=r"model\.json is missing"):
        load_bundle(tmp_path)
    (a_classification_bundle / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"weights\.safetensors\) are missing"):
        load_bundle(a_classification_bundle)
    (a_classification_bundle / "model.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_bundle(a_classification_bundle)


def test_ones_own_model_comes_before_a_newer_shipped_one(tmp_path, a_classification_bundle, monkeypatch):
    card = json.loads((a_classification_bundle / "model.json").read_text())
    for place, version in (("shipped", "2.0"), ("mine", "1.0")):
        network = build("DenseNet", card["arguments"])
        save_bundle(tmp_path / place / f"from-{place}", {**card, "version": version}, network)
    monkeypatch.setenv("ECE_MODELS", str(tmp_path / "mine"))
    monkeypatch.setattr("ece_core.models.bundle.shipped_models_folders", lambda: [tmp_path / "shipped"])
    assert find_bundle("lymph_node_classification").name == "from-mine"


def test_the_newest_version_for_a_task_is_found(tmp_path, a_classification_bundle):
    card = json.loads((a_classification_bundle / "model.json").read_text())
    models = tmp_path / "models"
    for version in ("1.9", "1.10", "1.2"):
        save_bundle(models / version, {**card, "version": version}, build("DenseNet", card["arguments"]))
    assert find_bundle("lymph_node_classification", models).name == "1.10"
    with pytest.raises(ModelError, match="No model for lymph node segmentation.*ece models import"):
        find_bundle("lymph_node_segmentation", models)
