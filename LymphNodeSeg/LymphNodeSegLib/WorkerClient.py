"""The worker's protocol (design.md, section 6): JSON lines out, JSON lines in, one job at a time."""

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Protocol

import qt
from slicer.i18n import tr as _

from .WorkerProcess import QtWorkerProcess, WorkerProcess

CANCEL_GRACE_MS = 4000  # the worker answers a cancel within a second; one that does not is ended


class JobListener(Protocol):
    """Who asked for a job. Exactly one of the last three is called, once."""

    def onProgress(self, stage: str, fraction: float, remaining: float | None) -> None: ...
    def onLog(self, line: str) -> None: ...
    def onResult(self, event: dict) -> None: ...
    def onError(self, problem: str, fix: str, failures: Sequence[dict] = ()) -> None: ...  # of which parts, and why
    def onCancelled(self) -> None: ...


class WorkerClient:
    """One warm worker process, started when first needed, shared by the modules.

    Parameters
    ----------
    makeProcess
        Called for each new process; a test gives its own.
    """

    _shared = None
    _users = 0

    def __init__(self, makeProcess: Callable[[], WorkerProcess] = QtWorkerProcess) -> None:
        self._makeProcess = makeProcess
        self._process: WorkerProcess | None = None
        self._ids = itertools.count(1)
        self._jobId = None
        self._listener: JobListener | None = None
        self._cancelling = False
        self.device = ""  # that "auto" stands for, once the worker has said so
        self.observers: list[Callable[[], None]] = []  # called when the worker became busy or free
        self._graceTimer = qt.QTimer()
        self._graceTimer.setSingleShot(True)
        self._graceTimer.connect("timeout()", self._onNoAnswer)

    @classmethod
    def acquire(cls) -> "WorkerClient":
        """The client that both modules share: torch and the weights are in memory once."""
        if cls._shared is None:
            cls._shared = cls()
        WorkerClient._users += 1
        return cls._shared

    @classmethod
    def release(cls) -> None:
        """Ends the process when the last module has gone."""
        WorkerClient._users = max(0, cls._users - 1)
        if cls._users == 0 and cls._shared is not None:
            cls._shared.stop()
            WorkerClient._shared = None

    @property
    def isBusy(self) -> bool:
        return self._jobId is not None

    @property
    def process(self) -> WorkerProcess | None:
        return self._process

    def warmUp(self) -> None:
        """Start the process, so that it loads while the user still looks at the scan."""
        if self._process is None:
            self._process = self._makeProcess()
            self._process.start(self._onLine, self._onLog, self._onEnded)

    def submit(self, request: str, fields: dict, listener: JobListener) -> None:
        """Send a job, such as ``analyze`` with ``ct``, ``out`` and ``options``."""
        if self.isBusy:
            raise RuntimeError("The worker does one job at a time; ask isBusy first.")
        self.warmUp()
        self._jobId, self._listener, self._cancelling = str(next(self._ids)), listener, False
        self._send({"id": self._jobId, "request": request, **fields})
        self._tell()

    def cancel(self) -> None:
        """Ask the worker to stop its job; end it when no answer comes."""
        if not self.isBusy or self._cancelling:
            return
        self._cancelling = True
        self._send({"id": self._jobId, "request": "cancel"})
        self._graceTimer.start(CANCEL_GRACE_MS)

    def stop(self) -> None:
        """End the process tree now. A job that was running hears onCancelled."""
        self._graceTimer.stop()
        process, self._process = self._process, None
        if process is not None:
            process.stop()
        listener = self._takeListener()
        if listener is not None:
            listener.onCancelled()
            self._tell()

    def _tell(self) -> None:
        for observer in list(self.observers):
            observer()

    def _send(self, request: dict) -> None:
        self._process.send(json.dumps(request))

    def _takeListener(self) -> JobListener | None:
        listener, self._listener, self._jobId = self._listener, None, None
        self._graceTimer.stop()
        return listener

    def _onLog(self, line: str) -> None:
        if self._listener is not None:
            self._listener.onLog(line)

    def _onLine(self, line: str) -> None:
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, TypeError, KeyError):
            self._onLog(line)  # a library printed to stdout: keep it, it may explain what follows
            return
        if kind == "ready":
            self._onReady(event)
            return
        if str(event.get("id")) != self._jobId:
            return  # the late answer of a job that was given up
        if kind == "progress":
            self._onProgress(event)
        elif kind in ("result", "error"):
            self._onAnswer(kind, event)

    def _onReady(self, event: dict) -> None:
        """The worker has loaded: it knows the device now."""
        self.device = event.get("device") or ""
        self._tell()

    def _onProgress(self, event: dict) -> None:
        if not self._cancelling:
            self._listener.onProgress(
                event.get("title") or event.get("stage", ""), event.get("fraction") or 0.0, event.get("remaining_s")
            )

    def _onAnswer(self, kind: str, event: dict) -> None:
        cancelled = self._cancelling or event.get("kind") == "cancelled"
        listener = self._takeListener()
        if kind == "result":  # also when it was done before the cancel reached it
            listener.onResult(event)
        elif cancelled:
            listener.onCancelled()
        else:
            listener.onError(event.get("problem", ""), event.get("fix", ""), event.get("failures") or ())
        self._tell()

    def _onNoAnswer(self) -> None:
        self.stop()

    def _onEnded(self, exitCode: int | None) -> None:
        self._process = None
        cancelled, listener = self._cancelling, self._takeListener()
        if listener is None:
            return
        if cancelled:
            listener.onCancelled()
        elif exitCode is None:
            listener.onError(
                _("The analysis process could not be started."),
                _("Slicer's own Python (PythonSlicer) was not found or may not run. Install Slicer again."),
            )
        else:
            listener.onError(
                _("The analysis process ended unexpectedly (exit code {code}).").format(code=exitCode),
                _("Often memory ran out: close other programs, or choose the device CPU, and try again. "
                  "The log is under Details."),
            )
        self._tell()
