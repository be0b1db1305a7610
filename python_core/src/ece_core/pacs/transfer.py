"""Moving many instances over a line that may break: whatever is missing is moved, until nothing is.

A second pass, a retry and the resumption of yesterday's transfer are the same thing: ask what has arrived, move the
rest. So nothing is ever moved twice, and no state is kept but what has arrived.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from ece_core.pacs.instances import Failure, Instance, Transfer, Unreachable

TRIES_WITHOUT_PROGRESS = 4
FIRST_WAIT_S = 0.5  # doubles: a restart of the service is waited for, a dead one is given up after 4 s
BROKEN = "the connection broke before it was its turn"

Answer = TypeVar("Answer")
Move = Callable[[Sequence[Instance]], list[Failure]]


def transfer(
    wanted: Sequence[Instance],
    arrived: Callable[[], set[Instance]],
    move: Move,
    wait: Callable[[float], None] = time.sleep,
) -> Transfer:
    """Moves what has not arrived.

    Parameters
    ----------
    wanted
        All that shall be there in the end.
    arrived
        What is there now, as far as it is known.
    move
        Moves some; says what failed, or raises ``Unreachable`` in the middle.
    wait
        Takes seconds.

    Raises
    ------
    Refused
        The server does not want us.
    """
    before = there = arrived()
    refused: dict[Instance, Failure] = {}
    passing: dict[Instance, Failure] = {}
    idle = 0
    while (missing := [one for one in wanted if one not in there | set(refused)]) and idle < TRIES_WITHOUT_PROGRESS:
        if idle:
            wait(FIRST_WAIT_S * 2 ** (idle - 1))
        known, passing = len(there) + len(refused), {}
        with suppress(Unreachable):
            for failure in move(missing):
                (passing if failure.is_passing else refused)[failure.instance] = failure
        there = arrived()
        idle = 0 if len(there) + len(refused) > known else idle + 1
    failed = refused | passing
    return Transfer(
        moved=sum(one in there and one not in before for one in wanted),
        there_before=sum(one in before for one in wanted),
        failures=tuple(failed.get(one) or Failure(one, BROKEN, True) for one in wanted if one not in there),
    )


def with_patience(ask: Callable[[], Answer], wait: Callable[[float], None] = time.sleep) -> Answer:
    """The answer to a question, asked again while the server does not answer."""
    for tried in range(1, TRIES_WITHOUT_PROGRESS):
        with suppress(Unreachable):
            return ask()
        wait(FIRST_WAIT_S * 2 ** (tried - 1))
    return ask()
