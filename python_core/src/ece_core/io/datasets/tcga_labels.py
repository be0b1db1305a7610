"""Pathologic ENE of TCGA-HNSC from the clinical tables of GDC, UCSC Xena or cBioPortal: per patient, no CT inside."""

from __future__ import annotations

from pathlib import Path

from ece_core.errors import InputError
from ece_core.io.datasets.case import PathologicENE, PatientLabels
from ece_core.io.datasets.patient_table import PatientRow, read_rows

# The same element under two names: in GDC's biotab files the first is the header and the second its alternative.
ENE_COLUMNS = ("extracapsular_spread_pathologic", "presence_of_pathological_nodal_extracapsular_spread")
ID_COLUMNS = ("bcr_patient_barcode", "submitter_id", "case_submitter_id", "cases.submitter_id", "sampleid", "sample")
MEANINGS: dict[str, PathologicENE | None] = {
    "no extranodal extension": "none",
    "microscopic extension": "microscopic",
    "gross extension": "gross",
}
BARCODE_PARTS = 3  # TCGA-XX-XXXX is the patient; what follows names a sample
TABLE_FIX = "Choose the clinical table of TCGA-HNSC (nationwidechildrens.org_clinical_patient_hnsc.txt)."


def read_tcga_labels(path: Path | str) -> dict[str, PatientRow]:
    """Read a clinical table of TCGA-HNSC.

    Parameters
    ----------
    path
        Tab- or comma-separated, one row per patient or sample. GDC's extra header rows are skipped.

    Returns
    -------
    dict
        Patient barcode (``TCGA-XX-XXXX``, which is the PatientID of the images) -> row, for
        ``Dataset.with_labels(rows, all_rows=False)``. What is in brackets ([Not Available] ...) or empty is unknown.

    Raises
    ------
    InputError
        It is another table, a value is none of the three that GDC allows, or rows of one patient contradict
        each other.
    """
    header, *rows = read_rows(Path(path))
    names = [name.strip().lower() for name in header]
    id_column, ene_column = _column(names, ID_COLUMNS), _column(names, ENE_COLUMNS)
    found: dict[str, PatientRow] = {}
    for line, row in enumerate(rows, start=2):
        if len(row) <= max(id_column, ene_column) or not row[id_column].strip().upper().startswith("TCGA-"):
            continue  # an empty row, or one of GDC's further header rows
        barcode = "-".join(row[id_column].strip().upper().split("-")[:BARCODE_PARTS])
        labels = PatientLabels(pene=_meaning(row[ene_column], line))
        if barcode in found and found[barcode].labels != labels:
            raise InputError(
                f"Rows {found[barcode].line} and {line} of the table contradict each other about one patient.",
                TABLE_FIX,
            )
        found.setdefault(barcode, PatientRow(labels, line))
    if not found:
        raise InputError("The table has no row of a TCGA patient.", TABLE_FIX)
    return found


def _column(names: list[str], candidates: tuple[str, ...]) -> int:
    for candidate in candidates:
        if candidate in names:
            return names.index(candidate)
    raise InputError(f"The table has no column {' or '.join(candidates[:2])}.", TABLE_FIX)


def _meaning(cell: str, line: int) -> PathologicENE | None:
    text = cell.strip().lower()
    if not text or text.startswith("["):
        return None
    if text not in MEANINGS:
        raise InputError(
            f"Row {line} of the table has a value for extracapsular spread that TCGA does not define.",
            "It may be No Extranodal Extension, Microscopic Extension or Gross Extension.",
        )
    return MEANINGS[text]
