"""The figures as a table: for a terminal, and for the page."""

from __future__ import annotations

from html import escape
from typing import Any

NOT_COMPUTED = "-"
HEADINGS = ("Figure", "Value", "Low", "High")
TITLES = {
    "ge5mm": "short axis at least 5 mm",
    "ge8mm": "short axis at least 8 mm",
    "ge15mm": "short axis at least 15 mm",
    "detection_rate": "detection rate",
    "detection_rate_half": "detection rate, more than half covered",
    "detection_by_size": "detection rate by short axis",
    "detection_by_necrosis": "detection rate by necrosis",
    "lt5mm": "below 5 mm",
    "5to10mm": "5 to below 10 mm",
    "10to15mm": "10 to below 15 mm",
    "dice_detected": "Dice of detected",
    "dice_slice": "Dice per image slice",
    "dice_volume": "Dice per volume",
    "dice_aggregated": "Dice of all voxels together",
    "f1_aggregated": "aggregated F1, IoU above 0.3",
    "hd95_mm": "HD95 of detected, mm",
    "assd_mm": "average symmetric surface distance of detected, mm",
    "short_axis_bias_mm": "short axis, measured minus true, mm",
    "short_axis_error_mm": "short axis, mean absolute error, mm",
    "short_axis_inside_repeatability": "short axis, share within the readers' repeatability",
    "froc_ge5mm_at": "FROC, short axis at least 5 mm, at false positives per scan",
    "dice_detected_ge8mm": "Dice of detected, short axis at least 8 mm",
    "false_positives_per_scan": "false positives per scan",
    "auc": "AUC, ENE against P",
    "auc_all": "AUC, ENE against N and P",
    "size_only_auc": "AUC of the short axis alone, ENE against P",
    "size_only_auc_all": "AUC of the short axis alone, ENE against N and P",
    "mean_hu_auc": "AUC of the mean HU alone, ENE against P",
    "mean_hu_auc_all": "AUC of the mean HU alone, ENE against N and P",
    "auc_above_size_only": "AUC above that of the short axis, ENE against P",
    "auc_above_size_only_all": "AUC above that of the short axis, ENE against N and P",
    "patient_auc": "AUC of the patient's probability",
    "brier": "Brier score",
    "brier_all": "Brier score, all lymph nodes",
    "calibration_error": "calibration error of the probability",
    "calibration_error_all": "calibration error of the probability, all lymph nodes",
    "auc_given_metastatic": "AUC, ENE against P, if known to be metastatic",
    "brier_given_metastatic": "Brier score, if known to be metastatic",
    "calibration_error_given_metastatic": "calibration error of the probability, if known to be metastatic",
    "auc_visible": "AUC, ENE with a visible breach against P",
    "size_only_auc_visible": "AUC of the short axis alone, ENE with a visible breach against P",
    "mean_hu_auc_visible": "AUC of the mean HU alone, ENE with a visible breach against P",
    "delong": "DeLong",
    "patient_rules": "patient",
    "noisy-or": "noisy-OR",
    "conformal": "class sets",
    "coverage": "share that holds the true class",
    "mean_set_size": "mean number of classes",
    "singletons": "share with one class",
    "singletons_right": "share that is right of those with one class",
    "accuracy_all": "accuracy, all lymph nodes",
    "sensitivity_all": "sensitivity, all lymph nodes",
    "specificity_all": "specificity, all lymph nodes",
    "class_accuracy": "accuracy of N, P, ENE",
}
WITHIN = {"patient_rules": {"auc": "AUC"}}  # titles of figures that mean something else inside of another


def metrics_table(metrics: dict[str, Any]) -> str:
    """One line per figure with its interval, for a terminal."""
    rows = [HEADINGS, *metrics_rows(metrics)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, *(f"Note: {note}" for note in metrics.get("notes", ()))])


def metrics_table_html(metrics: dict[str, Any]) -> str:
    """The same as an HTML table."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in metrics_rows(metrics))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def metrics_rows(metrics: dict[str, Any], prefix: str = "", within: str = "") -> list[tuple[str, ...]]:
    """(title, value, low, high) of every figure, as words."""
    rows = []
    for key, value in metrics.items():
        title = prefix + WITHIN.get(within, {}).get(key, TITLES.get(key, key.replace("_", " ")))
        if isinstance(value, dict) and "value" in value:
            rows.append((title, *(_number(value[part]) for part in ("value", "low", "high"))))
        elif isinstance(value, dict):
            rows += metrics_rows(value, f"{title}: ", within or key)
    return rows


def _number(value: float | None) -> str:
    return NOT_COMPUTED if value is None else f"{value:.3f}"
