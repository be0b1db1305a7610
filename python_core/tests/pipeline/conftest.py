"""Fixtures of the pipeline: a CT file and networks that need no torch."""

import fake_networks
import pytest
from ece_core.io import write_image


@pytest.fixture
def fake_models(monkeypatch):
    """Installs the fakes; call it with changes, such as segment=..."""

    def install(**changes):
        fake_networks.install(monkeypatch.setattr, **changes)

    install()
    return install


@pytest.fixture
def a_ct_file(tmp_path):
    """Two lymph nodes, of 400 and 200 HU."""
    path = tmp_path / "scan.nii.gz"
    write_image(fake_networks.a_neck_ct(), path)
    return path


@pytest.fixture
def an_empty_ct_file(tmp_path):
    """No lymph node at all."""
    path = tmp_path / "empty.nii.gz"
    write_image(fake_networks.a_neck_ct(lymph_nodes=()), path)
    return path
