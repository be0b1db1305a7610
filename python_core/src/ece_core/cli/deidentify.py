"""`ece deidentify IN OUT`: DICOM for research, without the patient's identity."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

from ece_core import RESEARCH_USE_ONLY
from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.errors import InputError
from ece_core.export.result_folder import new_result_folder

KEY_BYTES = 32
WHAT = "the key"


def add_parser(commands) -> None:
    parser = commands.add_parser("deidentify", help="copy DICOM for research, without the patient's identity")
    parser.add_argument("source", type=Path, metavar="IN", help="folder of DICOM files, or one file")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    parser.add_argument(
        "--key", type=Path, metavar="FILE",
        help="owner-only file: the same key gives a patient the same pseudonym again; made if absent (default: a key "
        "that is thrown away)",
    )  # fmt: skip
    parser.add_argument("--with-burned-in", action="store_true", help="also images that say that text is burned in")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.privacy.export_folder import deidentify_folder, warnings_of

    key = read_key(asked.key)
    progress = console.progress()
    with new_result_folder(asked.out) as folder:
        notes = deidentify_folder(
            asked.source, folder, key, with_burned_in=asked.with_burned_in,
            tell=lambda done, total: progress("deidentify", done / total),
        )  # fmt: skip
    progress.end()
    console.event({"event": "result", "id": None, "folder": str(asked.out), "warnings": warnings_of(notes)})
    for sentence in warnings_of(notes):
        console.say(sentence)
    console.say(f"The copy: {asked.out}")
    console.say(RESEARCH_USE_ONLY)


def read_key(file: Path | None) -> bytes:
    """The key of the file, made if absent; without a file one that nobody keeps.

    Raises
    ------
    InputError
        Others may open the file, or it holds no key.
    """
    from ece_core.privacy.owner_only import read_owner_only, write_owner_only

    if file is None:
        return secrets.token_bytes(KEY_BYTES)
    if not file.exists():
        write_owner_only(file, secrets.token_hex(KEY_BYTES) + "\n", WHAT)
    try:
        key = bytes.fromhex(read_owner_only(file, WHAT).strip())
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES // 2:
        raise InputError("The key's file holds no key.", "Give a file that does not exist, and one is made.")
    return key
