"""How much more memory a call takes at its peak than the process had before."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psutil

INTERVAL_S = 0.005


def peak_memory_mib(function: Callable[[], object]) -> float:
    """Resident memory at the call's peak less that before, sampled every 5 ms.

    A process keeps what earlier calls freed, and uses it again: a second call seems to need little. So measure before
    anything else has called ``function``, and ours before any peer: what is left over then speaks for the peer. (A copy
    of the process by fork would be cleaner; libraries with threads of their own hang in it.)
    """
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
