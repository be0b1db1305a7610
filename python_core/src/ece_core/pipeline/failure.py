"""An exception nobody expected, in words that a user can act on and that hold nothing about the patient."""

from __future__ import annotations

import errno
import os
import sys
import traceback

from ece_core.errors import ECEError, RunError
from ece_core.pipeline.memory import is_out_of_memory

SHOW_EVERYTHING = "ECE_DEBUG"  # environment variable; the full cause may hold names and paths of the scan


def as_ece_error(error: BaseException) -> ECEError:
    """The error itself when it is one of ours, else a RunError that names its kind, never its text.

    The text of a library's exception may hold a path, a tag value or a name, so it is shown only when asked for.
    """
    if isinstance(error, ECEError):
        return error
    if is_out_of_memory(error):
        return RunError("Memory ran out.", "Close other programs, or run it on a computer with more memory.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError("The disk is full.", "Free some space, or choose an output folder on another disk.")
    if isinstance(error, PermissionError):
        return RunError("A file or folder may not be read or written.", "Check the permissions of input and output.")
    return RunError(
        f"The run failed unexpectedly ({type(error).__name__}).",
        f"Set the environment variable {SHOW_EVERYTHING}=1 and run it again to see the full cause "
        "(it may hold names from the scan), and report it.",
    )


def log_cause(error: BaseException) -> None:
    """Keeps the cause on stderr: the kinds and the lines of code; with ECE_DEBUG=1 the texts as well."""
    if os.environ.get(SHOW_EVERYTHING):
        traceback.print_exception(error)
        return
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        for frame in traceback.extract_tb(cause.__traceback__):
            print(f"  {frame.name}, line {frame.lineno} of {os.path.basename(frame.filename)}", file=sys.stderr)
        print(f"{type(cause).__name__}", file=sys.stderr)
        cause = cause.__cause__ or cause.__context__
