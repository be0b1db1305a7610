"""The warm process: loads torch and the networks once, then does one run after the other for the supervisor."""

from __future__ import annotations

import os
import threading
import time
from queue import SimpleQueue
from typing import Any, TextIO

from ece_core.errors import Cancelled, ECEError
from ece_core.pipeline.failure import as_ece_error, log_cause
from ece_core.privacy.logs import private_logs
from ece_core.worker.jobs import run_job
from ece_core.worker.messages import Request, error_event, progress_event, read_request, to_line
from ece_core.worker.streams import open_stdin, take_stdout

PROGRESS_INTERVAL_S = 0.1
LAST_CHANCE_S = 0.5  # for a run to clean up when the supervisor is gone


class WarmProcess:
    """Takes requests that the supervisor has checked, one run at a time, and `cancel` while a run is under way."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._writing = threading.Lock()
        self._requests: SimpleQueue[Request] = SimpleQueue()
        self._running: str | int | None = None
        self._cancelled: str | int | None = None  # the run that is to stop; it may not have started yet
        self._closed = False
        self._warm: dict[str, Any] = {}
        self._warming = threading.Thread(target=self._warm_up, daemon=True)

    def serve(self, lines: TextIO) -> None:
        """Runs until ``lines`` end; the process then ends whatever is under way."""
        threading.Thread(target=self._listen, args=(lines,), daemon=True).start()
        self._warming.start()
        while True:
            request = self._requests.get()
            if request.name == "warmup":
                self._warming.join()
                self._send({"event": "ready", "id": request.id, **self._warm})
            else:
                self._run(request)

    def _listen(self, lines: TextIO) -> None:
        for line in lines:
            request = read_request(line)
            if request.name != "cancel":
                self._requests.put(request)
            else:
                self._cancelled = request.id
        self._closed = True
        if self._running is not None:
            time.sleep(LAST_CHANCE_S)
        os._exit(0)  # a long step in torch cannot be asked to end, and nobody waits for its answer

    def _run(self, request: Request) -> None:
        self._running = request.id
        try:
            answer = run_job(request.name, request.fields, self._reporter(request.id))
            self._send({"event": "result", "id": request.id, **answer})
        except Exception as error:
            if not isinstance(error, ECEError):
                log_cause(error)
            self._send(error_event(request.id, as_ece_error(error)))
        finally:
            self._running = self._cancelled = None

    def _reporter(self, id: str | int):
        started = time.perf_counter()
        last_stage, last_time = "", 0.0

        def report(stage: str, fraction: float) -> None:
            nonlocal last_stage, last_time
            if self._closed or self._cancelled == id:
                raise Cancelled
            now = time.perf_counter()
            if stage == last_stage and now - last_time < PROGRESS_INTERVAL_S:
                return
            last_stage, last_time = stage, now
            self._send(progress_event(id, stage, fraction, now - started))

        return report

    def _warm_up(self) -> None:
        from ece_core.pipeline import networks

        started = time.perf_counter()
        device, warnings = None, []
        try:
            device = networks.choose_device("auto")
            for task in (networks.SEGMENTATION, networks.CLASSIFICATION):
                networks.load(task, None)
        except Exception as error:  # a run will meet it again and answer with it
            known = as_ece_error(error)
            warnings.append({"problem": known.problem, "fix": known.fix})
        seconds = round(time.perf_counter() - started, 3)
        self._warm = {"device": device, "seconds": seconds, "warnings": warnings}
        self._send({"event": "ready", **self._warm})

    def _send(self, event: dict[str, Any]) -> None:
        with self._writing:
            self._events.write(to_line(event))
            self._events.flush()


def main() -> None:
    with private_logs():
        WarmProcess(take_stdout()).serve(open_stdin())


if __name__ == "__main__":
    main()
