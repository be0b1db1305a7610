"""TLS as both protocols use it: certificates checked, host names checked, nothing older than TLS 1.2."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from ece_core.errors import InputError
from ece_core.pacs.credentials import Credentials


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """For connections that we open. There is no way to leave the checks out: a PACS holds patients.

    Raises
    ------
    InputError
        A file of certificates or the key cannot be used.
    """
    with _understood():
        context = ssl.create_default_context(cafile=credentials.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if credentials.certificate_file:
            context.load_cert_chain(credentials.certificate_file, credentials.key_file, password=_no_passphrase)
        return context


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """For the connection that the PACS opens to us for a C-MOVE; it must show a certificate, too.

    Raises
    ------
    InputError
        There is no certificate of ours, or a file cannot be used.
    """
    if not credentials.certificate_file:
        raise InputError(
            "An encrypted C-MOVE needs a certificate of ours.",
            "Give certificate_file and key_file, or leave out --move-port.",
        )
    with _understood():
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=credentials.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(credentials.certificate_file, credentials.key_file, password=_no_passphrase)
        return context


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")  # else OpenSSL asks on the terminal, and a run without one hangs


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # SSLError is an OSError; both quote paths, which stay in the cause
        raise InputError(
            "A certificate or key for the PACS cannot be used.",
            "Give PEM files that belong together; the key without a passphrase.",
        ) from error
