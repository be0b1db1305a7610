"""`ece pacs` and `ece analyze --from-pacs`: words and exit codes. The network is in Testing/pacs."""

import contextlib
import re

import pytest
from ece_core.export.result import read_result
from ece_core.io import write_ct_series
from ece_core.pacs import named_server
from fake_networks import a_neck_ct
from pydicom import Dataset, dcmread

STUDY = "1.2.3"


class FakePacs:
    """Has one CT series."""

    def __init__(self, files):
        self.held = {str(one.SOPInstanceUID): one for one in map(dcmread, files)}
        self.sent = []

    def find(self, level, keys, wanted):
        uid = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        found = {}
        for one in self.held.values():
            if all(str(one.get(key, "")) == value for key, value in keys.items()):
                found[one[uid].value] = answer = Dataset()
                for keyword in set(wanted) & set(one.dir()):
                    setattr(answer, keyword, one[keyword].value)
        return list(found.values())

    def retrieve(self, instances, keep):
        return [f for one in instances if (f := keep(one, lambda path, uid=one.sop_uid: self.held[uid].save_as(path)))]

    def store(self, files, stored):
        for one, file in files.items():
            self.sent.append(dcmread(file).Modality)
            stored(one)
        return []


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    return write_ct_series(a_neck_ct(), tmp_path_factory.mktemp("ct"), seed=4)


@pytest.fixture
def pacs(ct, monkeypatch):
    monkeypatch.setenv("ECE_PACS", "http://127.0.0.1:9/d")
    fake = FakePacs(ct)
    monkeypatch.setattr(named_server, "connect", lambda server, credentials: contextlib.nullcontext(fake))
    return fake


@pytest.fixture
def study(pacs):
    return str(next(iter(pacs.held.values())).StudyInstanceUID)


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False], ids=["OUT first", "OUT last"])
def test_from_pacs_and_back(before, pacs, study, ece, tmp_path):
    out = [tmp_path / "out"]
    said = ece("analyze", *(out if before else []), "--from-pacs", study, "--send", *([] if before else out))
    assert said.code == 0, said.err
    assert "28 of 28 DICOM objects fetched." in said.out and {"SEG", "SR"} <= set(pacs.sent)
    assert len(read_result(tmp_path / "out").lymph_nodes) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["analyze", "--from-pacs", STUDY, "CT", "OUT"], "With --from-pacs there is no CT", id="both"),
        pytest.param(["analyze", "--from-pacs", STUDY], "would go nowhere.*--send", id="nowhere"),
        pytest.param(["analyze", "--from-pacs", STUDY, "OUT"], "PACS has no CT images of this study", id="no study"),
        pytest.param(["pacs", "fetch", STUDY, "OUT"], "no images of this study.*ece pacs query", id="fetch"),
        pytest.param(["pacs", "query"], "nothing to look for", id="query for all"),
        pytest.param(["pacs", "send", "OUT"], "does not exist", id="send nothing"),
        pytest.param(["pacs", "echo", "--server", "h"], "not one that we know", id="address"),
        pytest.param(["analyze", "--send"], "arguments are required: CT, OUT", id="no arguments"),
    ],
)
def test_wrong_input_is_code_2_and_writes_nothing(arguments, words, pacs, ece, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    said = ece(*[tmp_path / "out" if one == "OUT" else one for one in arguments])
    assert said.code == 2
    assert re.search(words, said.err.replace("\n", " ")), said.err
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_server_it_asks_for_one(pacs, ece, monkeypatch):
    monkeypatch.delenv("ECE_PACS")
    said = ece("pacs", "echo")
    assert said.code == 2 and "No PACS was named." in said.err and "--server or set ECE_PACS" in said.err


def test_a_query_is_a_table_without_names(pacs, study, ece):
    said = ece("pacs", "query", "--study", study)
    assert said.code == 0 and study in said.out and "SeriesInstanceUID" in said.out
    assert "SIMULATED" not in said.out
    assert "SIMULATED^PATIENT" in ece("pacs", "query", "--study", study, "--show-patient").out
