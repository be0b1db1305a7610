"""What a GMGENet config must say, and the words where it does not."""

import copy
import json
from pathlib import Path

import pytest
from ece_core.errors import InputError
from ece_core.training.gmgenet.settings import load_settings, run_settings
from tiny_gmgenet import CONFIG

SHIPPED = Path(__file__).parents[3] / "configs" / "gmgenet.json"


@pytest.fixture
def loaded(tmp_path):
    def load(change):
        config = copy.deepcopy(CONFIG)
        change(config)
        path = tmp_path / "gmgenet.json"
        path.write_text(json.dumps(config))
        return load_settings(path)

    return load


def test_the_shipped_config_is_the_papers_shapes():
    config = load_settings(SHIPPED)
    assert (config["volume_shape"], config["voi_shape"]) == ([90, 150, 150], [25, 90, 90])
    for name in ("extractor", "classifier", "densenet"):
        assert len(config["networks"][name]["arguments"]["block_config"]) == 5
    one, two = ({**config["networks"][name], "steps": None} for name in ("densenet", "extractor"))
    assert one == two, "one step of the same network"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda c: c.pop("voi_shape"), 'lacks "voi_shape"', id="missing"),
        pytest.param(lambda c: c.update(stepz=1), 'has "stepz", which is not known', id="unknown"),
        pytest.param(lambda c: c.update(voi_shape=[4, 99, 10]), "does not fit into the volume", id="box too large"),
        pytest.param(lambda c: c.update(patients=15), "leaves 6 patients to the extractor and 9", id="too few"),
        pytest.param(lambda c: c.update(volume_shape=[8]), '"volume_shape" in the config is .8.', id="one edge"),
        pytest.param(lambda c: c["networks"].pop("cnn"), '"networks" lacks "cnn"', id="a network is missing"),
        pytest.param(lambda c: c["networks"]["cnn"].update(steps=0), '"steps" in the config is 0', id="no step"),
        pytest.param(
            lambda c: c["networks"]["cnn"]["arguments"].update(channels=3), "do not make a network 'Plain", id="none"
        ),
        pytest.param(lambda c: c.update(task="segmentation"), "not one for gmgenet.*configs/gmgenet.json", id="task"),
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_is_refused(loaded, change, words):
    with pytest.raises(InputError, match=words):
        loaded(change)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        load_settings(tmp_path / "config.json")


def test_bfloat16_is_off(loaded):
    settings = run_settings(loaded(lambda _: None), "classifier")
    assert settings["bf16"] is False
    assert settings["steps"] == 2
