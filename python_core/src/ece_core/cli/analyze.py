"""`ece analyze CT OUT`: everything, from the CT to the result folder; also from a PACS and back to it."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ece_core.cli.arguments import (
    CT_HELP,
    OUT_HELP,
    add_explain_argument,
    add_faithfulness_argument,
    add_patient_model_argument,
    add_rtstruct_argument,
    add_run_arguments,
    add_search_arguments,
    read_options,
)
from ece_core.cli.console import Console
from ece_core.cli.pacs_arguments import add_server_arguments, connection, show_transfer
from ece_core.cli.progress import Progress
from ece_core.cli.show_result import show_result
from ece_core.cli.table import result_text
from ece_core.errors import InputError

USAGE = "ece analyze CT OUT [options]\n       ece analyze --from-pacs STUDY [OUT] [--send] --server ADDRESS [options]"


def add_parser(commands) -> None:
    parser = commands.add_parser("analyze", help="find, measure, classify and explain lymph nodes", usage=USAGE)
    ct = parser.add_argument("ct", type=Path, metavar="CT", help=CT_HELP)
    out = parser.add_argument("out", type=Path, metavar="OUT", help=OUT_HELP)
    add_explain_argument(parser)
    add_faithfulness_argument(parser)
    add_patient_model_argument(parser)
    add_search_arguments(parser)
    add_run_arguments(parser)
    add_rtstruct_argument(parser)
    parser.add_argument("--from-pacs", metavar="STUDY", action=_from_pacs(ct, out), help="fetch this study's CT")
    parser.add_argument("--send", action="store_true", help="send the result's DICOM objects to the PACS")
    add_server_arguments(parser)
    parser.set_defaults(run=run)


def _from_pacs(ct: argparse.Action, out: argparse.Action) -> type[argparse.Action]:
    """Stores the study; there is no CT then, and OUT may be left out."""

    class FromPacs(argparse.Action):
        def __call__(self, parser, namespace, values, option_string=None) -> None:
            setattr(namespace, self.dest, values)
            ct.required = out.required = False

    return FromPacs


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.pipeline import analyze

    options = read_options(asked)
    with ExitStack() as stack:
        if asked.send:
            connection(asked)  # whether there is a server to send to is known before a minute of work, not after
        progress = console.progress()
        ct, out = asked.ct, asked.out
        if asked.from_pacs:
            out = _only_out(asked) or stack.enter_context(_temporary()) / "result"
            ct = stack.enter_context(_fetched(asked, console, progress))
        result = analyze(ct, out, options, progress)
        progress.end()
        if out in (asked.ct, asked.out):
            show_result(console, out, result)
        else:
            console.say(result_text(result))
        if asked.send:
            _send(asked, console, out)


def _only_out(asked: argparse.Namespace) -> Path | None:
    """With --from-pacs the one place that is given is OUT."""
    if asked.out is not None:
        raise InputError("With --from-pacs there is no CT to give.", "Give OUT alone, or leave out --from-pacs.")
    if asked.ct is None and not asked.send:
        raise InputError("The result would go nowhere.", "Give OUT, or --send.")
    return asked.ct


@contextmanager
def _temporary() -> Iterator[Path]:
    """For patients' images: nobody else may look into it, and it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ece-") as folder:
        yield Path(folder)


@contextmanager
def _fetched(asked: argparse.Namespace, console: Console, progress: Progress) -> Iterator[Path]:
    from ece_core.cli.pacs import fraction_of
    from ece_core.pacs import fetch

    series = asked.series.partition("#")[0] if asked.series else None  # "UID#2" is a part of a series: io/reading.py
    with _temporary() as folder:
        with connection(asked) as pacs:
            done = fetch(pacs, asked.from_pacs, folder, series, modality="CT", tell=fraction_of("fetch", progress))
        progress.end()
        show_transfer(console, done, "fetched")
        yield folder


def _send(asked: argparse.Namespace, console: Console, out: Path) -> None:
    from ece_core.pacs import files_to_send, send

    files = files_to_send(out)
    with connection(asked) as pacs:
        show_transfer(console, send(pacs, files), "sent")
