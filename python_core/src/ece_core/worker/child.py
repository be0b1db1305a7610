"""The warm process as its supervisor sees it: started, written to, listened to, killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ece_core.worker.messages import to_line


class Child:
    """One warm process.

    Parameters
    ----------
    command
        How to start it.
    heard
        Called from a thread with (child, event) for each event, and at last with (child, None) when it has ended.
    """

    def __init__(self, command: Sequence[str], heard: Callable[[Child, dict[str, Any] | None], None]) -> None:
        self._heard = heard
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, and killing takes grandchildren along
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """Hands it a request. If it has just died, its end is heard instead."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(to_line(message))
            self._process.stdin.flush()

    def kill(self) -> None:
        """Ends it and what it started, at once. Its end is heard like any other."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._process.kill()

    def wait(self) -> None:
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):  # half a line, from being killed while writing
                self._heard(self, json.loads(line))
        self._process.wait()
        self._heard(self, None)
