"""Arguments of the commands that talk to a PACS, and the connection that they ask for."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from pathlib import Path

from ece_core.cli.console import Console
from ece_core.pacs import Connection, Transfer, connect_to_named, raise_if_incomplete
from ece_core.pacs.named_server import SERVER
from ece_core.pacs.server import FORMS, OUR_AE_TITLE


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """--server, --aet, --move-port and --credentials."""
    group = parser.add_argument_group("PACS")
    group.add_argument("--server", metavar="ADDRESS", help=f"{FORMS}; or the environment variable {SERVER}")
    group.add_argument("--aet", default=OUR_AE_TITLE, help="our AE title (DIMSE; default: %(default)s)")
    group.add_argument("--move-port", type=int, metavar="PORT", help="fetch by C-MOVE to this port (default: C-GET)")
    group.add_argument(
        "--credentials", type=Path, metavar="FILE", help="JSON file that only its owner may open: see docs/pacs.md"
    )


def connection(asked: argparse.Namespace) -> AbstractContextManager[Connection]:
    """To the server that the user named.

    Raises
    ------
    InputError
        No server was named, or it cannot be used as it was.
    """
    return connect_to_named(asked.server, asked.aet, asked.move_port, asked.credentials)


def show_transfer(console: Console, transfer: Transfer, done: str) -> None:
    """What became of each instance that is missing, then of all.

    Parameters
    ----------
    done
        "fetched" or "sent".

    Raises
    ------
    RunError
        Some are missing.
    """
    for failure in transfer.failures:
        console.event({"event": "failure", "instance": failure.instance.alias, "reason": failure.reason})
        console.say(f"not {done}: {failure.instance.alias}: {failure.reason}")
    counts = {"total": transfer.total, done: transfer.moved, "there_before": transfer.there_before}
    console.event({"event": "transfer", **counts, "failed": len(transfer.failures)})
    earlier = f", {transfer.there_before} were there before" if transfer.there_before else ""
    console.say(f"{transfer.moved} of {transfer.total} DICOM objects {done}{earlier}.")
    raise_if_incomplete(transfer, done)
