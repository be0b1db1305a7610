"""Which explanation points at the breach: tables over simulated lymph nodes whose breach is known voxel by voxel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ece_core.evaluation.bootstrap import mean_figure, ratio_figure
from ece_core.evaluation.figure_table import Table

MOST_EMPTY = 0.1  # a default must not leave more maps than this empty
Rows = Sequence[Mapping[str, Any]]


def density_ratio(rows: Rows) -> dict[str, float | None] | None:
    """Attribution density on the breach over that on the intact capsule, {value, low, high} by patient.

    Parameters
    ----------
    rows
        One per lymph node: ``patient``, ``breach`` and ``intact`` (densities, that of the whole map being 1, so that
        every lymph node counts the same; 0 for a map that is zero everywhere).
    """
    return ratio_figure(*(np.array([sum(each) for each in _by_patient(rows, name)]) for name in ("breach", "intact")))


def method_table(by_method: Mapping[str, Rows]) -> Table:
    """One row per method, the best ratio first.

    Parameters
    ----------
    by_method
        Rows as for :func:`density_ratio`, with ``share``, ``hit``, ``shell_focus``, ``deletion_area``,
        ``insertion_area`` and ``seconds``; what was not computed is absent.
    """
    ratios = {method: density_ratio(rows) for method, rows in by_method.items()}
    ordered = sorted(by_method, key=lambda method: -_value(ratios[method]))
    lines = [
        (
            method,
            len(by_method[method]),
            ratios[method],
            _mean(by_method[method], "share"),
            _mean(by_method[method], "hit"),
            _mean(by_method[method], "shell_focus"),
            _mean(by_method[method], "deletion_area"),
            _mean(by_method[method], "insertion_area"),
            _empty(by_method[method]),
            float(np.median([row["seconds"] for row in by_method[method]])),
        )
        for method in ordered
    ]
    columns = ("Method", "lymph nodes", "breach : intact", "share on breach", "hottest voxel on breach", "shell focus",
               "deletion area", "insertion area", "empty maps", "CPU s")  # fmt: skip
    return Table("explanations", "Explanations against the breach", columns, lines, percent=frozenset({"empty maps"}))


def best_method(by_method: Mapping[str, Rows]) -> str:
    """The method with the largest ratio among those that leave few maps empty: the product's default.

    Methods that were tried on fewer lymph nodes than others do not count.
    """
    most = max(map(len, by_method.values()))
    usable = {name: rows for name, rows in by_method.items() if len(rows) == most and _empty(rows) <= MOST_EMPTY}
    return max(usable, key=lambda method: _value(density_ratio(usable[method])))


def repair_table(rows: Rows) -> Table:
    """Capsule repair beside the simulator's true twin.

    Parameters
    ----------
    rows
        One per lymph node: ``patient``, ``as_is``, ``whole`` (all sectors repaired), ``twin`` (the true one),
        ``twin_whole`` (the twin, repaired although it is whole) and ``same_sector`` (1 if the probability falls most in
        the sector that holds most of the breach, None if it falls in none).
    """
    words = (
        ("probability as scanned", "as_is"),
        ("repaired by painting", "whole"),
        ("true twin, capsule whole", "twin"),
        ("true twin, painted although whole", "twin_whole"),
        ("largest fall in the breach's main sector (share; chance 0.1)", "same_sector"),
    )
    lines: list[tuple] = [(text, len(_present(rows, name)), _mean(rows, name)) for text, name in words]
    falls = np.array([[row["as_is"] - row["whole"], row["as_is"] - row["twin"]] for row in rows])
    if len(rows) > 1:
        lines.append(("correlation of both falls", len(rows), float(np.corrcoef(falls.T)[0, 1])))
    return Table("capsule_repair", "Capsule repair against the true twin", ("", "lymph nodes", "mean"), lines)


def _by_patient(rows: Rows, name: str) -> list[list[float]]:
    patients = sorted({row["patient"] for row in rows})
    return [[row[name] for row in rows if row["patient"] == patient] for patient in patients]


def _present(rows: Rows, name: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row.get(name) is not None]


def _mean(rows: Rows, name: str) -> dict[str, float | None] | None:
    return mean_figure([np.array(values) for values in _by_patient(_present(rows, name), name)])


def _empty(rows: Rows) -> float:
    return float(np.mean([row["breach"] == 0 and row["intact"] == 0 for row in rows]))


def _value(figure: dict[str, float | None] | None) -> float:
    return -1.0 if figure is None or figure["value"] is None else figure["value"]
