"""Logs that hold nothing about the patient, whoever writes them.

What a library logs or warns of quotes tag values, addresses and paths. Its records are cut down to where they come from
as they are made, so that no handler ever sees the words; our own records keep theirs, but not what carries identity.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from ece_core.errors import InputError

OURS = "ece_core"
LEVEL = "ECE_LOG"  # environment variable
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
CARRIERS = ("Dataset", "FileDataset", "DataElement", "PersonName", "UID", "MultiValue", "Sequence")  # pydicom's
log = logging.getLogger(f"{OURS}.warnings")


@contextmanager
def private_logs(environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Cuts down all log records and Python warnings of this process, and logs to stderr; then puts all back.

    Parameters
    ----------
    environment
        None: the process's own. ECE_LOG is the least level that is logged: debug, info, warning (default) or error.

    Raises
    ------
    InputError
        ECE_LOG names no level.
    """
    level = _level(os.environ if environment is None else environment)
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    handlers, before = root.handlers[:], root.level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        logging.setLogRecordFactory(private_record)
        root.handlers = [handler]
        root.setLevel(level)
        try:
            yield
        finally:
            root.handlers = handlers
            root.setLevel(before)
            logging.setLogRecordFactory(factory)


def private_record(
    name: str, level: int, path: str, line: int, message: object, arguments: Any, error: Any,
    function: str | None = None, stack: str | None = None, **others: Any,
) -> logging.LogRecord:  # fmt: skip
    """A log record without other people's words, and without the texts of exceptions."""
    is_ours = name == OURS or name.startswith(f"{OURS}.")
    words = message if is_ours else f"{os.path.basename(path)}, line {line}"
    record = logging.LogRecord(name, level, path, line, words, _safe(arguments) if is_ours else (), None, function)
    kind = f" ({error[0].__name__})" if isinstance(error, tuple) and error[0] is not None else ""
    record.msg, record.args = record.getMessage() + kind, ()
    return record


def _safe(arguments: Any) -> Any:
    if isinstance(arguments, Mapping):
        return {key: _safe_one(value) for key, value in arguments.items()}
    return tuple(_safe_one(value) for value in arguments) if isinstance(arguments, tuple) else _safe_one(arguments)


def _safe_one(value: Any) -> Any:
    if isinstance(value, BaseException | PurePath) or type(value).__name__ in CARRIERS:
        return f"<{type(value).__name__}>"
    return value


def _show_warning(message: Any, category: type[Warning], filename: str, lineno: int, *others: Any) -> None:
    log.info("%s in %s, line %d", category.__name__, os.path.basename(filename), lineno)


def _level(environment: Mapping[str, str]) -> int:
    name = environment.get(LEVEL, "").lower() or "warning"
    if name not in LEVELS:
        raise InputError(f"{LEVEL} names no level of logging.", f"Set it to one of: {', '.join(LEVELS)}.")
    return LEVELS[name]
