"""CT to the PACS, through the analysis, results back, found, fetched again: all equal, over each protocol."""

import pytest
from conftest import WAYS, datasets
from ece_core.export.result import read_result


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_ct_and_results_come_back_as_they_went(way, orthanc, ct, study, ece, tmp_path):
    pacs = orthanc.addresses[way]
    sent = ece("pacs", "send", ct, *pacs, "--json")
    assert sent.code == 0, sent.err
    assert sent.event("transfer") == {"event": "transfer", "total": 28, "sent": 28, "there_before": 0, "failed": 0}

    analyzed = ece("analyze", "--from-pacs", study, tmp_path / "result", "--send", "--rtstruct", *pacs)
    assert analyzed.code == 0, analyzed.err
    assert "28 of 28 DICOM objects fetched." in analyzed.out
    results = datasets(tmp_path / "result" / "dicom")
    names = sorted(file.name for file in (tmp_path / "result" / "dicom").iterdir())
    assert [name for name in names if "heatmap" not in name] == ["rtstruct.dcm", "seg.dcm", "sr.dcm"]
    assert len(names) == 3 + len(read_result(tmp_path / "result").heatmaps) == len(results)
    assert len(read_result(tmp_path / "result").lymph_nodes) == 2

    asked = ece("pacs", "query", "--study", study, *pacs, "--json")
    series = {event["Modality"]: event for event in asked.events if event["event"] == "series"}
    assert set(series) >= {"CT", "SEG", "SR", "RTSTRUCT"} and series["CT"]["NumberOfSeriesRelatedInstances"] == "28"

    fetched = ece("pacs", "fetch", study, tmp_path / "fetched", *pacs, "--json")
    assert fetched.code == 0, fetched.err
    assert datasets(tmp_path / "fetched") == datasets(ct) | results
    assert orthanc.count() == 28 + len(results)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_second_time_nothing_is_moved(way, orthanc, ct, study, ece, tmp_path):
    pacs = orthanc.addresses[way]
    assert ece("pacs", "send", ct, *pacs).code == 0
    again = ece("pacs", "send", ct, *pacs, "--json").event("transfer")
    assert (again["sent"], again["there_before"]) == (0, 28) and orthanc.count() == 28
    assert ece("pacs", "fetch", study, tmp_path / "a", *pacs).code == 0
    damaged, gone, *_ = sorted((tmp_path / "a").rglob("*.dcm"))
    damaged.write_bytes(damaged.read_bytes()[:200])
    gone.unlink()
    once_more = ece("pacs", "fetch", study, tmp_path / "a", *pacs, "--json").event("transfer")
    assert (once_more["fetched"], once_more["there_before"]) == (2, 26)
    assert datasets(tmp_path / "a") == datasets(ct)


@pytest.mark.slow
def test_the_result_can_go_back_without_being_kept_here(orthanc, ct, study, ece, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pacs = orthanc.addresses["web"]
    assert ece("pacs", "send", ct, *pacs).code == 0
    analyzed = ece("analyze", "--from-pacs", study, "--send", *pacs)
    assert analyzed.code == 0, analyzed.err
    assert orthanc.count() >= 30 and "Patient: ECE probability" in analyzed.out
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
def test_a_query_names_the_patient_only_when_asked_to(orthanc, ct, study, ece):
    for way in ("web", "get"):
        pacs = orthanc.addresses[way]
        assert ece("pacs", "send", ct, *pacs).code == 0
        plain = ece("pacs", "query", "--patient-id", "SIM-5", *pacs)
        assert study in plain.out and "SIMULATED" not in plain.out and "SIM-5" not in plain.out
        assert "SIMULATED^PATIENT" in ece("pacs", "query", "--patient-id", "SIM-5", "--show-patient", *pacs).out
        assert "no such study" in ece("pacs", "query", "--patient-id", "NOBODY", *pacs).out


@pytest.mark.slow
def test_what_a_pacs_refuses_is_said(orthanc, ece, study, tmp_path):
    web, dicom = orthanc.addresses["web"], orthanc.addresses["get"]
    stranger = ece("pacs", "query", "--study", study, *dicom, "--aet", "STRANGER")
    assert stranger.code == 3 and "this AE title is not authorized" in stranger.err
    wrong = ece("pacs", "echo", "--server", dicom[1].replace("ORTHANC", "WRONG"))
    assert wrong.code == 3 and "this AE title is not authorized" in wrong.err
    elsewhere = ece("pacs", "echo", "--server", web[1] + "/elsewhere")
    assert elsewhere.code == 3 and "HTTP status 404" in elsewhere.err
    for pacs in (web, dicom):
        absent = ece("pacs", "fetch", "1.2.3", tmp_path / "none", *pacs)
        assert absent.code == 2 and "The PACS has no images of this study." in absent.err
    assert not (tmp_path / "none").exists()
