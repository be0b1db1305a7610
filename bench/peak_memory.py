"""How much more memory a call takes at its peak than the process had before."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import psutil

INTERVAL_S = 0.005


def peak_memory_mib(function: Callable[[], object]) -> float:
    """Resident memory at the call's peak less that before, sampled every 5 ms, in a copy of this process.

    A process keeps what earlier calls freed, and uses it again: a second call seems to need little. So measure before
    anything else has called ``function``. Where processes cannot be copied (Windows) it is called in this one.
    """
    if not hasattr(os, "fork"):
        return _peak_mib(function)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, f"{_peak_mib(function):.3f}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    if not text:
        raise RuntimeError("the call failed in the process that measures its memory; see above")
    return float(text)


def _peak_mib(function: Callable[[], object]) -> float:
    process, over = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not over.is_set():
            peak = max(peak, process.memory_info().rss)
            over.wait(INTERVAL_S)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    function()
    over.set()
    thread.join()
    return (peak - before) / 2**20
