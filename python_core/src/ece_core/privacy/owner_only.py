"""Secrets are read from files that nobody but their owner may open."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ece_core.errors import InputError

MAX_BYTES = 64 * 2**10  # a secret is a few lines; a link to something else is not read whole


def read_owner_only(path: Path, what: str) -> str:
    """The text of a file that only its owner may read or write.

    Parameters
    ----------
    what
        What the file holds, for the message: "the credentials".

    Raises
    ------
    InputError
        The file cannot be read, belongs to someone else, others may open it, or it is far too large. On a system
        without owners and modes (Windows) it is refused, too: nothing could be checked.
    """
    if os.name != "posix":
        raise InputError(f"Who may read the file with {what} cannot be checked on this system.",
                         "Give them in the environment instead.")  # fmt: skip
    try:
        with path.open("rb") as file:  # the file that was opened is checked, not whatever bears its name a moment later
            _check_owner(os.fstat(file.fileno()), what)
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"The file with {what} cannot be read.", "Check its path and its permissions.") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"The file with {what} is far too large.", "Give the right file.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"The file with {what} is no text.", "Give the right file.") from None


def write_owner_only(path: Path, text: str, what: str) -> None:
    """A new file that only its owner may open; one that exists is never replaced.

    Raises
    ------
    InputError
        The file exists, or cannot be made.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"The file with {what} cannot be made.", "Choose another place for it.") from error


def _check_owner(found: os.stat_result, what: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"What should hold {what} is not a file.", "Give a file.")
    if found.st_uid != os.geteuid():
        raise InputError(f"The file with {what} belongs to another user.", "Make one of your own.")
    if found.st_mode & 0o077:
        raise InputError(f"Others may open the file with {what}.", "Take their rights away: chmod 600 FILE.")
