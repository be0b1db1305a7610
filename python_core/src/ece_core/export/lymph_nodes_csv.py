"""`lymph_nodes.csv`: one row per lymph node, the fields of `result.json` in columns."""

from __future__ import annotations

import csv
from pathlib import Path

from ece_core.classes import CLASS_NAMES, LABEL_CLASSES
from ece_core.export.result import Result

COLUMNS = (
    "id", "label", "class", *(f"p_{name}" for name in CLASS_NAMES), "p_metastatic", "ece_probability",
    "detection_probability", "side", "level",
    "short_axis_mm", "long_axis_mm", "volume_mm3", "centroid_l_mm", "centroid_p_mm", "centroid_s_mm",
    "box_k0", "box_j0", "box_i0", "box_k1", "box_j1", "box_i1", "mean_hu", "sd_hu", "necrosis_fraction",
    "contour_risk", "contour_score", "source", "status", "flags", "class_set", "not_evaluable",
)  # fmt: skip
METASTATIC = LABEL_CLASSES["metastatic"]  # of a network that cannot tell P and ENE apart it is the network's own
SPREADSHEET_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_lymph_nodes_csv(path: Path, result: Result) -> None:
    """Write the table, in the order of `result.json`. An empty cell means: not computed.

    ``class_set``: the classes that fit, separated by spaces; one is as sure as the model gets. ``not_evaluable``: why
    there is no ECE probability.

    The columns are always the same ones, so that tables of many patients can be put under each other.
    """
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in result.node_rows():
            writer.writerow({key: _cell(value) for key, value in _flat(row).items() if key in COLUMNS})


def _flat(row: dict) -> dict:
    """The nested fields spread over columns."""
    flat = {key: value for key, value in row.items() if not isinstance(value, (dict, list))}
    flat["class"] = row["class"]["name"]
    probabilities = row["class"]["probabilities"]
    flat |= {f"p_{name}": value for name, value in probabilities.items()}
    if all(name in probabilities for name in METASTATIC):
        flat["p_metastatic"] = round(sum(probabilities[name] for name in METASTATIC), 9)
    flat |= dict(zip(("centroid_l_mm", "centroid_p_mm", "centroid_s_mm"), row.get("centroid_lps_mm", ()), strict=False))
    for corner, end in zip(row.get("bounding_box_kji", ()), "01", strict=False):
        flat |= {f"box_{axis}{end}": value for axis, value in zip("kji", corner, strict=True)}
    flat |= {f"contour_{key}": value for key, value in row.get("contour_quality", {}).items()}
    flat["flags"] = "; ".join(row.get("flags", ()))
    flat["class_set"] = " ".join(row["class"].get("set", ()))
    flat["not_evaluable"] = "; ".join(row.get("not_evaluable", ()))
    return flat


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is disarmed by an apostrophe; numbers stay as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(SPREADSHEET_FORMULA) else value
