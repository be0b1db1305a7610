"""The page of the segmentation: all tables, all plots, and the lymph nodes that were missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ece_core.evaluation import segmentation_tables as tables
from ece_core.evaluation.confusion import Confusion
from ece_core.evaluation.evaluated_cohort import ALL, EvaluatedCohort
from ece_core.evaluation.missed_montage import SHOWN, missed_lymph_nodes, missed_montage
from ece_core.evaluation.page import Page, Picture, Section
from ece_core.evaluation.plots import bar_plot, error_plot, line_plot, share_plot
from ece_core.evaluation.short_axis import errors_mm
from ece_core.evaluation.strata import SIZES, STRATA, title_of
from ece_core.evaluation.table import metrics_table_html

BARS = (*SIZES, "necrotic", "not necrotic", "N", "P", "ENE")


def segmentation_page(cohort: EvaluatedCohort, metrics: dict[str, Any]) -> Page:
    summary = (
        f"{metrics['cases']} cases, {metrics['lymph_nodes']} lymph nodes, "
        f"{metrics['predicted_lymph_nodes']} predicted. Intervals: 95 %, bootstrap by patient."
    )
    notes = list(metrics["notes"])
    sections = [_detection(cohort), _false_positives(cohort), _outlines(cohort), _confusion(cohort)]
    sections += [_missed(cohort, notes), _rows(cohort)]
    return Page("Lymph nodes found and outlined", summary, metrics_table_html(metrics), sections, notes)


def _detection(cohort: EvaluatedCohort) -> Section:
    pictures = []
    bars = [(title_of(name), figure) for name in BARS if (figure := cohort.detection(STRATA[name])) is not None]
    if bars:
        pictures.append(Picture("detection", "Detection rate", bar_plot(bars, "Detected"), "Lines: 95 % intervals."))
        pictures.append(Picture("detection_against_overlap", "Detection against overlap", _overlap_curves(cohort)))
    section_tables = [tables.detection_table(cohort), tables.class_by_size_table(cohort), tables.by_class_table(cohort)]
    return Section("Detection", [*section_tables, tables.sizes_table(cohort)], pictures)


def _overlap_curves(cohort: EvaluatedCohort):
    curves = []
    for name in (ALL, "ge5mm", "N", "P", "ENE"):
        points = [
            (above, figure["value"]) for above in tables.OVERLAPS if (figure := cohort.detection(STRATA[name], above))
        ]
        if points:
            curves.append((title_of(name), points))
    return line_plot(curves, ("More than this share covered", "Detection rate"))


def _false_positives(cohort: EvaluatedCohort) -> Section:
    section_tables = [tables.false_positives_table(cohort), tables.froc_table(cohort), tables.f1_table(cohort)]
    curves = [
        (title_of(name), curve) for name in (ALL, "ge5mm", "ge15mm") if (curve := cohort.froc(STRATA[name]).curve())
    ]
    if not curves:
        return Section("False positives", section_tables)
    limit = max(1.0, *(x for _, curve in curves for x, _ in curve))
    image = line_plot(curves, ("False positives per scan", "Detection rate"), x_limit=limit)
    caption = f"Ranked by {tables.SCORES[cohort.score]}."
    return Section("False positives", section_tables, [Picture("froc", "FROC", image, caption)])


def _outlines(cohort: EvaluatedCohort) -> Section:
    errors = np.concatenate([np.zeros((0, 2)), *(errors_mm(rows, STRATA[ALL]) for rows in cohort.true)])
    pictures = []
    if len(errors):
        image = error_plot(errors, ("True short axis, mm", "Measured minus true, mm"))
        pictures.append(Picture("short_axis_error", "Error of the short axis", image))
    return Section("Outlines", [tables.dice_table(cohort), tables.short_axis_table(cohort)], pictures)


def _confusion(cohort: EvaluatedCohort) -> Section:
    pictures = []
    for confusion, name, words in zip(
        tables.confusions(cohort), ("voxel", "lymph_node"), ("Voxels", "Lymph nodes"), strict=True
    ):
        for of in ("row", "column"):
            image = share_plot(
                _shares(confusion, of), confusion.true_names, confusion.predicted_names, ("Predicted", "True")
            )
            pictures.append(Picture(f"{name}_confusion_by_{of}", f"{words}: share of the {of}", image))
    return Section("What is taken for what", tables.confusion_tables(cohort), pictures)


def _shares(confusion: Confusion, of: str) -> np.ndarray:
    total = confusion.total()
    whole = total.sum(axis=1 if of == "row" else 0, keepdims=True)
    return np.divide(total, whole, out=np.full(total.shape, np.nan), where=whole > 0)


def _missed(cohort: EvaluatedCohort, notes: list[str]) -> Section:
    missed = missed_lymph_nodes(cohort.cases)
    sheet = missed_montage(missed[:SHOWN])
    title = f"Lymph nodes that were not found: {len(missed)}"
    if sheet is None:
        if missed:
            notes.append("false_negatives.png: not drawn: the reference holds no CT.")
        return Section(title)
    caption = (
        f"The {min(SHOWN, len(missed))} largest. Outline: the truth, in the color of its class (N green, P yellow, ENE "
        "red); white: predictions nearby. Window -160 to 240 HU."
    )
    return Section(title, pictures=[Picture("false_negatives", "The largest first", sheet, caption, 1)])


def _rows(cohort: EvaluatedCohort) -> Section:
    """For a program: what is not on the page."""
    files = [tables.overlap_table, tables.froc_curve_table, tables.lymph_nodes_table, tables.predicted_table]
    return Section("Curves, and one row per lymph node", [table(cohort) for table in files])
