"""When memory runs out: try the next, cheaper way, and say so in the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from ece_core.errors import RunError

T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """One way to do a step: on which device, with tiles of which size (1 = as the network was trained)."""

    device: str
    patch_scale: float = 1.0

    @property
    def words(self) -> str:
        place = "the CPU" if self.device == "cpu" else "the GPU"
        return f"smaller tiles on {place}" if self.patch_scale < 1 else place


def attempts_with_tiles(device: str) -> tuple[Attempt, ...]:
    """As asked, then smaller tiles, then the CPU, then smaller tiles there."""
    on_cpu = (Attempt("cpu"), Attempt("cpu", 0.5))
    return on_cpu if device == "cpu" else (Attempt(device), Attempt(device, 0.5), *on_cpu)


def attempts_whole(device: str) -> tuple[Attempt, ...]:
    """For a step that cannot be cut into tiles: as asked, then the CPU."""
    return (Attempt("cpu"),) if device == "cpu" else (Attempt(device), Attempt("cpu"))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether main or GPU memory ran out. Known by name and words, so that this needs no torch."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in words or "can't allocate memory" in words)


def with_less_memory(
    what: str, step: Callable[[Attempt], T], attempts: Sequence[Attempt], warn: Callable[[str], None]
) -> tuple[T, Attempt]:
    """What the first attempt that fits into memory returns, and which attempt that was.

    Parameters
    ----------
    what
        The step in plain words, for the warning.
    step
        Does the work the way the attempt says.
    attempts
        From the best to the cheapest.
    warn
        Takes the sentence for the reader when an attempt did not fit.

    Raises
    ------
    RunError
        Memory ran out in every attempt.
    """
    for attempt, cheaper in pairwise(attempts):
        try:
            return step(attempt), attempt
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            warn(f"Memory ran out ({what}, {attempt.words}); it was done with {cheaper.words} instead.")
    try:
        return step(attempts[-1]), attempts[-1]
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise RunError(
            f"Memory ran out ({what}), also with the cheapest way that there is.",
            "Close other programs, or run it on a computer with more memory.",
        ) from error
