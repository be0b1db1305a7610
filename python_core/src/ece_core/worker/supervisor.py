"""The supervisor: answers requests at once and keeps one warm process at work (see the package's docstring)."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TextIO

from ece_core.errors import Cancelled, ECEError, RunError
from ece_core.export.result import RESULT_FILE
from ece_core.export.result_folder import remove_leftovers
from ece_core.worker.child import Child
from ece_core.worker.messages import Request, RequestError, error_event, read_request, to_line
from ece_core.worker.streams import open_stdin, take_stdout

CANCEL_PATIENCE_S = 0.4  # for the run to stop by itself and stay warm; the promise is an answer within 1 s
WARM_PROCESS = (sys.executable, "-m", "ece_core.worker.warm_process")


@dataclass
class RunUnderWay:
    """A request that the warm process works on."""

    request: Request
    started: float = field(default_factory=time.time)
    kill_at: float | None = None  # monotonic; set once the user has cancelled
    killed: bool = False


class Supervisor:
    """One loop over one queue: lines from the client, events from the warm process, its end, the end of stdin.

    Parameters
    ----------
    events
        Where events go, one JSON object a line.
    command
        How to start the warm process.
    """

    def __init__(self, events: TextIO, command: Sequence[str] = WARM_PROCESS) -> None:
        self._events = events
        self._command = command
        self._inbox: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._waiting: deque[Request] = deque()
        self._under_way: RunUnderWay | None = None
        self._child: Child | None = None
        self._child_was_ready = False

    def serve(self, lines: TextIO) -> None:
        """Answers until ``lines`` end or `quit` comes; leaves no process and no half-written folder."""
        threading.Thread(target=self._listen, args=(lines,), daemon=True).start()
        self._start_child()
        try:
            while self._step():
                pass
        finally:
            self._end()

    def stop(self) -> None:
        """Ends :meth:`serve`, from a signal handler or another thread."""
        self._inbox.put(("closed", None))

    def _listen(self, lines: TextIO) -> None:
        for line in lines:
            if line.strip():
                self._inbox.put(("line", line))
        self.stop()

    def _step(self) -> bool:
        """Waits for one thing to happen and reacts to it; False when the worker is to end."""
        try:
            what, content = self._inbox.get(timeout=self._patience_s())
        except Empty:
            self._kill_run()
            return True
        if what == "closed":
            return False
        if what == "line":
            return self._on_line(content)
        child, event = content
        if child is self._child:
            self._on_event(event) if event is not None else self._on_child_ended()
        return True

    def _patience_s(self) -> float | None:
        """How long to wait for something to happen: until a cancelled run must be killed, else for ever."""
        run = self._under_way
        if run is None or run.kill_at is None or run.killed:
            return None
        return max(0.0, run.kill_at - time.monotonic())

    # What the client says.

    def _on_line(self, line: str) -> bool:
        try:
            request = read_request(line)
            if request.name == "quit":
                return False
            if request.name == "cancel":
                self._cancel(request)
            else:
                self._accept(request)
        except RequestError as error:
            self._send(error_event(error.id, error))
        return True

    def _accept(self, request: Request) -> None:
        if any(known.id == request.id for known in self._known()):
            raise RequestError("A run with this id is waiting or under way.", "Give each run its own id.", request.id)
        self._waiting.append(request)
        self._start_next()

    def _cancel(self, request: Request) -> None:
        for waiting in self._waiting:
            if waiting.id == request.id:
                self._waiting.remove(waiting)
                self._send(error_event(request.id, Cancelled()))
                return
        run = self._under_way
        if run is None or run.request.id != request.id:
            raise RequestError("There is no run with this id.", "It may have ended already.", request.id)
        if run.kill_at is None and self._child is not None:
            run.kill_at = time.monotonic() + CANCEL_PATIENCE_S
            self._child.send({"id": request.id, "request": "cancel"})

    # What the warm process says.

    def _on_event(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "ready":
            self._child_was_ready = True
        run = self._under_way
        about_run = run is not None and event.get("id") == run.request.id
        if kind == "progress" and (not about_run or run is None or run.kill_at is not None):
            return
        self._send(event)
        if about_run and kind in ("result", "error", "ready"):
            self._under_way = None
            self._start_next()

    def _on_child_ended(self) -> None:
        run, self._under_way, self._child = self._under_way, None, None
        if run is not None:
            self._send(self._last_word(run))
        if self._child_was_ready or self._waiting or run is not None:  # else it cannot even start: wait for a request
            self._start_child()
        self._start_next()

    def _last_word(self, run: RunUnderWay) -> dict[str, Any]:
        """The event that ends a run whose process is gone: it was cancelled, or died, or had just finished."""
        id = run.request.id
        if self._wrote_whole_result(run):
            return {"event": "result", "id": id, "folder": run.request.fields["out"]}
        self._clean_up(run)
        if run.kill_at is not None:
            return error_event(id, Cancelled())
        return error_event(
            id,
            RunError(
                "The process that did the work ended unexpectedly (often: the computer ran out of memory).",
                "Close other programs and start it again.",
            ),
        )

    def _wrote_whole_result(self, run: RunUnderWay) -> bool:
        out = run.request.fields.get("out")
        if out is None:
            return False
        with contextlib.suppress(OSError):
            return (Path(out) / RESULT_FILE).stat().st_mtime >= run.started
        return False

    def _clean_up(self, run: RunUnderWay) -> None:
        for name in ("out", "result"):
            folder = run.request.fields.get(name)
            if folder is not None:
                with contextlib.suppress(OSError, ECEError):
                    remove_leftovers(Path(folder))

    # What the supervisor does.

    def _start_child(self) -> None:
        self._child_was_ready = False
        self._child = Child(self._command, lambda child, event: self._inbox.put(("child", (child, event))))

    def _start_next(self) -> None:
        if self._under_way is not None or not self._waiting:
            return
        if self._child is None:
            self._start_child()
        request = self._waiting.popleft()
        self._under_way = RunUnderWay(request)
        assert self._child is not None
        self._child.send(request.fields)

    def _kill_run(self) -> None:
        if self._under_way is not None and self._child is not None:
            self._under_way.killed = True
            self._child.kill()

    def _known(self) -> list[Request]:
        return [*self._waiting, *([self._under_way.request] if self._under_way else [])]

    def _end(self) -> None:
        child, run = self._child, self._under_way
        if child is not None:
            child.kill()
            child.wait()
        if run is not None:
            self._clean_up(run)
        for request in self._known():
            self._send(error_event(request.id, Cancelled()))

    def _send(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):  # the client is gone: stdin will close next
            self._events.write(to_line(event))
            self._events.flush()


def main(command: Sequence[str] = WARM_PROCESS) -> int:
    """Serves stdin and stdout until stdin closes, `quit`, Ctrl-C or SIGTERM."""
    supervisor = Supervisor(take_stdout(), command)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.serve(open_stdin())
    return 0
