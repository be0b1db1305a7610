"""Moving what is missing until nothing is, over a line that breaks; files that come and go. No network."""

import pickle

import numpy as np
import pytest
from ece_core.errors import InputError, PartialError
from ece_core.geometry import Volume, affine_from
from ece_core.io import write_ct_series
from ece_core.pacs import (
    Credentials,
    Failure,
    Instance,
    Refused,
    Unreachable,
    connect,
    fetch,
    files_to_send,
    find_studies,
    raise_if_incomplete,
    read_server,
    send,
)
from ece_core.pacs.instances import unreachable
from ece_core.pacs.statuses import said_status
from ece_core.pacs.transfer import TRIES_WITHOUT_PROGRESS, transfer, with_patience
from ece_core.worker.messages import error_event
from pydicom import Dataset, dcmread

FIVE = [Instance(f"1.2.{number}", "1.1", "1.0") for number in range(5)]


class FakePacs:
    """Keeps files in memory; breaks after so many objects, as often as it is told to."""

    def __init__(self, breaks=(), held=()):
        self.held = {str(ds.SOPInstanceUID): ds for ds in held}
        self.breaks, self.stored, self.asked = list(breaks), [], 0

    def _go_on(self):
        if self.breaks:
            self.breaks[0] -= 1
            if self.breaks[0] < 0:
                self.breaks.pop(0)
                raise unreachable()

    def find(self, level, keys, wanted):
        self.asked += 1
        found = {}
        for ds in self.held.values():
            uid = {"STUDY": ds.StudyInstanceUID, "SERIES": ds.SeriesInstanceUID, "IMAGE": ds.SOPInstanceUID}[level]
            found[uid] = Dataset()
            for keyword in wanted:
                if keyword in ds:
                    setattr(found[uid], keyword, ds[keyword].value)
        return list(found.values())

    def retrieve(self, instances, keep):
        failures = []
        for one in instances:
            self._go_on()
            failures.append(keep(one, lambda path, uid=one.sop_uid: self.held[uid].save_as(path)))
        return [failure for failure in failures if failure]

    def store(self, files, stored):
        for one, file in files.items():
            self._go_on()
            self.stored.append(one)
            ds = dcmread(file)
            self.held[str(ds.SOPInstanceUID)] = ds
            stored(one)
        return []


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ct")
    write_ct_series(Volume(np.zeros((6, 16, 16), np.int16), affine_from((3, 1, 1), (0, 0, 0))), folder, seed=2)
    return folder


@pytest.fixture(scope="module")
def slices(ct):
    return [dcmread(file) for file in sorted(ct.glob("*.dcm"))]


@pytest.fixture
def no_wait(monkeypatch):
    monkeypatch.setattr("ece_core.pacs.transfer.FIRST_WAIT_S", 0)


def test_after_two_breaks_all_have_arrived_once(ct, no_wait):
    pacs, seen = FakePacs(breaks=[2, 3]), []
    done = send(pacs, files_to_send(ct), lambda arrived, total: seen.append((arrived, total)))
    assert (done.moved, done.there_before, done.failures) == (6, 0, ())
    assert len(pacs.stored) == len(set(pacs.stored)) == 6
    assert seen == [(arrived, 6) for arrived in range(7)]


def test_what_arrived_although_the_answer_was_lost_is_not_sent_again(ct, no_wait, slices):
    class Forgetful(FakePacs):
        def store(self, files, stored):
            first = not self.stored
            super().store(files, (lambda one: None) if first else stored)
            if first:
                raise unreachable()

    pacs = Forgetful()
    assert send(pacs, files_to_send(ct)).moved == 6 and len(pacs.stored) == 6


def test_fetching_goes_on_after_a_break(slices, tmp_path, no_wait):
    done = fetch(FakePacs(breaks=[4], held=slices), str(slices[0].StudyInstanceUID), tmp_path / "a")
    assert (done.moved, done.failures) == (6, ())
    files = sorted((tmp_path / "a").rglob("*"))
    assert len([file for file in files if file.suffix == ".dcm"]) == 6 and len(files) == 7  # and one folder
    assert {dcmread(file).SOPInstanceUID for file in files if file.is_file()} == {s.SOPInstanceUID for s in slices}
    names = "".join(str(file.relative_to(tmp_path)) for file in files)
    assert not any(str(uid) in names for s in slices for uid in (s.SOPInstanceUID, s.SeriesInstanceUID, s.PatientID))


@pytest.mark.parametrize("cut", [-1, -530, 400, 0])
def test_a_file_cut_short_is_fetched_again(cut, slices, tmp_path):
    pacs = FakePacs(held=slices)
    fetch(pacs, str(slices[0].StudyInstanceUID), tmp_path)
    one = sorted(tmp_path.rglob("*.dcm"))[2]
    one.write_bytes(one.read_bytes()[:cut])
    again = fetch(pacs, str(slices[0].StudyInstanceUID), tmp_path)
    assert (again.moved, again.there_before) == (1, 5)


def test_another_object_than_the_one_asked_for_is_not_kept(slices, tmp_path, no_wait):
    class Wrong(FakePacs):
        def retrieve(self, instances, keep):
            return [f for one in instances if (f := keep(one, lambda path: slices[0].save_as(path)))]

    done = fetch(Wrong(held=slices), str(slices[0].StudyInstanceUID), tmp_path / "a")
    assert done.moved == 1 and {one.reason for one in done.failures} == {
        "the server sent another object than the one asked for, or a damaged one"
    }
    assert len([file for file in (tmp_path / "a").rglob("*") if file.is_file()]) == 1


def test_a_dead_server_is_given_up_after_so_many_tries(no_wait):
    tried = []

    def move(missing):
        tried.append(len(missing))
        raise unreachable()

    done = transfer(FIVE, set, move)
    assert tried == [5] * TRIES_WITHOUT_PROGRESS and len(done.failures) == 5
    with pytest.raises(PartialError, match="5 of 5 DICOM objects were not sent.*Start it again") as raised:
        raise_if_incomplete(done, "sent")
    event = error_event(1, pickle.loads(pickle.dumps(raised.value)))
    assert event["kind"] == "failed" and event["problem"].startswith("5 of 5")
    reason = "the connection broke before it was its turn"
    assert event["failures"] == [{"instance": one.alias, "reason": reason} for one in FIVE]
    assert "failures" not in error_event(1, unreachable())
    with pytest.raises(Unreachable, match="does not answer"):
        with_patience(lambda: move([]))


def test_waits_double_and_start_over_with_progress():
    waits, there, moves = [], set(), []

    def move(missing):
        moves.append(len(missing))
        if len(moves) == 3:
            there.add(missing[0])
        raise unreachable()

    transfer(FIVE[:3], lambda: set(there), move, waits.append)
    assert moves == [3, 3, 3, 2, 2, 2, 2]
    assert waits == [0.5, 1.0, 0.5, 1.0, 2.0]


def test_what_is_refused_is_not_tried_again_and_what_passes_is():
    calls = []

    def move(missing):
        calls.append(list(missing))
        return [Failure(FIVE[0], "never"), Failure(FIVE[1], "busy", is_passing=True)]

    done = transfer(FIVE[:2], set, move, lambda seconds: None)
    assert calls[0] == FIVE[:2] and calls[1:] == [[FIVE[1]]] * TRIES_WITHOUT_PROGRESS
    assert [failure.reason for failure in done.failures] == ["never", "busy"]


def test_a_refusal_of_us_ends_it_at_once():
    def move(missing):
        raise Refused("No.", "Ask.")

    with pytest.raises(Refused):
        transfer(FIVE, set, move)


def test_a_query_without_a_key_would_list_a_hospital():
    with pytest.raises(InputError, match="nothing to look for"):
        find_studies(FakePacs(), {})


def test_what_can_be_sent(ct, tmp_path):
    with pytest.raises(InputError, match="no DICOM file to send.*its CT was DICOM"):
        (tmp_path / "empty").mkdir()
        files_to_send(tmp_path / "empty")
    for name in ("one.dcm", "copy.dcm"):
        (tmp_path / name).write_bytes(next(ct.glob("*.dcm")).read_bytes())
    with pytest.raises(InputError, match="Two files hold the same DICOM object"):
        files_to_send(tmp_path)


@pytest.mark.parametrize("address", ["https://h/d", "dicom://P@h:104"])
def test_without_the_extra_it_says_which(address, monkeypatch):
    monkeypatch.setattr("ece_core.pacs.connection.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"which is not installed.*ece-core\[pacs\]"):
        connect(read_server(address), Credentials())


def test_a_status_is_said_in_words():
    assert said_status(0xA702) == "out of resources (status 0xA702)"
    assert said_status(0x0122).startswith("the server does not take this kind of object")
    assert said_status(0x1234) == "failed (status 0x1234)"


def test_what_a_store_response_says_about_each_instance():
    pytest.importorskip("dicomweb_client", reason="needs ece-core[pacs]")
    from ece_core.pacs.dicomweb import NOT_IN_THE_ANSWER, _failures

    def item(uid, reason=None):
        one = Dataset()
        one.ReferencedSOPInstanceUID = uid
        if reason is not None:
            one.FailureReason = reason
        return one

    answer = Dataset()
    answer.ReferencedSOPSequence = [item("1.2.0")]
    answer.FailedSOPSequence = [item("1.2.1", 0xA700), item("1.2.2", 0x0122)]
    failures = {one.instance.sop_uid: one for one in _failures(dict.fromkeys(FIVE[:4]), answer)}
    assert set(failures) == {"1.2.1", "1.2.2", "1.2.3"}
    assert failures["1.2.1"].is_passing and not failures["1.2.2"].is_passing
    assert failures["1.2.3"].reason == NOT_IN_THE_ANSWER


def test_no_uid_is_printed():
    assert "1.2.3" not in repr(FIVE[3]) and "1.0" not in repr(FIVE[3])
    assert FIVE[3].alias == Instance("1.2.3", "", "").alias != FIVE[2].alias
