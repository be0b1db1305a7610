"""The named stages of a run, how long each takes, and how far the run is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Report = Callable[[str, float], None]
"""Called with the stage's name and the fraction (0 to 1) of the whole run. It may raise ``Cancelled``."""


@dataclass(frozen=True)
class Stage:
    """One step of a run. ``weight`` is its share of the time (about seconds on two CPU cores)."""

    name: str
    title: str
    weight: float


STAGES = (
    Stage("read", "Read the CT", 1),
    Stage("load_models", "Load the networks", 6),
    Stage("neck_region", "Find the neck", 1),
    Stage("segment", "Find lymph nodes", 30),
    Stage("instances", "Separate lymph nodes", 2),
    Stage("measure", "Measure lymph nodes", 3),
    Stage("classify", "Classify lymph nodes", 5),
    Stage("judge_patient", "Judge the patient as a whole", 6),
    Stage("contours", "Judge the outlines", 4),
    Stage("explain", "Explain the classes", 10),
    Stage("write", "Write the result", 4),
)
EXPLANATIONS = ("contours", "explain")  # done only when explanations are asked for
STAGE_TITLES = {stage.name: stage.title for stage in STAGES}
_WEIGHTS = {stage.name: stage.weight for stage in STAGES}


def stage_title(name: str) -> str:
    """The stage in words; the stages of other commands ("simulate", "train") are words already."""
    return STAGE_TITLES.get(name, name.capitalize())


def remaining_seconds(elapsed_s: float, fraction: float) -> float | None:
    """Time left if the run goes on as it did; None while nothing is known (fraction 0)."""
    return elapsed_s * (1 - fraction) / fraction if fraction > 0 else None


def silent(stage: str, fraction: float) -> None:
    """A report that nobody reads."""


class StageClock:
    """Times the stages of one run and reports the fraction of the whole, which never falls.

    Parameters
    ----------
    names
        The stages this run will go through, in their order; names out of STAGES.
    report
        Called at the start and end of each stage and whenever the stage says how far it is.

    Attributes
    ----------
    seconds
        {stage: s} of the stages that ended, in the order in which they ran.
    """

    def __init__(self, names: Sequence[str], report: Report) -> None:
        self.seconds: dict[str, float] = {}
        self._report = report
        self._names = tuple(names)
        self._total = sum(_WEIGHTS[name] for name in names)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Times the block; gives it a function to tell its own fraction (0 to 1)."""
        before = sum(_WEIGHTS[earlier] for earlier in self._names[: self._names.index(name)])
        furthest = 0.0

        def tell(fraction: float) -> None:
            nonlocal furthest
            furthest = max(furthest, min(float(fraction), 1.0))
            self._report(name, (before + _WEIGHTS[name] * furthest) / self._total)

        started = time.perf_counter()
        tell(0.0)
        yield tell
        self.seconds[name] = round(time.perf_counter() - started, 3)
        tell(1.0)
