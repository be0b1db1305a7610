"""Who we are to a PACS: from the environment, or from a file that only its owner may open."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from ece_core.errors import InputError
from ece_core.pacs.server import Server
from ece_core.privacy.owner_only import read_owner_only

PREFIX = "ECE_PACS_"  # ECE_PACS_PASSWORD and so on
WHAT = "the PACS credentials"


@dataclass(frozen=True)
class Credentials:
    """All may be empty; none is ever printed.

    Parameters
    ----------
    username, password
        HTTP basic authentication, or DIMSE user identity.
    token
        HTTP bearer token.
    ca_file
        PEM file of those who may have signed the server's certificate; empty: the system's own.
    certificate_file, key_file
        PEM files with which we identify ourselves to the server; the key's file is owner-only, too.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca_file: str = field(default="", repr=False)
    certificate_file: str = field(default="", repr=False)
    key_file: str = field(default="", repr=False)

    @property
    def has_secret(self) -> bool:
        """Whether something would be sent that must not be overheard."""
        return bool(self.password or self.token)


NAMES = tuple(one.name for one in fields(Credentials))


def read_credentials(
    server: Server, file: Path | None = None, environment: Mapping[str, str] | None = None
) -> Credentials:
    """The credentials for a server: the environment's, and for what it does not say the file's.

    Parameters
    ----------
    file
        A JSON object with names of NAMES; None: the file that ECE_PACS_CREDENTIALS names, if any.
    environment
        None: the process's own. ECE_PACS_USERNAME, ECE_PACS_PASSWORD and so on.

    Raises
    ------
    InputError
        The file is not the owner's alone, is no such object, or a secret would travel unencrypted.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(f"{PREFIX}CREDENTIALS", "")
    file = file or (Path(named) if named else None)
    values = {} if file is None else _read(file)
    values.update({name: text for name in NAMES if (text := environment.get(PREFIX + name.upper(), ""))})
    credentials = Credentials(**values)
    _check(server, credentials)
    return credentials


def _read(file: Path) -> dict[str, str]:
    wrong = InputError(f"The file with {WHAT} is not as it should be.",
                       f"Write a JSON object of texts with these names: {', '.join(NAMES)}.")  # fmt: skip
    try:
        content = json.loads(read_owner_only(file, WHAT))
    except (ValueError, RecursionError):
        raise wrong from None  # the cause quotes the text
    if not isinstance(content, dict) or not set(content) <= set(NAMES):
        raise wrong
    if not all(isinstance(value, str) for value in content.values()):
        raise wrong
    return content


def _check(server: Server, credentials: Credentials) -> None:
    if credentials.has_secret and not server.encrypted and not server.is_here:
        raise InputError(
            "The password or token would travel unencrypted, for anyone on the network to read.",
            "Use an address that starts with https:// or dicoms://.",
        )
    if bool(credentials.certificate_file) != bool(credentials.key_file):
        raise InputError("A certificate and its key belong together.", "Give both files, or none.")
    if credentials.key_file:
        read_owner_only(Path(credentials.key_file), "the private key")
