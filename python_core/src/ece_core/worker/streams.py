"""Keeps the protocol's stdout to itself: whatever a library prints goes to stderr."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def take_stdout() -> TextIO:
    """A private writer to the real stdout; file descriptor 1 and ``sys.stdout`` become stderr from now on."""
    sys.stdout.flush()
    private = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return private


def open_stdin() -> TextIO:
    """stdin as UTF-8 lines; bytes that are no UTF-8 are replaced, so a broken line is only a broken line."""
    return os.fdopen(0, "r", encoding="utf-8", errors="replace", newline="\n", closefd=False)
