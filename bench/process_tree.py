"""Run a program on some cores without a GPU and watch the memory of all its processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

INTERVAL_S = 0.05


def environment(threads: int) -> dict[str, str]:
    """The caller's environment with ``threads`` for every library that starts its own, and no GPU."""
    names = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    )
    return {**os.environ, **dict.fromkeys(names, str(threads)), "CUDA_VISIBLE_DEVICES": ""}


def use_cores(process: psutil.Process, count: int) -> None:
    """Keep a process, and those it starts, on ``count`` cores, where the system can."""
    if hasattr(process, "cpu_affinity"):
        process.cpu_affinity(process.cpu_affinity()[:count])


class MemoryWatch:
    """Peak of the resident memory of a process and all its descendants, sampled every 50 ms.

    Pages that processes share count once for each, so this is an upper bound.
    """

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.is_set():
            self.peak_bytes = max(self.peak_bytes, self._resident())
            self._over.wait(INTERVAL_S)

    def _resident(self) -> int:
        total = 0
        try:
            for process in (self._process, *self._process.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue
        except psutil.Error:
            return total
        return total

    def end(self) -> int:
        self._over.set()
        self._thread.join()
        return self.peak_bytes


@dataclass(frozen=True)
class Run:
    seconds: float
    peak_bytes: int


def run(command: list[str], threads: int) -> Run:
    """Run a program to its end.

    Raises
    ------
    RuntimeError
        It failed; the text holds the end of what it wrote.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            started = time.perf_counter()
            process = subprocess.Popen(command, env=environment(threads), stdout=output, stderr=subprocess.STDOUT)
            use_cores(psutil.Process(process.pid), threads)
            watch = MemoryWatch(process.pid)
            largest = _wait(process)
            seconds = time.perf_counter() - started
            sampled = watch.end()
        if process.returncode != 0:
            raise RuntimeError(f"exit code {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    return Run(seconds, max(sampled, largest))


def _wait(process: subprocess.Popen) -> int:
    """Wait for the end; the largest resident size of any one process, from the kernel, which misses no spike."""
    if not hasattr(os, "wait4"):
        process.wait()
        return 0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
