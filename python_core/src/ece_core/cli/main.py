"""`ece`: reads the command line, runs the command, turns errors into exit codes."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from ece_core import RESEARCH_USE_ONLY, __version__
from ece_core.cli import (
    analyze,
    classify,
    deidentify,
    doctor,
    evaluate,
    explain,
    export,
    models,
    pacs,
    segment,
    simulate,
    train,
)
from ece_core.cli.console import Console
from ece_core.errors import Cancelled, ECEError, InputError
from ece_core.pipeline.failure import as_ece_error, log_cause
from ece_core.privacy.logs import private_logs

DONE, WRONG_INPUT, FAILED = 0, 2, 3
COMMANDS = (analyze, segment, classify, explain, export, simulate, train, evaluate, models, pacs, deidentify, doctor)


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the options and what to do, as every other error does."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments"):
            message = "there are arguments that it does not know"  # they may be paths
        raise InputError(f"The options are wrong: {message}.", f"See `{self.prog} --help`.")


def make_parser() -> Parser:
    parser = Parser(
        prog="ece",
        description=f"Find, measure and classify cervical lymph nodes on contrast neck CT. {RESEARCH_USE_ONLY}",
    )
    parser.add_argument("--version", action="version", version=f"ece {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Parameters
    ----------
    argv
        The arguments without the program's name; None: the process's own.

    Returns
    -------
    int
        0 done, 2 the input or the options are wrong (nothing written), 3 the run failed or was cancelled
        (nothing half-written).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = Console(json_lines="--json" in arguments)
    try:
        with interruptible(), private_logs():
            asked = make_parser().parse_args(arguments)
            asked.run(asked, console)
            return DONE
    except KeyboardInterrupt:
        console.error(Cancelled())
        return FAILED
    except ECEError as error:
        console.error(error)
        if error.__cause__ is not None and not isinstance(error, InputError):
            log_cause(error.__cause__)
        return WRONG_INPUT if isinstance(error, InputError) else FAILED
    except BrokenPipeError:
        sys.stdout = None  # whoever read our output has left: nothing more to say, also not at exit
        return FAILED
    except Exception as error:
        console.error(as_ece_error(error))
        log_cause(error)
        return FAILED


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block with KeyboardInterrupt, so that it cleans up; a second one ends at once."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever started us handles signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
