"""Speak to the worker (design.md section 6) as Slicer does: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import psutil
from process_tree import MemoryWatch, environment, use_cores


class Worker:
    """A worker of our own, ended at the end of the ``with``."""

    def __init__(self, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ece_core.worker"],
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        use_cores(psutil.Process(self._process.pid), threads)
        self._watch = MemoryWatch(self._process.pid)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()  # the worker ends with its input
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._watch.end()

    @property
    def peak_bytes(self) -> int:
        return self._watch.peak_bytes

    def ask(self, id: str, request: str, **fields: Any) -> float:
        """Send a request and wait for its last event; the seconds between.

        Raises
        ------
        RuntimeError
            It ended in an error, or the worker died.
        """
        started = time.perf_counter()
        self._process.stdin.write(json.dumps({"id": id, "request": request, **fields}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            event = json.loads(line)
            if event.get("id") != id:
                continue
            if event["event"] == "error":
                raise RuntimeError(f"the worker answered: {event['problem']} {event['fix']}")
            if event["event"] in ("result", "ready"):
                return time.perf_counter() - started
        raise RuntimeError("the worker ended without an answer")
