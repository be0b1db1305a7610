"""What a network tells apart: targets, outputs and card follow one switch."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ece_core.classes import LABEL_CLASSES, LABEL_SETTINGS
from ece_core.errors import InputError
from ece_core.models import load_bundle
from ece_core.training.export import card
from ece_core.training.labels import UNKNOWN, labels_of, network_arguments, value_of_class
from ece_core.training.main import load_config, main
from ece_core.training.patches import Patches
from ece_core.training.settings import stages_of

CONFIG = {
    "task": "segmentation", "name": "tiny", "version": "0.1", "seed": 1, "data_seed": 2, "difficulty": "medium",
    "cases": 1, "jobs": 1, "spacing_mm": 3.0, "patch_size": [16, 16, 16], "tile_size": [16, 16, 16],
    "architecture": "DynUNet", "arguments": {"in_channels": 1, "out_channels": 4, "kernel_size": [3, 3, 3],
    "strides": [1, 2, 2], "upsample_kernel_size": [2, 2], "filters": [4, 4, 4], "norm_name": "batch"},
    "batch_size": 2, "steps": 1, "learning_rate": 0.01, "bf16": False, "log_every": 1, "checkpoint_every": 1,
    "loaders": 0, "real_share": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "targets"),
    [
        ("apart", [0, 1, 2, 3, 255, 255, 255]), ("metastatic_joined", [0, 1, 2, 2, 2, 255, 255]),
        ("all_joined", [0, 1, 1, 1, 1, 1, 255]),
    ],
)
def test_classes_become_the_outputs_of_their_label_where_it_is_known(setting, targets):
    assert value_of_class(LABEL_SETTINGS[setting])[[0, 1, 2, 3, 4, 5, UNKNOWN]].tolist() == targets


@pytest.mark.parametrize("setting", LABEL_SETTINGS)
def test_every_class_belongs_to_exactly_one_label(setting):
    assert sorted(name for label in LABEL_SETTINGS[setting] for name in LABEL_CLASSES[label]) == ["ENE", "N", "P"]


@pytest.fixture
def work(tmp_path):
    (tmp_path / "data").mkdir()
    classes = np.random.default_rng(0).choice(np.array([0, 1, 2, 3, UNKNOWN], np.uint8), (20, 20, 20))
    np.savez(tmp_path / "data" / "seg_0000.npz", hu=np.zeros(classes.shape, np.int16), classes=classes)
    return tmp_path


@pytest.mark.parametrize("setting", LABEL_SETTINGS)
def test_training_with_joined_labels_gives_a_bundle_that_says_so(work, setting):
    (work / "config.json").write_text(json.dumps(CONFIG | {"labels": setting}))
    bundle = load_bundle(main("segmentation", work / "config.json", work))
    labels = LABEL_SETTINGS[setting]
    assert bundle.spec["labels"] == list(labels)
    assert ("target" in bundle.spec) == (setting == "apart")
    assert bundle.network(torch.zeros(1, 1, 16, 16, 16)).shape[1] == len(labels) + 1
    (stage,) = stages_of(CONFIG | {"labels": setting})
    _, targets = Patches(stage, [work / "data" / "seg_0000.npz"], []).batch(0)
    assert set(targets.unique().tolist()) <= {*range(len(labels) + 1), UNKNOWN}


def test_apart_is_the_default_and_changes_nothing():
    assert labels_of(CONFIG) == ("N", "P", "ENE")
    assert network_arguments(CONFIG) == CONFIG["arguments"]
    (stage,) = stages_of(CONFIG)
    assert card(stage, False)["target"] == "pENE"
    shipped = Path(__file__).parents[3] / "configs"
    for task in ("segmentation", "classification"):
        config = json.loads((shipped / f"{task}.json").read_text())
        assert network_arguments(config) == config["arguments"]


def test_an_unknown_setting_is_refused_at_once(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"labels": "joined"}))
    with pytest.raises(InputError, match='labels \'joined\'.*"apart", "metastatic_joined", "all_joined"'):
        load_config("segmentation", tmp_path / "config.json")


def test_weights_of_other_labels_are_no_start(work):
    (work / "config.json").write_text(json.dumps(CONFIG))
    start = main("segmentation", work / "config.json", work)
    (work / "checkpoint.pt").unlink()
    (work / "config.json").write_text(json.dumps(CONFIG | {"labels": "all_joined", "start_from": str(start)}))
    with pytest.raises(InputError, match='tells N, P, ENE apart, this config lymph_node.*Set "labels"'):
        main("segmentation", work / "config.json", work)
