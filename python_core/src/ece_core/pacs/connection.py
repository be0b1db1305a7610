"""What a PACS can be asked, the same over both protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ece_core.errors import InputError
from ece_core.pacs.credentials import Credentials
from ece_core.pacs.instances import Failure, Instance
from ece_core.pacs.server import Server

if TYPE_CHECKING:
    from pydicom import Dataset

Level = Literal["STUDY", "SERIES", "IMAGE"]
Keep = Callable[[Instance, Callable[[Path], object]], Failure | None]
"""Takes an instance and what writes it to a file; says why it was not kept, or None."""
LIBRARIES = {"dicomweb": "dicomweb_client", "dimse": "pynetdicom"}


class Connection(Protocol):
    """A PACS. Every method raises ``Unreachable`` when the server is gone and ``Refused`` when it does not want us."""

    def echo(self) -> None:
        """Asks whether the server is there and talks to us."""

    def find(self, level: Level, keys: Mapping[str, str], wanted: Sequence[str]) -> list[Dataset]:
        """What matches the keys (keyword to value), with the wanted attributes as far as the server has them."""

    def retrieve(self, instances: Sequence[Instance], keep: Keep) -> list[Failure]:
        """Gets each instance and hands it to ``keep``."""

    def store(self, files: Mapping[Instance, Path], stored: Callable[[Instance], None]) -> list[Failure]:
        """Sends each file; tells of each that was stored."""


def connect(server: Server, credentials: Credentials) -> AbstractContextManager[Connection]:
    """A connection; nothing is sent before the first question.

    Raises
    ------
    InputError
        The library for this protocol is not installed, or a certificate cannot be used.
    """
    if find_spec(LIBRARIES[server.protocol]) is None:
        raise InputError(
            f"Talking to a PACS needs {LIBRARIES[server.protocol].replace('_', '-')}, which is not installed.",
            'pip install "ece-core[pacs]"',
        )
    return _connected(server, credentials)


@contextmanager
def _connected(server: Server, credentials: Credentials) -> Iterator[Connection]:
    if server.protocol == "dicomweb":
        from ece_core.pacs.dicomweb import DicomWeb

        with DicomWeb(server, credentials) as web:
            yield web
    else:
        from ece_core.pacs.dimse import Dimse

        yield Dimse(server, credentials)
