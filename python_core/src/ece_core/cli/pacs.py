"""`ece pacs query|fetch|send|echo`: the PACS that the user names, over DICOMweb or DIMSE."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.cli.pacs_arguments import add_server_arguments, connection, show_transfer
from ece_core.cli.table import columns
from ece_core.pacs import Found, fetch, files_to_send, find_series, find_studies, send

KEYS = {"study": "StudyInstanceUID", "patient_id": "PatientID", "accession": "AccessionNumber", "date": "StudyDate"}


def add_parser(commands) -> None:
    parser = commands.add_parser("pacs", help="ask a PACS, fetch from it, send results to it")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_query(actions)
    add_fetch(actions)
    add_send(actions)
    _common(actions.add_parser("echo", help="whether the PACS is there and talks to us"), run_echo)


def add_query(actions) -> None:
    query = actions.add_parser("query", help="studies of the PACS, and the series of one")
    query.add_argument("--study", metavar="UID", help="one study, with its series")
    query.add_argument("--patient-id", metavar="ID")
    query.add_argument("--accession", metavar="NUMBER", help="accession number")
    query.add_argument("--date", metavar="DATE", help="20260131, or a range 20260101-20260131")
    query.add_argument("--show-patient", action="store_true", help="also names, IDs and descriptions, on the screen")
    _common(query, run_query)


def add_fetch(actions) -> None:
    parser = actions.add_parser("fetch", help="a study into a folder; what is there already is not fetched again")
    parser.add_argument("study", metavar="STUDY", help="its UID, from ece pacs query")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--series", metavar="UID", help="only this series")
    _common(parser, run_fetch)


def add_send(actions) -> None:
    parser = actions.add_parser("send", help="a result (or any DICOM files); what the PACS has is not sent again")
    parser.add_argument("path", type=Path, metavar="RESULT", help="result folder, folder of DICOM files, or one file")
    _common(parser, run_send)


def _common(parser: argparse.ArgumentParser, run) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run_echo(asked: argparse.Namespace, console: Console) -> None:
    with connection(asked) as pacs:
        pacs.echo()
    console.event({"event": "echo"})
    console.say("The PACS answers.")


def run_query(asked: argparse.Namespace, console: Console) -> None:
    keys = {KEYS[name]: value for name in KEYS if (value := getattr(asked, name))}
    with connection(asked) as pacs:
        studies = find_studies(pacs, keys, asked.show_patient)
        series = find_series(pacs, asked.study, asked.show_patient) if asked.study and studies else []
    _show(console, "study", studies)
    _show(console, "series", series)
    if not studies:
        console.say("The PACS has no such study.")


def run_fetch(asked: argparse.Namespace, console: Console) -> None:
    progress = console.progress()
    with connection(asked) as pacs:
        done = fetch(pacs, asked.study, asked.folder, asked.series, tell=fraction_of("fetch", progress))
    progress.end()
    show_transfer(console, done, "fetched")


def run_send(asked: argparse.Namespace, console: Console) -> None:
    files = files_to_send(asked.path)
    progress = console.progress()
    with connection(asked) as pacs:
        done = send(pacs, files, fraction_of("send", progress))
    progress.end()
    show_transfer(console, done, "sent")


def fraction_of(stage: str, progress):
    """A progress report that counts."""
    return lambda done, total: progress(stage, done / max(total, 1))


def _show(console: Console, kind: str, found: list[Found]) -> None:
    for one in found:
        console.event({"event": kind, **one.values})
    if found:
        console.say(columns([list(found[0].values), *(list(one.values.values()) for one in found)]))
