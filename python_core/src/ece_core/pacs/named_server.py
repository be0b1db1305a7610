"""The PACS that the user named, as an argument or in the environment; the only one that anything is sent to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from ece_core.errors import InputError
from ece_core.pacs.connection import Connection, connect
from ece_core.pacs.credentials import read_credentials
from ece_core.pacs.instances import Transfer, raise_if_incomplete
from ece_core.pacs.send import Tell, files_to_send, send
from ece_core.pacs.server import FORMS, OUR_AE_TITLE, read_server

SERVER = "ECE_PACS"  # environment variable


def _on_stderr(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def connect_to_named(
    address: str | None = None,
    our_ae_title: str = OUR_AE_TITLE,
    move_port: int | None = None,
    credentials: Path | None = None,
    warn: Callable[[str], object] = _on_stderr,
) -> AbstractContextManager[Connection]:
    """A connection, not yet opened.

    Parameters
    ----------
    address
        One of the forms of docs/pacs.md; None: what the environment variable ``ECE_PACS`` says.
    credentials
        JSON file that only its owner may open; None: the environment alone.
    warn
        Told if the connection will not be encrypted.

    Raises
    ------
    InputError
        No server was named, or it cannot be used as it was.
    """
    address = address or os.environ.get(SERVER)
    if not address:
        raise InputError("No PACS was named.", f"Give --server or set {SERVER}: {FORMS}.")
    server = read_server(address, our_ae_title, move_port)
    secrets = read_credentials(server, credentials)
    if not (server.encrypted or server.is_here):
        warn("The connection is not encrypted: whoever is on the network can read it.")
    return connect(server, secrets)


def send_results(
    path: Path,
    address: str | None = None,
    credentials: Path | None = None,
    tell: Tell = lambda done, total: None,
    warn: Callable[[str], object] = _on_stderr,
) -> Transfer:
    """Send a result's DICOM objects, or those of any folder; what the PACS has already is not sent again.

    For Slicer's panel, which has it done by the worker (request ``send``).

    Parameters
    ----------
    path
        As :func:`~ece_core.pacs.send.files_to_send` takes it.
    tell
        Told how many of how many are there. What it raises ends the transfer; a second one goes on from there.

    Raises
    ------
    InputError
        There is nothing to send, or no server was named.
    RunError
        The PACS does not answer, or something could not be sent.
    """
    files = files_to_send(path)
    with connect_to_named(address, credentials=credentials, warn=warn) as pacs:
        done = send(pacs, files, tell)
    raise_if_incomplete(done, "sent")
    return done
