"""The groups of lymph nodes for which figures are given apart: by class, by short axis, by necrosis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ece_core.evaluation.lymph_node_rows import TrueRows
from ece_core.geometry import Array

Stratum = Callable[[TrueRows], Array]
SIZE_BINS_MM = {"lt5mm": (0.0, 5.0), "5to10mm": (5.0, 10.0), "10to15mm": (10.0, 15.0), "ge15mm": (15.0, np.inf)}
METASTATIC = ("P", "ENE")


def of_class(*names: str) -> Stratum:
    return lambda rows: np.isin(rows.class_names.astype(str), names)


def of_size(low_mm: float, high_mm: float = np.inf) -> Stratum:
    """Short axis from ``low_mm`` to below ``high_mm``."""
    return lambda rows: (rows.short_axis_mm >= low_mm) & (rows.short_axis_mm < high_mm)


def of_necrosis(value: bool) -> Stratum:
    return lambda rows: rows.necrotic == float(value)


def both(one: Stratum, other: Stratum) -> Stratum:
    return lambda rows: one(rows) & other(rows)


CLASSES: dict[str, Stratum] = {
    "N": of_class("N"),
    "P": of_class("P"),
    "ENE": of_class("ENE"),
    "P or ENE": of_class(*METASTATIC),
}
SIZES: dict[str, Stratum] = {name: of_size(*limits) for name, limits in SIZE_BINS_MM.items()}
NECROSIS: dict[str, Stratum] = {"necrotic": of_necrosis(True), "not necrotic": of_necrosis(False)}
STRATA: dict[str, Stratum] = {
    "all": of_size(0.0),
    "ge5mm": of_size(5.0),
    **SIZES,
    **CLASSES,
    **NECROSIS,
}
CLASS_BY_SIZE: dict[str, Stratum] = {
    f"{name}, {size}": both(of_class(name), SIZES[size]) for name in ("N", "P", "ENE") for size in SIZES
}
TITLES = {
    "all": "all",
    "ge5mm": "≥ 5 mm",
    "lt5mm": "< 5 mm",
    "5to10mm": "5 to < 10 mm",
    "10to15mm": "10 to < 15 mm",
    "ge15mm": "≥ 15 mm",
}


def title_of(name: str) -> str:
    """``"N, lt5mm"`` as ``"N, < 5 mm"``."""
    return ", ".join(TITLES.get(part, part) for part in name.split(", "))
