"""A CSV of patient labels: case_id, and what is known of the patient. Everything that is not understood is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ece_core.errors import InputError
from ece_core.io.datasets.case import IENE_GRADES, PATHOLOGIC_ENE, SPLITS, PatientLabels, Split
from ece_core.io.quiet import library_call

COLUMNS = ("case_id", "pene", "iene_grade", "split")
NOT_KNOWN = ("", "unknown")
MAX_TABLE_BYTES = 64 * 2**20
DELIMITERS = (",", ";", "\t")  # a spreadsheet's choice depends on the country
T = TypeVar("T")


@dataclass(frozen=True)
class PatientRow:
    """Labels of one case, the split if the table gives one, and the row (1 is the header) for messages."""

    labels: PatientLabels
    line: int
    split: Split | None = None


def read_patient_table(path: Path | str) -> dict[str, PatientRow]:
    """Read a CSV with a header row; comma, semicolon or tab between columns.

    Parameters
    ----------
    path
        Columns ``case_id`` (a case id, or the name of the case's folder), and any of ``pene`` (none, microscopic,
        gross, present), ``iene_grade`` (0 to 3) and ``split`` (train, validation, test). An empty cell or "unknown"
        is unknown. Other columns are refused: a mistyped one would silently lose its labels.

    Returns
    -------
    dict
        case_id -> row, for :meth:`Dataset.with_labels`.

    Raises
    ------
    InputError
        A column is missing or unknown, a case is empty or there twice, or a value is not one of those above. The
        words name rows and columns, never what stands in them.
    """
    header, *rows = read_rows(Path(path))
    names = [name.strip().lower() for name in header]
    _check_columns(names)
    found: dict[str, PatientRow] = {}
    for line, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            raise InputError(
                f"Row {line} of the table has {len(row)} cells, the header {len(names)}.",
                "Save the table again as CSV.",
            )
        values = {name: cell.strip() for name, cell in zip(names, row, strict=True)}
        case_id = values["case_id"]
        if not case_id:
            raise InputError(f"Row {line} of the table names no case.", "Fill in case_id, or delete the row.")
        if case_id in found:
            raise InputError(
                f"Rows {found[case_id].line} and {line} of the table name the same case.", "Keep one of them."
            )
        labels = PatientLabels(
            pene=allowed(values, "pene", {name: name for name in PATHOLOGIC_ENE}, line),
            iene_grade=allowed(values, "iene_grade", {str(grade): grade for grade in IENE_GRADES}, line),
        )
        found[case_id] = PatientRow(labels, line, allowed(values, "split", {name: name for name in SPLITS}, line))
    if not found:
        raise InputError("The table has no rows below its header.", "Add one row per case.")
    return found


def allowed(values: Mapping[str, str], column: str, meanings: Mapping[str, T], line: int) -> T | None:
    """What a cell means; None if it is empty, unknown or the table lacks the column.

    Raises
    ------
    InputError
        The cell holds something else.
    """
    text = values.get(column, "").lower()
    if text in NOT_KNOWN:
        return None
    if text not in meanings:
        raise InputError(
            f"Row {line} of the table has a value in column {column} that is not allowed.",
            f"Write {', '.join(meanings)}, or leave it empty.",
        )
    return meanings[text]


def read_rows(path: Path) -> list[list[str]]:
    """All rows of a CSV, the header first.

    Raises
    ------
    InputError
        The file is absent, empty, too large or no text.
    """
    with library_call("The table cannot be read as text.", "Save it as CSV with UTF-8 characters."):
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise InputError(f"The table has more than {MAX_TABLE_BYTES // 2**20} MiB.", "Choose a table of patients.")
        text = path.read_text(encoding="utf-8-sig")
    lines = text.splitlines()
    if not lines:
        raise InputError("The table is empty.", "Choose a CSV with a header row.")
    delimiter = max(DELIMITERS, key=lines[0].count)
    with library_call("The table is not a CSV.", "Save it again as CSV."):
        try:
            return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise ValueError from error


def _check_columns(names: Sequence[str]) -> None:
    fix = f"The columns are {', '.join(COLUMNS)}; only case_id and one more are needed."
    if "case_id" not in names:
        raise InputError("The table has no column case_id.", fix)
    if len(set(names)) != len(names):
        raise InputError("Two columns of the table have one name.", fix)
    unknown = [number for number, name in enumerate(names, start=1) if name not in COLUMNS]
    if unknown:
        shown = ", ".join(str(number) for number in unknown)
        raise InputError(f"The table has columns that are not known here (column {shown}).", f"Delete them. {fix}")
    if len(names) == 1:
        raise InputError("The table has no column of labels.", fix)
