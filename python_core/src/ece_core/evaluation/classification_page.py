"""The page of a classification: baselines in the same table, calibration, patients, class sets, extents."""

from __future__ import annotations

from typing import Any

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.calibration import calibration_bins
from ece_core.evaluation.class_sets import class_sets_table
from ece_core.evaluation.extents import extent_plot, extent_table
from ece_core.evaluation.figure_table import Table
from ece_core.evaluation.judged_rows import CLASS, GIVEN_METASTATIC, MEAN_HU, PROBABILITY, SHORT_AXIS, P, is_ene
from ece_core.evaluation.page import Page, Picture, Section
from ece_core.evaluation.patient_figures import patient_table
from ece_core.evaluation.plots import line_plot
from ece_core.evaluation.roc import roc_curve
from ece_core.evaluation.table import metrics_table_html
from ece_core.geometry import Array

SCORES = (
    ("model", "auc", PROBABILITY),
    ("short axis alone", "size_only_auc", SHORT_AXIS),
    ("mean HU alone", "mean_hu_auc", MEAN_HU),
)
NOT_EXTRACAPSULAR = (
    "Calibration error: mean gap between probability and share of ENE over ten bins (expected calibration error; it "
    "has nothing to do with extracapsular extension, which is also abbreviated so)."
)


def classification_page(metrics: dict[str, Any], patients: list[Array]) -> Page:
    """``patients``: rows of each patient, :func:`~ece_core.evaluation.judged_rows.judged_rows`."""
    metastatic = [table[table[:, CLASS] >= P] for table in patients]
    rows = np.concatenate(metastatic)
    sections = [Section("ENE (also ECE) against P", [_baselines(metrics)], _roc(metrics, rows))]
    sections += [Section("Does the probability mean what it says?", pictures=_calibration(rows))] if len(rows) else []
    extents = extent_table(metastatic)
    if extents is not None:
        image = extent_plot(extents)
        picture = Picture("sensitivity_by_extent", "Sensitivity by extent", image, "Lines: 95 % intervals by patient.")
        sections.append(Section("How far the breach reaches", [extents], [picture]))
    if "conformal" in metrics:
        target = metrics["conformal"].get("target")
        title = "Class sets" if target is None else f"Class sets, meant to hold the true class in {100 * target:g} %"
        sections.append(Section(title, [class_sets_table(patients)]))
    if metrics["patient_rules"]:
        sections.append(Section("Patients", [patient_table(metrics["patient_rules"])]))
    counts = ", ".join(f"{metrics['matched'][name]} of {metrics['lymph_nodes'][name]} {name}" for name in CLASS_NAMES)
    summary = f"{metrics['cases']} cases; lymph nodes judged: {counts}. Intervals: 95 %, bootstrap by patient."
    left_out = sum(metrics["not_evaluable"].values())
    if left_out:
        summary += f" Found, but not evaluable: {left_out}."
    return Page("ENE (also ECE) per lymph node", summary, metrics_table_html(metrics), sections, metrics["notes"])


def _baselines(metrics: dict[str, Any]) -> Table:
    """The model and what size or density alone would do, on the same lymph nodes."""
    rows = []
    for title, key, _ in SCORES:
        above = metrics["delong"].get("auc_above_size_only") if key == "auc" else None
        figures = (metrics.get(key), metrics["delong"].get(key), metrics.get(f"{key}_visible"))
        rows.append((title, *figures, above, metrics.get(f"{key}_all")))
    columns = (
        "Ranked by", "AUC", "AUC, DeLong", "AUC, visible breach", "above the short axis, DeLong", "AUC against N and P",
    )  # fmt: skip
    caption = (
        "Intervals: 95 %, bootstrap by patient; where DeLong is named, his, which takes lymph nodes as independent and "
        "is therefore somewhat too narrow. Visible: the simulator's own criterion (docs/simulator.md)."
    )
    p = (metrics["delong"].get("auc_above_size_only") or {}).get("p")
    caption += "" if p is None else f" p of the difference to the short axis: {p:.3g}."
    return Table("baselines", "The model beside what needs no model", columns, rows, caption, decimals=3)


def _roc(metrics: dict[str, Any], rows: Array) -> list[Picture]:
    if "auc" not in metrics:
        return []
    curves = []
    for title, key, column in SCORES:
        if key in metrics:
            known = rows[np.isfinite(rows[:, column])]
            curves.append((f"{title}, AUC {metrics[key]['value']:.2f}", _curve(known, column)))
    labels = ("1 - specificity", "Sensitivity")
    title = "ROC, ENE (also ECE) against metastatic without"
    words = "; ".join(name for name, _ in curves)
    return [Picture("roc", title, line_plot(curves, labels, diagonal=True), f"{words}.")]


def _calibration(rows: Array) -> list[Picture]:
    curves, counts = [], []
    for title, column in (("ECE probability", PROBABILITY), ("the same, if known to be metastatic", GIVEN_METASTATIC)):
        known = rows[np.isfinite(rows[:, column])]
        if len(known):
            bins = calibration_bins(known[:, column], is_ene(known))
            curves.append((title, [(mean, share) for mean, share, _ in bins]))
            counts.append(f"{title}: {', '.join(str(count) for _, _, count in bins)}")
    image = line_plot(curves, ("Probability of ENE", "Share with ENE"), diagonal=True, dots=True)
    caption = f"ENE against P. Lymph nodes per bin: {'; '.join(counts)}. {NOT_EXTRACAPSULAR}"
    return [Picture("calibration", "Reliability", image, caption)]


def _curve(rows: Array, column: int) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(*roc_curve(rows[:, column], is_ene(rows)), strict=True)]
