"""Time things fairly: one warm-up each, then in turns, so that other load on the machine hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def in_turns(
    functions: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each call, ``rounds`` per function, interleaved; the warm-up calls are not kept.

    ``clock``: of the wall, or ``time.process_time`` for CPU seconds, which other load on the machine changes less.
    """
    for function in functions.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            seconds[name].append(timed(function, clock))
    return seconds


def timed(function: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    function()
    return clock() - started


def median(seconds: list[float]) -> float:
    return statistics.median(seconds)


def spread(seconds: list[float]) -> dict[str, float]:
    """Least, median and most, as settings of a row."""
    return {"min": round(min(seconds), 4), "median": round(median(seconds), 4), "max": round(max(seconds), 4)}
