"""The server dies in the middle of a transfer: the next try completes it, and nothing is there twice."""

import threading

import pytest
from conftest import WAYS, datasets
from ece_core.pacs import connect, dicomweb, fetch, files_to_send, read_credentials, read_server, send, transfer


@pytest.fixture
def small_batches(monkeypatch):
    """Five slices of this CT a request."""
    monkeypatch.setattr(dicomweb, "BATCH_BYTES", 5 * 8000)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 0.01)


def connection(orthanc, way):
    _, address, *port = orthanc.addresses[way]
    server = read_server(address, move_port=int(port[1]) if port else None)
    return connect(server, read_credentials(server))


def at(count, then):
    """A progress report that does something once, in a thread of its own, when that many have arrived."""
    done = threading.Event()

    def tell(arrived, total):
        if arrived >= count and not done.is_set():
            done.set()
            then()

    return tell


@pytest.mark.slow
@pytest.mark.parametrize("way", ["web", "get"])
def test_killed_while_sending(way, orthanc, ct, ece, small_batches, impatient):
    with connection(orthanc, way) as pacs:
        first = send(pacs, files_to_send(ct), at(10, orthanc.kill))
    assert 10 <= first.moved < 28 and len(first.failures) == 28 - first.moved
    orthanc.start()
    second = ece("pacs", "send", ct, *orthanc.addresses[way], "--json").event("transfer")
    assert second["failed"] == 0 and second["there_before"] >= 10
    assert second["sent"] == 28 - second["there_before"] and orthanc.count() == 28


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_killed_while_fetching(way, orthanc, ct, study, ece, tmp_path, impatient):
    pacs = orthanc.addresses[way]
    assert ece("pacs", "send", ct, *pacs).code == 0
    with connection(orthanc, way) as connected:
        first = fetch(connected, study, tmp_path / "a", tell=at(10, orthanc.kill))
    assert 10 <= first.moved < 28 and len(first.failures) == 28 - first.moved
    assert len(datasets(tmp_path / "a")) == first.moved
    orthanc.start()
    second = ece("pacs", "fetch", study, tmp_path / "a", *pacs, "--json").event("transfer")
    assert (second["there_before"], second["fetched"], second["failed"]) == (first.moved, 28 - first.moved, 0)
    assert datasets(tmp_path / "a") == datasets(ct)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["web", "get"])
def test_a_restart_in_the_middle_is_waited_for(way, orthanc, ct, study, tmp_path, small_batches):
    with connection(orthanc, way) as pacs:
        assert send(pacs, files_to_send(ct), at(10, orthanc.restart)).failures == ()
        assert orthanc.count() == 28
        done = fetch(pacs, study, tmp_path / "a", tell=at(10, orthanc.restart))
    assert (done.moved, done.failures) == (28, ()) and datasets(tmp_path / "a") == datasets(ct)


@pytest.mark.slow
def test_killed_at_any_moment_of_a_request(orthanc, ct, ece, impatient):
    """All slices in one request, and the server dies while it takes them in."""
    for delay_s in (0.02, 0.05, 0.1):
        timer = threading.Timer(delay_s, orthanc.kill)
        timer.start()
        ece("pacs", "send", ct, *orthanc.addresses["web"])
        timer.join()
        orthanc.start()
    done = ece("pacs", "send", ct, *orthanc.addresses["web"], "--json").event("transfer")
    assert done["failed"] == 0 and done["total"] == orthanc.count() == 28


@pytest.mark.slow
def test_each_instance_that_is_missing_is_listed(orthanc, ct, ece, monkeypatch, small_batches, impatient):
    kill = at(10, orthanc.kill)
    monkeypatch.setattr("ece_core.cli.pacs.fraction_of", lambda stage, progress: kill)
    said = ece("pacs", "send", ct, *orthanc.addresses["web"], "--json")
    missing = [event for event in said.events if event["event"] == "failure"]
    assert said.code == 3 and 0 < len(missing) < 28 and len({one["instance"] for one in missing}) == len(missing)
    assert f"{len(missing)} of 28 DICOM objects were not sent." in said.err
    assert {one["reason"] for one in missing} == {"the connection broke before it was its turn"}
