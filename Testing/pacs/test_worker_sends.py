"""What Slicer's panel asks of the worker: results to the PACS, with progress, once."""

import pytest
from conftest import WAYS, datasets
from ece_core.errors import Cancelled, InputError, RunError
from ece_core.worker.jobs import run_job


@pytest.fixture
def result(ct, ece, tmp_path):
    assert ece("analyze", ct, tmp_path / "result", "--explain", "gradcam", "--rtstruct").code == 0
    return tmp_path / "result"


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way != "move"])
def test_all_objects_of_a_result_are_sent_and_not_twice(way, orthanc, result, study, ece, tmp_path):
    server = orthanc.addresses[way][1]
    seen = []
    answer = run_job("send", {"path": str(result), "server": server}, lambda stage, part: seen.append((stage, part)))
    sent = datasets(result / "dicom")
    assert answer["transfer"] == {"total": len(sent), "sent": len(sent), "there_before": 0} and answer["warnings"] == []
    assert len(sent) == 4 == orthanc.count()
    assert seen[0] == ("send", 0) and seen[-1] == ("send", 1) and seen == sorted(seen)
    again = run_job("send", {"path": str(result), "server": server}, lambda stage, part: None)
    assert again["transfer"] == {"total": 4, "sent": 0, "there_before": 4} and orthanc.count() == 4
    assert ece("pacs", "fetch", study, tmp_path / "back", *orthanc.addresses[way]).code == 0
    assert datasets(tmp_path / "back") == sent


@pytest.mark.slow
def test_a_transfer_that_was_cancelled_goes_on_where_it_was(orthanc, result):
    server = orthanc.addresses["get"][1]

    def stop(stage, part):
        if part > 0:
            raise Cancelled()

    with pytest.raises(Cancelled):
        run_job("send", {"path": str(result), "server": server}, stop)
    assert 1 <= orthanc.count() < 4
    rest = run_job("send", {"path": str(result), "server": server}, lambda stage, part: None)["transfer"]
    assert rest["there_before"] >= 1 and rest["sent"] + rest["there_before"] == 4 == orthanc.count()


@pytest.mark.slow
def test_a_server_that_is_not_there_is_an_error_of_ours(no_settings, result):
    with pytest.raises(InputError, match="No PACS was named"):
        run_job("send", {"path": str(result)}, lambda stage, part: None)
    with pytest.raises(RunError, match="does not answer"):
        run_job("send", {"path": str(result), "server": "dicom://NOBODY@127.0.0.1:9"}, lambda stage, part: None)
