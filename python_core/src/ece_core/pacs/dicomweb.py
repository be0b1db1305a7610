"""DICOMweb: QIDO-RS to find, WADO-RS to retrieve, STOW-RS to store (PS3.18). dicomweb-client speaks, this says what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread

from ece_core.errors import RunError
from ece_core.io.quiet import LIBRARY_ERRORS, quiet
from ece_core.pacs.connection import Keep, Level
from ece_core.pacs.credentials import Credentials
from ece_core.pacs.instances import Failure, Instance, Refused, unproven, unreachable
from ece_core.pacs.server import Server
from ece_core.pacs.statuses import is_passing, said_status
from ece_core.pacs.tls import client_context

LOGGERS = ("dicomweb_client", "urllib3", "requests")
CONNECT_S, ANSWER_S = 10, 120  # a PACS may fetch from its archive first
BATCH_BYTES = 16 * 2**20  # one request; what a broken line costs at most
PAGE = 500  # answers asked for at a time; a server may give fewer
MOST_ANSWERS = 50_000  # io/limits.py: MAX_FILES
PASSING_HTTP = {408, 425, 429, 500, 502, 503, 504}
CHECK_ADDRESS = "Check the address, with its path."
NOT_IN_THE_ANSWER = "the server did not say that it was stored"


class DicomWeb:
    """A DICOMweb service; use it in a ``with``."""

    def __init__(self, server: Server, credentials: Credentials) -> None:
        self._session = _session(server, credentials)
        with quiet(*LOGGERS):
            self._client = DICOMwebClient(server.url, session=self._session, timeout=(CONNECT_S, ANSWER_S))
            self._client.set_http_retry_params(retry=False)  # ours asks first what has arrived

    def __enter__(self) -> DicomWeb:
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def echo(self) -> None:
        """DICOMweb has no C-ECHO: the cheapest question is for one study."""
        with _questioned(), _asking():
            self._client.search_for_studies(limit=1)

    def find(self, level: Level, keys: Mapping[str, str], wanted: Sequence[str]) -> list[Dataset]:
        found: dict[str, Dataset] = {}
        uid = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        while len(found) < MOST_ANSWERS:  # page by page; a server that does not know offset repeats itself
            with _questioned(), _asking():
                page = [Dataset.from_json(answer) for answer in self._page(level, keys, wanted, len(found))]
                new = {str(one[uid].value): one for one in page if uid in one}
            if not set(new) - set(found):
                break
            found.update(new)
        return list(found.values())

    def _page(self, level: Level, keys: Mapping[str, str], wanted: Sequence[str], offset: int) -> list[Any]:
        filters = dict(keys)
        paging: dict[str, Any] = {"limit": PAGE, "offset": offset, "fields": list(wanted), "search_filters": filters}
        if level == "STUDY":
            return self._client.search_for_studies(**paging)
        study = filters.pop("StudyInstanceUID", None)
        if level == "SERIES":
            return self._client.search_for_series(study, **paging)
        return self._client.search_for_instances(study, filters.pop("SeriesInstanceUID", None), **paging)

    def retrieve(self, instances: Sequence[Instance], keep: Keep) -> list[Failure]:
        return [failure for one in instances if (failure := self._retrieve(one, keep)) is not None]

    def _retrieve(self, instance: Instance, keep: Keep) -> Failure | None:
        try:
            with _asking():
                dataset = self._client.retrieve_instance(instance.study_uid, instance.series_uid, instance.sop_uid)
        except _HttpFailure as error:
            return Failure(instance, str(error), error.status in PASSING_HTTP)
        except LIBRARY_ERRORS:  # no _asking: the connection is well, what it brought is not DICOM
            return Failure(instance, "the server's answer is no DICOM object")
        return keep(instance, lambda path: dataset.save_as(path, enforce_file_format=True))

    def store(self, files: Mapping[Instance, Path], stored) -> list[Failure]:
        failures = []
        for batch in _batches(files):
            failed = self._store(batch)
            failures += failed
            for instance in set(batch) - {failure.instance for failure in failed}:
                stored(instance)
        return failures

    def _store(self, batch: Mapping[Instance, Path]) -> list[Failure]:
        try:
            with _asking():
                answer = self._client.store_instances([dcmread(file) for file in batch.values()])
        except _HttpFailure as error:
            if error.answer is None:
                return [Failure(one, str(error), error.status in PASSING_HTTP) for one in batch]
            answer = error.answer
        with quiet():
            return _failures(batch, answer)


class _HttpFailure(Exception):
    """An answer with a status that is no success; it may still say what became of each instance (409)."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"HTTP status {response.status_code}")
        self.status = response.status_code
        self.answer: Dataset | None = None
        if response.status_code == 409:
            try:
                self.answer = Dataset.from_json(response.json())
            except LIBRARY_ERRORS:
                self.answer = None


@contextmanager
def _asking() -> Iterator[None]:
    """Library words quote addresses with patient IDs: they stay in causes."""
    try:
        with quiet(*LOGGERS):
            yield
    except requests.TooManyRedirects as error:
        raise Refused("The PACS sends us to another address.", "Give the address that it really has.") from error
    except requests.exceptions.SSLError as error:
        raise unproven() from error
    except requests.HTTPError as error:
        if error.response is None:
            raise unreachable() from error
        if error.response.status_code in (401, 403):
            raise Refused(
                f"The PACS refuses us (HTTP status {error.response.status_code}).",
                "Check user name, password or token, and what this user may do.",
            ) from error
        raise _HttpFailure(error.response) from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise unreachable() from error


@contextmanager
def _questioned() -> Iterator[None]:
    """A question has an answer or none; what a library says about the answer stays in the cause."""
    try:
        yield
    except _HttpFailure as error:
        if error.status in PASSING_HTTP:
            raise unreachable() from error
        raise RunError(f"The PACS does not answer this question ({error}).", CHECK_ADDRESS) from error
    except LIBRARY_ERRORS as error:
        raise RunError("The answer of the PACS is not DICOMweb.", CHECK_ADDRESS) from error


def _session(server: Server, credentials: Credentials) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc: nobody but the named host
    session.max_redirects = 0
    if credentials.token:
        session.headers["Authorization"] = f"Bearer {credentials.token}"
    elif credentials.username:
        session.auth = (credentials.username, credentials.password)
    if server.encrypted:
        session.mount("https://", _Adapter(credentials))
    return session


class _Adapter(requests.adapters.HTTPAdapter):
    """HTTPS with our TLS context."""

    def __init__(self, credentials: Credentials) -> None:
        self._context = client_context(credentials)
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **settings)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context verifies; requests would load its own list of authorities over it."""
        conn.cert_reqs = "CERT_REQUIRED"


def _batches(files: Mapping[Instance, Path]) -> Iterator[dict[Instance, Path]]:
    batch: dict[Instance, Path] = {}
    size = 0
    for instance, file in files.items():
        bytes_ = file.stat().st_size
        if batch and size + bytes_ > BATCH_BYTES:
            yield batch
            batch, size = {}, 0
        batch[instance] = file
        size += bytes_
    if batch:
        yield batch


def _failures(batch: Mapping[Instance, Path], answer: Dataset) -> list[Failure]:
    """What a Store Instances Response says (PS3.18 I.2.2): failures are listed, and so is what was stored."""
    reasons = {
        str(item.get("ReferencedSOPInstanceUID", "")): int(item.get("FailureReason", 0))
        for item in answer.get("FailedSOPSequence", ())
    }
    stored = {str(item.get("ReferencedSOPInstanceUID", "")) for item in answer.get("ReferencedSOPSequence", ())}
    failures = []
    for instance in batch:
        if instance.sop_uid in reasons:
            status = reasons[instance.sop_uid]
            failures.append(Failure(instance, said_status(status), is_passing(status)))
        elif stored and instance.sop_uid not in stored:
            failures.append(Failure(instance, NOT_IN_THE_ANSWER, True))
    return failures
