"""The commands of docs/training.md work, in their order, on a data set of five made-up patients."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from ece_core.cli.main import main as ece
from ece_core.geometry import Volume, affine_from
from ece_core.models import read_bundle
from ece_core.training.settings import NNUNET, SIMULATOR, stages_of
from tiny_dataset import write_dataset

PAGE = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def a_larger_scan(number):
    """(16, 32, 32) voxels of 2 x 1 x 1 mm, so that the planned network has two stages."""
    rng = np.random.default_rng(number)
    hu = rng.normal(-80, 10, (16, 32, 32)).astype(np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    for value, row in zip((1, 2, 3), (2, 12, 22), strict=True):
        labels[5:10, row : row + 7, 10:18] = value
    hu[labels > 0] = 60
    affine = affine_from((2.0, 1.0, 1.0))
    return Volume(hu, affine), Volume(labels, affine)


@pytest.mark.slow
def test_the_commands_of_the_page_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECE_MODELS", str(tmp_path / "models"))
    # The made-up scans are too small to hold a neck.
    monkeypatch.setattr("ece_core.preprocessing.neck_region", lambda ct: ((0, 0, 0), ct.shape))
    write_dataset(tmp_path / "DATASET", make=a_larger_scan)
    scan = "DATASET/imagesTr/a_0000.nii.gz"
    assert len(COMMANDS) == 12
    for command in COMMANDS:
        arguments = shlex.split(command.replace("SCAN", scan))
        assert arguments[0] == "ece"
        computes = arguments[1:3] == ["train", "segmentation"] or arguments[1] == "segment"
        options = ["--device", "cpu"] if computes else []
        assert ece([*arguments[1:], *options]) == 0, command
        if arguments[2] == "plan":
            short = {"steps": 2, "log_every": 1, "checkpoint_every": 2, "loaders": 0, "validate_every": 2}
            config = Path("planned/segmentation.json")
            config.write_text(json.dumps(json.loads(config.read_text()) | short))
    assert json.loads(Path("planned/segmentation.json").read_text())["labels"] == "apart"
    assert read_bundle(Path("runs/folds/our-lymph-nodes"))["training"]["fold"] == list("01234")
    assert Path("found/result.json").is_file() and Path("found_by_five/result.json").is_file()


def test_the_page_names_the_settings_as_they_are():
    rows = {key.strip(" `"): rest for key, rest in re.findall(r"^\| (`\w+`)(.*)$", PAGE, re.MULTILINE)}
    assert "250000" in rows["steps"] and NNUNET["steps"] == 250_000
    assert set(rows) - {"labels", "steps", "learning_rate", "start_from", "tensorboard", "log_every"} <= set(NNUNET)
    assert (NNUNET["foreground_share"], SIMULATOR["foreground_share"]) == (1 / 3, 0.7)
    assert (NNUNET["learning_rate"], NNUNET["clip"], SIMULATOR["clip"]) == (0.01, 12.0, 5.0)


def test_the_network_of_the_page_can_be_trained():
    shipped = json.loads((Path(__file__).parents[3] / "configs" / "segmentation.json").read_text())
    light = json.loads("{" + re.search(r'```\n("architecture": "LightUNet".*?)```', PAGE, re.DOTALL)[1] + "}")
    (stage,) = stages_of(shipped | light)
    assert stage["architecture"] == "LightUNet"
