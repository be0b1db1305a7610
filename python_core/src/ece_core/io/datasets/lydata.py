"""lyDATA: patterns of lymphatic progression per patient, as CSV with three header rows. No images.

Ludwig et al., doi:10.1016/j.dib.2023.109020 and later; github.com/rmnldwg/lydata, CC BY-SA 4.0.
"""

from __future__ import annotations

from pathlib import Path

from ece_core.errors import InputError
from ece_core.io.datasets.case import Case, PathologicENE, PatientLabels
from ece_core.io.datasets.dataset import Dataset
from ece_core.io.datasets.patient_table import read_rows

HEADER_ROWS = 3
LYDATA_FIX = "Choose a data.csv of lyDATA as it was published."
ENE: dict[str, PathologicENE] = {"true": "present", "false": "none"}
# (first, third) header -> our name. The second row is a filler ("#", "core", "info") that changed between releases.
FACTS = {
    ("positive_dissected", "all_lnls"): "positive_lymph_nodes",
    ("positive_dissected", "largest_node_mm"): "largest_lymph_node_mm",
    ("total_dissected", "all_lnls"): "dissected_lymph_nodes",
    ("patient", "n_stage"): "n_stage",
}


def load_lydata(path: Path | str) -> Dataset:
    """One case per patient: ``pene`` "none" or "present" where ECE is reported, and counts and sizes as facts.

    Raises
    ------
    InputError
        The file has not lyDATA's three header rows, a patient is there twice, or a value cannot be read.
    """
    rows = read_rows(Path(path))
    header = rows[:HEADER_ROWS]
    if len(header) < HEADER_ROWS or len({len(row) for row in header}) != 1:
        raise InputError("The table has not the three header rows of lyDATA.", LYDATA_FIX)
    columns = {
        (first.strip(), third.strip()): index for index, (first, _, third) in enumerate(zip(*header, strict=True))
    }
    if ("patient", "id") not in columns:
        raise InputError("The table has no column patient / id of lyDATA.", LYDATA_FIX)
    ene = columns.get(("patient", "extracapsular"))
    cases = []
    for line, row in enumerate(rows[HEADER_ROWS:], start=HEADER_ROWS + 1):
        if not any(row):
            continue
        if len(row) != len(header[0]):
            raise InputError(f"Row {line} of the table has {len(row)} cells, the header {len(header[0])}.", LYDATA_FIX)
        case_id = row[columns["patient", "id"]].strip()
        labels = PatientLabels(None if ene is None else _ene(row[ene], line), None, _facts(row, columns, line))
        cases.append(Case(case_id, case_id, labels=labels))
    notes = [] if ene is not None else ["The cohort does not report extracapsular extension."]
    return Dataset("lyDATA", cases, notes)


def _ene(cell: str, line: int) -> PathologicENE | None:
    text = cell.strip().lower()
    if not text:
        return None
    if text not in ENE:
        raise InputError(
            f"Row {line} of the table has a value for extracapsular that is not True or False.", LYDATA_FIX
        )
    return ENE[text]


def _facts(row: list[str], columns: dict[tuple[str, str], int], line: int) -> dict[str, float]:
    facts = {}
    for key, name in FACTS.items():
        text = row[columns[key]].strip() if key in columns else ""
        try:
            if text:
                facts[name] = float(text)
        except ValueError as error:
            raise InputError(f"Row {line} of the table has no number for {key[0]} / {key[1]}.", LYDATA_FIX) from error
    return facts
