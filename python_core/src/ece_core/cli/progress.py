"""How far a run is: a bar on a terminal, one line a stage in a log, JSON lines for machines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TextIO

from ece_core.pipeline.stages import remaining_seconds, stage_title
from ece_core.worker.messages import progress_event

BAR_WIDTH = 24
REDRAW_S = 0.1


class Progress:
    """A report for the pipeline: call it with (stage, fraction of the whole run).

    Parameters
    ----------
    stream
        Where people read; a bar if it is a terminal.
    event
        Takes progress events instead, when machines read.
    """

    def __init__(self, stream: TextIO, event: Callable[[dict[str, Any]], None] | None = None) -> None:
        self._stream, self._event = stream, event
        self._started = time.perf_counter()
        self._stage, self._drawn_at, self._bar_open = "", 0.0, False

    def __call__(self, stage: str, fraction: float) -> None:
        now = time.perf_counter()
        is_new = stage != self._stage
        if not is_new and now - self._drawn_at < REDRAW_S and fraction < 1:
            return
        self._stage, self._drawn_at = stage, now
        elapsed_s = now - self._started
        if self._event is not None:
            self._event(progress_event(None, stage, fraction, elapsed_s))
        elif self._stream.isatty():
            self._draw_bar(stage, fraction, elapsed_s)
        elif is_new:
            print(f"{stage_title(stage)} ({_status(fraction, elapsed_s)})", file=self._stream, flush=True)

    def end(self) -> None:
        """Leaves the bar's line, so that the next words do not run into it."""
        if self._bar_open:
            self._bar_open = False
            print(file=self._stream, flush=True)

    def _draw_bar(self, stage: str, fraction: float, elapsed_s: float) -> None:
        filled = round(BAR_WIDTH * fraction)
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        line = f"[{bar}] {stage_title(stage):<22} {_status(fraction, elapsed_s)}"
        self._stream.write(f"\r{line:<79}")
        self._stream.flush()
        self._bar_open = True


def _status(fraction: float, elapsed_s: float) -> str:
    remaining_s = remaining_seconds(elapsed_s, fraction)
    left = "" if remaining_s is None or elapsed_s < 1 else f", about {max(1, round(remaining_s))} s left"
    return f"{100 * fraction:.0f} %{left}"
