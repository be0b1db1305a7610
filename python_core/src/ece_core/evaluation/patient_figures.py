"""The patient's probability by each rule and each network, against the patient's truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from ece_core.evaluation.bootstrap import figure
from ece_core.evaluation.calibration import brier, calibration_error
from ece_core.evaluation.cohort import EvaluatedCase
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.roc import auc
from ece_core.geometry import Array
from ece_core.lymph_nodes.patient_rules import PATIENT_RULES, rule_outputs

Rows = list[Array]  # of each patient (1, 2) output and truth, (0, 2) where one of them is unknown


def patient_rows(cases: list[EvaluatedCase]) -> dict[str, Rows]:
    """By name: what each rule makes of the result's lymph nodes, and what each network said."""
    outputs = [{**_networks(case), **rule_outputs(case.result.lymph_nodes)} for case in cases]
    names = dict.fromkeys([*PATIENT_RULES, *(name for said in outputs for name in said)])
    return {name: [_row(said.get(name), case.patient_ece) for said, case in zip(outputs, cases, strict=True)]
            for name in names}  # fmt: skip


def answer_rows(cases: list[EvaluatedCase]) -> Rows:
    """The probability that each result gives, by whatever method."""
    return [_row(case.result.patient.get("ece_probability"), case.patient_ece) for case in cases]


def patient_figures(by_name: dict[str, Rows]) -> dict[str, dict[str, Any]]:
    """{name: {auc, brier, calibration_error}}; the latter two for probabilities only, each absent if not defined."""
    found = {}
    for name, rows in by_name.items():
        statistics = {"auc": _auc, **(PROBABILITY_FIGURES if is_probability(name) else {})}
        figures = {key: value for key, of in statistics.items() if (value := figure(of, rows)) is not None}
        if figures:
            found[name] = figures
    return found


def first_of(figures: dict[str, dict[str, Any]]) -> str | None:
    """The probability with the largest AUC, of equal ones that with the least Brier score; None if none has an AUC."""
    known = {name: f for name, f in figures.items() if "auc" in f and is_probability(name)}
    return max(known, key=lambda name: (known[name]["auc"]["value"], -known[name]["brier"]["value"]), default=None)


def is_probability(name: str) -> bool:
    """Networks give probabilities, rules may not."""
    return name not in PATIENT_RULES or PATIENT_RULES[name].is_probability


def patient_table(figures: dict[str, dict[str, Any]]) -> Table:
    rows = [(name, *(f.get(key) for key in ("auc", "brier", "calibration_error"))) for name, f in figures.items()]
    return Table(
        "patient_rules",
        "Patients: each rule and each network",
        ("Method", "AUC", "Brier score", "calibration error"),
        rows,
        "; ".join(f"{name}: {PATIENT_RULES[name].title}" for name in figures if name in PATIENT_RULES),
        decimals=3,
    )


def _networks(case: EvaluatedCase) -> dict[str, float]:
    said = case.result.patient.get("outputs", {})
    return {name: value for name, value in said.items() if name not in PATIENT_RULES}


def _row(value: float | None, ece: bool | None) -> Array:
    return np.zeros((0, 2)) if value is None or ece is None else np.array([[value, ece]], float)


def _auc(rows: Array) -> float | None:
    return auc(rows[:, 0], rows[:, 1] > 0)


PROBABILITY_FIGURES = {
    "brier": lambda rows: brier(rows[:, 0], rows[:, 1] > 0) if len(rows) else None,
    "calibration_error": lambda rows: calibration_error(rows[:, 0], rows[:, 1] > 0) if len(rows) else None,
}
