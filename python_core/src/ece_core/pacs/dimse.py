"""DIMSE: C-ECHO, C-FIND, C-GET, C-MOVE and C-STORE (PS3.4, PS3.7). pynetdicom speaks, this says what."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.presentation import PresentationContext

from ece_core.errors import InputError, RunError
from ece_core.io.quiet import LIBRARY_ERRORS, quiet
from ece_core.pacs.connection import Keep, Level
from ece_core.pacs.credentials import Credentials
from ece_core.pacs.instances import Failure, Instance, Refused, unproven, unreachable
from ece_core.pacs.server import Server
from ece_core.pacs.statuses import STORED_WITH_WARNING, is_passing, said_status
from ece_core.pacs.tls import client_context, server_context

# UIDs of PS3.4 annexes A and C: study root.
VERIFICATION = "1.2.840.10008.1.1"
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
CONNECT_S, ANSWER_S = 10, 120  # a PACS may fetch from its archive first
AT_A_TIME = 50  # UIDs in one request: keeps the list far below what a server may take
MOST_ANSWERS = 50_000  # io/limits.py: MAX_FILES
MOST_CONTEXTS = 127  # 128 in one association (PS3.8 9.3.2.2), one is for the question itself
SUCCESS, PENDING = 0x0000, {0xFF00, 0xFF01}
NOT_WANTED, NOT_KEPT = 0xA900, 0xA700
UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
# Each in a context of its own, so that the server can send what it has as it is (dicom.md section 8; RLE, deflated).
COMPRESSED = (
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.1.99",
)  # fmt: skip
# For servers that do not say of what class an instance is: CT (and Enhanced), SEG (and labelmap), SR, PM, RTSTRUCT.
USUAL_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.30", "1.2.840.10008.5.1.4.1.1.481.3",
)  # fmt: skip


class Dimse:
    """A DIMSE service. Each question opens an association and releases it."""

    def __init__(self, server: Server, credentials: Credentials) -> None:
        self._server, self._credentials = server, credentials
        self._tls = (client_context(credentials), server.host) if server.encrypted else None

    def echo(self) -> None:
        with self._association([build_context(VERIFICATION)]) as association:
            _expect_success(association.send_c_echo(), "does not answer C-ECHO")

    def find(self, level: Level, keys: Mapping[str, str], wanted: Sequence[str]) -> list[Dataset]:
        question = Dataset()
        for keyword in wanted:
            setattr(question, keyword, "")
        with quiet():
            for keyword, value in keys.items():
                setattr(question, keyword, value)
        question.QueryRetrieveLevel = level
        found: list[Dataset] = []
        heard = _Heard()
        with self._association([build_context(FIND)], handlers=heard.handlers) as association:
            for status, answer in association.send_c_find(question, FIND):
                if _code(status) not in PENDING:
                    if _code(status) is None and heard.abort:
                        raise _unauthorized()
                    _expect_success(status, "does not answer C-FIND")
                elif answer is not None and len(found) < MOST_ANSWERS:
                    found.append(answer)
        return found

    def retrieve(self, instances: Sequence[Instance], keep: Keep) -> list[Failure]:
        failures = []
        for group in _groups(instances):
            incoming = Incoming(group, keep)
            status = self._get(group, incoming) if self._server.move_port is None else self._move(group, incoming)
            if not status and incoming.waiting:
                raise unreachable()
            failures += incoming.failures(status)
        return failures

    def _get(self, group: Sequence[Instance], incoming: Incoming) -> int | None:
        contexts = storage_contexts({one.sop_class_uid for one in group})
        roles = [build_role(uid, scp_role=True) for uid in _classes({one.sop_class_uid for one in group})]
        handlers = [(evt.EVT_C_STORE, incoming.on_store)]
        with self._association([build_context(GET), *contexts], roles, handlers) as association:
            return _last(association.send_c_get(_identifier(group), GET))

    def _move(self, group: Sequence[Instance], incoming: Incoming) -> int | None:
        with self._listening(incoming), self._association([build_context(MOVE)]) as association:
            return _last(association.send_c_move(_identifier(group), self._server.our_ae_title, MOVE))

    def store(self, files: Mapping[Instance, Path], stored: Callable[[Instance], None]) -> list[Failure]:
        failures = []
        kinds = Counter((one.sop_class_uid, _syntax(file)) for one, file in files.items())
        contexts = [build_context(sop_class, _offered(syntax)) for sop_class, syntax in list(kinds)[:MOST_CONTEXTS]]
        with self._association(contexts) as association:
            for instance, file in files.items():
                failure = _store(association, instance, file)
                if failure is None:
                    stored(instance)
                else:
                    failures.append(failure)
        return failures

    @contextmanager
    def _association(
        self, contexts: list[PresentationContext], roles: Sequence[Any] = (), handlers: Sequence[Any] = ()
    ) -> Iterator[Association]:
        heard = _Heard()
        with quiet("pynetdicom"):
            association = self._application().associate(
                self._server.host, self._server.port, contexts=contexts, ae_title=self._server.ae_title,
                ext_neg=[*roles, *self._identity()], tls_args=self._tls, evt_handlers=[*handlers, *heard.handlers],
            )  # fmt: skip
            try:
                if not association.is_established:
                    raise self._not_established(association, heard)
                yield association
            finally:
                if association.is_established:
                    association.release()
                elif association.is_alive():
                    association.abort()

    def _not_established(self, association: Association, heard: _Heard) -> RunError:
        if association.is_rejected or heard.abort:
            return _unauthorized()
        return self._tls_problem() or unreachable()

    def _tls_problem(self) -> Refused | None:
        """pynetdicom keeps to itself why TLS failed, so it is tried once more without it."""
        if self._tls is None:
            return None
        context, host = self._tls
        try:
            with socket.create_connection((host, self._server.port), CONNECT_S) as plain:
                context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLError:
            return unproven()
        except OSError:
            pass
        return None

    def _application(self) -> AE:
        application = AE(self._server.our_ae_title)
        application.connection_timeout = application.acse_timeout = CONNECT_S
        application.dimse_timeout = application.network_timeout = ANSWER_S
        application.maximum_pdu_size = 0  # as large as the other side likes: faster for images
        return application

    def _identity(self) -> list[UserIdentityNegotiation]:
        if not self._credentials.username:
            return []
        identity = UserIdentityNegotiation()
        identity.user_identity_type = 2 if self._credentials.password else 1
        identity.primary_field = self._credentials.username.encode()
        if self._credentials.password:
            identity.secondary_field = self._credentials.password.encode()
        return [identity]

    @contextmanager
    def _listening(self, incoming: Incoming) -> Iterator[None]:
        """Takes what the PACS sends for a C-MOVE, from nobody else, for as long as it takes."""
        with quiet("pynetdicom"):
            application = self._application()
            application.require_called_aet = True
            application.require_calling_aet = [self._server.ae_title]
            known = _classes({one.sop_class_uid for one in incoming.wanted.values()})
            contexts = [build_context(uid, [*UNCOMPRESSED, *COMPRESSED]) for uid in known]
            try:
                listener = application.start_server(
                    ("127.0.0.1" if self._server.is_here else "", self._server.move_port or 0), block=False,
                    ssl_context=server_context(self._credentials) if self._server.encrypted else None,
                    evt_handlers=[(evt.EVT_C_STORE, incoming.on_store)], contexts=contexts,
                )  # fmt: skip
            except OSError as error:
                raise InputError("The port for C-MOVE is taken.", "Choose another --move-port.") from error
            try:
                yield
            finally:
                if listener is not None:
                    listener.shutdown()


class _Heard:
    """Whether the other side said that it aborts: a line that breaks says nothing."""

    def __init__(self) -> None:
        self.abort = False
        self.handlers = [(evt.EVT_PDU_RECV, self._on_pdu)]

    def _on_pdu(self, event: evt.Event) -> None:
        self.abort = self.abort or isinstance(event.pdu, A_ABORT_RQ)


class Incoming:
    """Instances that were asked for, on their way; anything else that comes is turned away."""

    def __init__(self, group: Sequence[Instance], keep: Keep) -> None:
        self.wanted = {one.sop_uid: one for one in group}
        self.waiting = dict(self.wanted)
        self._failed: list[Failure] = []
        self._keep = keep

    def on_store(self, event: evt.Event) -> int:
        """One C-STORE from the PACS; the answer is its status."""
        instance = self.waiting.pop(str(getattr(event.request, "AffectedSOPInstanceUID", "")), None)
        if instance is None:
            return NOT_WANTED
        failure = self._keep(instance, lambda path: path.write_bytes(event.encoded_dataset()))
        if failure is not None:
            self._failed.append(failure)
        return SUCCESS if failure is None else NOT_KEPT

    def failures(self, status: int | None) -> list[Failure]:
        """What did not come, and what came and could not be kept."""
        reason = "the server did not send it" if status in (None, SUCCESS) else said_status(status)
        passing = status is not None and is_passing(status)
        return [*self._failed, *(Failure(one, reason, passing) for one in self.waiting.values())]


def storage_contexts(sop_classes: Iterable[str]) -> list[PresentationContext]:
    """What may be sent to us: the classes, uncompressed and in each compression that we can read."""
    known = _classes(sop_classes)
    contexts = [build_context(uid, list(UNCOMPRESSED)) for uid in known]
    contexts += [build_context(uid, syntax) for syntax in COMPRESSED for uid in known]
    return contexts[:MOST_CONTEXTS]


def _classes(sop_classes: Iterable[str]) -> list[str]:
    return [uid for uid in sorted(set(sop_classes)) if uid] or list(USUAL_CLASSES)


def _groups(instances: Sequence[Instance]) -> Iterator[Sequence[Instance]]:
    series: dict[tuple[str, str], list[Instance]] = {}
    for one in instances:
        series.setdefault((one.study_uid, one.series_uid), []).append(one)
    for group in series.values():
        for start in range(0, len(group), AT_A_TIME):
            yield group[start : start + AT_A_TIME]


def _identifier(group: Sequence[Instance]) -> Dataset:
    question = Dataset()
    question.QueryRetrieveLevel = "IMAGE"
    question.StudyInstanceUID, question.SeriesInstanceUID = group[0].study_uid, group[0].series_uid
    question.SOPInstanceUID = [one.sop_uid for one in group]
    return question


def _syntax(file: Path) -> UID:
    with quiet():
        return UID(str(dcmread(file, specific_tags=[], stop_before_pixels=True).file_meta.TransferSyntaxUID))


def _offered(syntax: UID) -> list[UID | str]:
    return list(dict.fromkeys([syntax, *UNCOMPRESSED])) if syntax in UNCOMPRESSED else [syntax]


def _store(association: Association, instance: Instance, file: Path) -> Failure | None:
    try:
        code = _code(association.send_c_store(dcmread(file)))
    except RuntimeError as error:  # the association is gone
        raise unreachable() from error
    except ValueError:
        return Failure(instance, "the server does not take this kind of object or its compression")
    except LIBRARY_ERRORS:
        return Failure(instance, "it cannot be sent as DICOM")
    if code is None:
        raise unreachable()
    if code == SUCCESS or code in STORED_WITH_WARNING:
        return None
    return Failure(instance, said_status(code), is_passing(code))


def _last(answers: Iterable[tuple[Dataset, Dataset | None]]) -> int | None:
    code = None
    for status, _ in answers:
        code = _code(status)
    return code


def _code(status: Dataset) -> int | None:
    """The status; None: there was no answer, the association is gone."""
    value = status.get("Status")
    return None if value is None else int(value)


def _expect_success(status: Dataset, what: str) -> None:
    code = _code(status)
    if code is None:
        raise unreachable()
    if code != SUCCESS:
        raise RunError(f"The PACS {what}: {said_status(code)}.", "Check what it allows this AE title to do.")


def _unauthorized() -> Refused:
    return Refused(
        "The PACS refuses the connection: this AE title is not authorized, or the called one is wrong.",
        "Check both titles; the PACS must know ours (--aet), with this computer's address.",
    )
