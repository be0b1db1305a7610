"""What the command line says: results on stdout, progress and errors on stderr, or everything as JSON lines."""

from __future__ import annotations

import sys
from typing import Any

from ece_core.cli.progress import Progress
from ece_core.errors import ECEError
from ece_core.worker.messages import error_event, to_line


class Console:
    """Where a command speaks.

    Parameters
    ----------
    json_lines
        Progress, results and errors as JSON objects on stdout, one a line, with the worker's words; errors also
        in plain words on stderr.
    """

    def __init__(self, json_lines: bool = False) -> None:
        self.json_lines = json_lines
        self._progress: Progress | None = None

    def say(self, text: str = "") -> None:
        """A line for people."""
        if not self.json_lines:
            print(text, flush=True)

    def event(self, event: dict[str, Any]) -> None:
        """A line for machines."""
        if self.json_lines:
            sys.stdout.write(to_line(event))
            sys.stdout.flush()

    def progress(self) -> Progress:
        """The report to hand to a run."""
        self._progress = Progress(sys.stderr, self.event if self.json_lines else None)
        return self._progress

    def error(self, error: ECEError) -> None:
        """What is wrong, and on the next line what to do."""
        if self._progress is not None:
            self._progress.end()
        self.event(error_event(None, error))
        print(f"{error.problem}\n{error.fix}", file=sys.stderr, flush=True)
