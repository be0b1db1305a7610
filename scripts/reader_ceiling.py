"""How well could ENE be told from P at all? Readers who know the drawing, on lymph nodes that the classifier judged.

    python scripts/reader_ceiling.py RESULTS COHORT

RESULTS and COHORT as `ece evaluate classification` takes them. Each reader is a logistic regression on what it knows,
fitted to other patients than those it reads (ten folds). What a reader knows is the drawing's own word, with no noise
and no wrong outline, so it is no network's to have; it says how much of the difference each sign carries.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from ece_core.evaluation.bootstrap import figure
from ece_core.evaluation.cohort import EvaluatedCase, read_cases
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.judged_rows import counterparts
from ece_core.simulate.truth import auc
from simulator_difficulty import read

Array = np.ndarray
ENE, SHORT_AXIS, VISIBLE, STRANDING, NECROTIC, CLASSIFIER, READING = range(7)
READERS = {
    "the short axis": (SHORT_AXIS,),
    "the short axis, and whether the breach is visible": (SHORT_AXIS, VISIBLE),
    "these, and how dense the strands are": (SHORT_AXIS, VISIBLE, STRANDING),
    "these, and necrosis": (SHORT_AXIS, VISIBLE, STRANDING, NECROTIC),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("cohort", type=Path)
    asked = parser.parse_args()
    patients = [metastases(case) for case in read_cases(asked.results, asked.cohort)]
    print("\n".join(ceiling_table(patients).markdown()))
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"\n{len(patients)} patients, {machine}, {date.today().isoformat()}.")


def metastases(case: EvaluatedCase) -> Array:
    """(n, 7), the columns named at the top, of the true P and ENE that the classifier judged; no reading yet."""
    rows = []
    for label, node in counterparts(case):
        truth = case.truth[label]
        if node is None or node.ece_probability is None or truth["class"] == "N":
            continue
        drawn = (truth[key] for key in ("short_axis_mm", "visible", "stranding", "necrotic"))
        rows.append((truth["class"] == "ENE", *drawn, node.ece_probability, 0.0))
    return np.array(rows, float).reshape(-1, 7)


def ceiling_table(patients: Sequence[Array]) -> Table:
    rows = [_row(f"Knows {words}", read(patients, known), READING) for words, known in READERS.items()]
    rows.append(_row("The classifier, which sees the scan alone", patients, CLASSIFIER))
    columns = ("Reader", "AUC, ENE against P", "only visible breaches", "only breaches that are not visible")
    return Table("reader_ceiling", "How well ENE could be told from P", columns, rows, decimals=3)


def _row(name: str, patients: Sequence[Array], column: int) -> tuple:
    def area(rows: Array) -> float | None:
        return auc(rows[:, column], rows[:, ENE] > 0)

    seen = [rows[(rows[:, ENE] == 0) | (rows[:, VISIBLE] > 0)] for rows in patients]
    hidden = [rows[(rows[:, ENE] == 0) | (rows[:, VISIBLE] == 0)] for rows in patients]
    return (name, *(figure(area, group) for group in (patients, seen, hidden)))


if __name__ == "__main__":
    main()
