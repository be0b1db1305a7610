import json

import pytest
from tiny_dataset import a_config, write_dataset, write_plan


@pytest.fixture(scope="session")
def a_dataset(tmp_path_factory):
    """Five patients in nnU-Net's layout."""
    return write_dataset(tmp_path_factory.mktemp("dataset") / "Dataset001_Neck")


@pytest.fixture
def a_training(a_dataset, tmp_path):
    """Writes a config for the data set; gives its path."""

    def make(*stages, **changes):
        plan = write_plan(tmp_path / "plan.json", *stages)
        path = tmp_path / "config.json"
        path.write_text(json.dumps(a_config(a_dataset, plan) | changes))
        return path

    return make
