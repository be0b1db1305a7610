"""A real PACS on loopback, a CT of a few slices, and `ece` in this process over fake networks."""

import json
import sys
from pathlib import Path

import pytest
from ece_core.cli.main import main
from ece_core.io import write_ct_series
from pydicom import dcmread

sys.path.insert(0, str(Path(__file__).parents[2] / "python_core" / "tests" / "pipeline"))
import fake_networks
from orthanc import PLUGIN, PROGRAM, Orthanc

WAYS = ("web", "get", "move")


@pytest.fixture(autouse=True)
def _needs():
    pytest.importorskip("pynetdicom", reason='pynetdicom is absent: pip install "ece-core[pacs]"')
    pytest.importorskip("dicomweb_client", reason='dicomweb-client is absent: pip install "ece-core[pacs]"')


@pytest.fixture
def no_settings(monkeypatch):
    """The credentials of whoever runs the tests stay out of them."""
    for name in ("", "_CREDENTIALS", "_USERNAME", "_PASSWORD", "_TOKEN", "_CA_FILE", "_CERTIFICATE_FILE", "_KEY_FILE"):
        monkeypatch.delenv(f"ECE_PACS{name}", raising=False)


@pytest.fixture
def start_orthanc(tmp_path, no_settings):
    """Starts one with settings of its own."""
    if not PROGRAM.exists() or not PLUGIN.exists():
        pytest.skip("Orthanc is absent: apt-get install orthanc orthanc-dicomweb")
    started = []

    def start(**settings) -> Orthanc:
        folder = tmp_path / f"orthanc_{len(started)}"
        folder.mkdir()
        started.append(Orthanc(folder, **settings))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def orthanc(start_orthanc) -> Orthanc:
    return start_orthanc()


@pytest.fixture
def ct(tmp_path) -> Path:
    """28 slices with two bright balls, which the fake networks take for lymph nodes."""
    write_ct_series(fake_networks.a_neck_ct(), tmp_path / "ct", seed=5)
    return tmp_path / "ct"


@pytest.fixture
def study(ct) -> str:
    return str(dcmread(next(ct.glob("*.dcm"))).StudyInstanceUID)


class Outcome:
    def __init__(self, code: int, printed) -> None:
        self.code, self.out, self.err = code, printed.out, printed.err

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]

    def event(self, kind: str) -> dict:
        (one,) = (event for event in self.events if event["event"] == kind)
        return one


@pytest.fixture
def ece(monkeypatch, capsys):
    fake_networks.install(monkeypatch.setattr)

    def run(*arguments) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Outcome(code, capsys.readouterr())

    return run


def datasets(folder: Path) -> dict[str, object]:
    """All DICOM objects of a folder by UID; fails where one is there twice."""
    read = [dcmread(file) for file in folder.rglob("*.dcm")]
    by_uid = {str(one.SOPInstanceUID): one for one in read}
    assert len(by_uid) == len(read)
    return by_uid
