"""What a benchmark is: a named function that measures and returns rows. A new one is one function in ``cases``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measurement.

    Parameters
    ----------
    ours, peer
        In ``unit``, less is better; ``peer`` None where there is nobody to compare with.
    settings
        All that somebody needs to repeat it, and what else was seen.
    """

    ours: float
    unit: str = "s"
    peer: float | None = None
    peer_name: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times less than the peer's ours is; above 1 is better."""
        return None if self.peer is None or self.ours == 0 else self.peer / self.ours


@dataclass(frozen=True)
class Case:
    """A benchmark: measured in a process of its own, on ``threads`` threads and as many cores.

    ``with_nnunet``: by an interpreter that has nnunetv2, see `nnunet_environment.py`.
    """

    name: str
    measure: Callable[[bool], list[Row]]
    threads: int
    goal: str
    with_nnunet: bool = False


CASES: dict[str, Case] = {}


class NotMeasurable(Exception):
    """The case cannot be measured here; the text says why. Other cases go on."""


def case(name: str, *, threads: int = 2, goal: str = "", with_nnunet: bool = False) -> Callable:
    """Register ``measure(tiny) -> list[Row]``; ``tiny`` only proves that it runs."""

    def register(measure: Callable[[bool], list[Row]]) -> Callable[[bool], list[Row]]:
        if name in CASES:
            raise ValueError(f"two benchmarks are named {name}")
        CASES[name] = Case(name, measure, threads, goal, with_nnunet)
        return measure

    return register


def load_cases() -> dict[str, Case]:
    """All cases, by name, in the order of the files' names."""
    import cases

    for module in sorted(pkgutil.iter_modules(cases.__path__), key=lambda found: found.name):
        importlib.import_module(f"cases.{module.name}")
    return CASES
