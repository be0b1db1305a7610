"""Which PACS: one address says the host, the protocol and whether the line is encrypted."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from ece_core.errors import InputError

FORMS = "https://HOST/PATH (DICOMweb), dicom://AETITLE@HOST:PORT or dicoms://AETITLE@HOST:PORT (DIMSE, with TLS)"
DICOMWEB = {"http": False, "https": True}
DIMSE = {"dicom": False, "dicoms": True}
OUR_AE_TITLE = "LNECE"


@dataclass(frozen=True)
class Server:
    """A PACS that the user named.

    Parameters
    ----------
    protocol
        ``"dicomweb"`` or ``"dimse"``.
    encrypted
        Whether the connection is TLS.
    url
        The root of the DICOMweb service; empty for DIMSE.
    host, port, ae_title
        Where a DIMSE service listens, and what it is called; of DICOMweb only the host is set.
    our_ae_title
        How we call ourselves; a PACS talks only to titles that it knows.
    move_port
        Where C-MOVE shall send to; None: C-GET, over the connection that we opened.
    """

    protocol: Literal["dicomweb", "dimse"]
    encrypted: bool
    host: str
    url: str = ""
    port: int = 0
    ae_title: str = ""
    our_ae_title: str = OUR_AE_TITLE
    move_port: int | None = None

    @property
    def is_here(self) -> bool:
        """Whether the host is this computer, so that nothing can be overheard."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def read_server(address: str, our_ae_title: str = OUR_AE_TITLE, move_port: int | None = None) -> Server:
    """The PACS that an address names.

    Raises
    ------
    InputError
        The address has none of the four forms, or holds a password.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _no_server() from None
    _check_title(our_ae_title)
    if parts.password is not None or (parts.scheme in DICOMWEB and parts.username is not None):
        raise InputError(
            "The address of the PACS holds a user name or a password, which anyone on this computer can read.",
            "Give them in the environment or in a file: see docs/pacs.md.",
        )
    if not parts.hostname or parts.query or parts.fragment:
        raise _no_server()
    if parts.scheme in DICOMWEB:
        if move_port is not None:
            raise InputError("--move-port belongs to a DIMSE server.", "Leave it out with DICOMweb.")
        return Server("dicomweb", DICOMWEB[parts.scheme], parts.hostname, address.rstrip("/"))
    return _dimse(parts, port, our_ae_title, move_port)


def _dimse(parts: SplitResult, port: int | None, our_ae_title: str, move_port: int | None) -> Server:
    title = unquote(parts.username or "")
    if parts.scheme not in DIMSE or not port or not title or parts.path not in ("", "/"):
        raise _no_server()
    _check_title(title)
    if move_port is not None and not 0 < move_port < 65536:
        raise InputError(f"--move-port is {move_port}; there is no such port.", "Give a number from 1 to 65535.")
    return Server(
        "dimse", DIMSE[parts.scheme], parts.hostname or "", port=port, ae_title=title, our_ae_title=our_ae_title,
        move_port=move_port,
    )  # fmt: skip


def _check_title(title: str) -> None:
    fits = 0 < len(title) <= 16 and title == title.strip()
    if not (fits and title.isascii() and title.isprintable() and "\\" not in title):
        raise InputError("An AE title is not one.", "Give 1 to 16 ASCII characters, without backslash.")


def _no_server() -> InputError:
    return InputError("The address of the PACS is not one that we know.", f"Give {FORMS}.")
