"""How hard each difficulty of the simulator is: prints the table of docs/simulator.md and the declared figures.

    python scripts/simulator_difficulty.py FOLDER [--patients 200] [--seed 7] [--only easy,medium,hard]

The patients are those of `ece simulate --seed 7`. They are drawn, and each breach is looked at on the grid of its
own scan, but nothing else is scanned: mean HU is the mean of the drawn attenuation. FOLDER keeps them, so that a
stopped run goes on. Intervals: 95 %, bootstrap by patient. About 1 s of one core a patient and difficulty.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from ece_core.evaluation.bootstrap import figure, mean_of_column
from ece_core.simulate.baselines import baselines
from ece_core.simulate.case import diagnostic_grid, draw_case, drawn_truth
from ece_core.simulate.population import DIFFICULTIES
from ece_core.simulate.truth import auc, breach_signs

Array = np.ndarray
ENE, SHORT_AXIS, MEAN_HU, VISIBLE, STRANDING, NECROTIC, SOFTEST, READING = range(8)
SEEN_BY_THE_READER = [SHORT_AXIS, VISIBLE, STRANDING, NECROTIC, SOFTEST]
FOLDS = 10


def main() -> int:
    asked = _arguments()
    levels = asked.only.split(",")
    found = {level: drawn(asked.folder, level, asked.seed, asked.patients) for level in levels}
    print(table({level: figures(patients) for level, patients in found.items()}), end="\n\n")
    print(declared_table({level: declared(patients, level) for level, patients in found.items()}))
    print(
        f"\n{asked.patients} patients each, seed {asked.seed}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, {date.today().isoformat()}. In brackets: 95 % intervals, bootstrap by patient."
    )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="keeps the drawn patients")
    parser.add_argument("--patients", type=int, default=200, help="a difficulty (default: 200)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default=",".join(DIFFICULTIES), metavar="NAMES", help="difficulties, by comma")
    return parser.parse_args()


# Patients


def drawn(folder: Path, level: str, seed: int, count: int) -> list[list[dict]]:
    """Rows of `truth.json` of each patient before a scan, with the signs of a breach; draws what is not kept yet."""
    kept = folder / f"{level}_seed_{seed}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    with kept.open("a", encoding="utf-8") as file:
        for number in range(len(lines), count):
            lines.append(json.dumps(patient_of(seed, number, level)))
            print(lines[-1], file=file, flush=True)
            if (number + 1) % 20 == 0:
                print(f"{level}: {number + 1} of {count}", file=sys.stderr, flush=True)
    return [json.loads(line) for line in lines[:count]]


def patient_of(seed: int, number: int, level: str) -> list[dict]:
    shape, spacing_mm = diagnostic_grid(seed, number, level)
    patient, scanner, grid = draw_case(seed, number, level, shape, spacing_mm)
    rows = drawn_truth(patient, grid)
    for row in rows:
        node = patient.lymph_nodes[row["label"] - 1]
        row["visible"] = breach_signs(patient, row["label"], spacing_mm, scanner).visible
        row["stranding"], row["softest_mm"] = round(node.stranding, 2), round(node.softest_mm, 2)
    return rows


# Figures


def figures(patients: Sequence[Sequence[dict]]) -> dict[str, str]:
    """What the table says of one difficulty, by row title."""
    found = read([_metastases(rows) for rows in patients])
    together = np.concatenate(found)
    breaches = [rows[rows[:, ENE] > 0][:, [VISIBLE]] for rows in found]
    return {
        "metastases: P, ENE": f"{int((together[:, ENE] == 0).sum())}, {int(together[:, ENE].sum())}",
        "AUC of size alone": _words(figure(_auc_of(SHORT_AXIS), found)),
        "AUC of mean HU alone": _words(figure(_auc_of(MEAN_HU), found)),
        "AUC of the ideal reader": _words(figure(_auc_of(READING), found)),
        "share of breaches that are visible": _words(figure(mean_of_column, breaches)),
    }


def _metastases(rows: Sequence[dict]) -> Array:
    """(n, 8), the columns named at the top; the reading is not there yet."""
    keys = ("short_axis_mm", "mean_hu", "visible", "stranding", "necrotic", "softest_mm")
    found = [(row["class"] == "ENE", *(row[key] for key in keys), 0.0) for row in rows if row["class"] != "N"]
    return np.array(found, float).reshape(-1, 8)


def read(patients: Sequence[Array], known: Sequence[int] = SEEN_BY_THE_READER) -> list[Array]:
    """The patients with the reading, their last column, of a logistic regression that was not fitted to that patient.

    ``known``: columns of what it knows, the short axis first. Column ENE is the truth.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.concatenate(patients)
    owner = np.repeat(np.arange(len(patients)), [len(patient) for patient in patients])
    signs = rows[:, list(known)].copy()
    signs[:, 0] = np.log(signs[:, 0])
    reader = make_pipeline(StandardScaler(), LogisticRegression())
    folds = GroupKFold(FOLDS)
    readings = cross_val_predict(reader, signs, rows[:, ENE] > 0, groups=owner, cv=folds, method="predict_proba")
    rows[:, -1] = readings[:, 1]
    return [rows[owner == number] for number in range(len(patients))]


def _auc_of(column: int):
    return lambda rows: auc(rows[:, column], rows[:, ENE] > 0)


def declared(patients: Sequence[Sequence[dict]], level: str) -> list[dict]:
    """The figures that `ece simulate --truth-only` prints of these patients."""
    return [one.to_json() for one in baselines([row for rows in patients for row in rows], level)]


# Words


def _words(found: dict | None) -> str:
    if found is None:
        return "too few"
    if found["low"] is None:
        return f"{found['value']:.2f}"
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def table(found: dict[str, dict[str, str]]) -> str:
    """Markdown, one column a difficulty."""
    titles = next(iter(found.values()))
    rows = [[title, *(cells[title] for cells in found.values())] for title in titles]
    return _markdown(["P against ENE", *found], rows)


def declared_table(found: dict[str, list[dict]]) -> str:
    """Markdown, one row for each figure with its band."""
    rows = [[cells[0]["title"], *map(_within, cells)] for cells in zip(*found.values(), strict=True)]
    return _markdown(["figure", *found], rows)


def _within(one: dict) -> str:
    if one["value"] is None:
        return "too few"
    band = f"≥ {one['low']:.2f}" if one["high"] >= 1 else f"{one['low']:.2f} to {one['high']:.2f}"
    return f"{one['value']:.3f} ({band}): {'within' if one['within'] else '**outside**'}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    sys.exit(main())
