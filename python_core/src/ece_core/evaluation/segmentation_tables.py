"""The tables of the segmentation: everything in the seed paper's tables, and more, with intervals."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields

import numpy as np

from ece_core.evaluation.bootstrap import mean_figure, ratio_figure
from ece_core.evaluation.confusion import Confusion, lymph_node_confusion, voxel_confusion
from ece_core.evaluation.evaluated_cohort import ALL, GROUPS, EvaluatedCohort, aggregated_f1
from ece_core.evaluation.figure_table import Cell, Table
from ece_core.evaluation.froc import RATES
from ece_core.evaluation.lymph_node_rows import PAIRED_ABOVE_IOU, PredictedRows, TrueRows
from ece_core.evaluation.short_axis import REPEATABILITY_CV, short_axis_figures
from ece_core.evaluation.strata import CLASS_BY_SIZE, SIZE_BINS_MM, STRATA, Stratum, title_of
from ece_core.geometry import Array

OVERLAPS = tuple(n / 20 for n in range(20))  # least covered share that counts as detected, 0 to 0.95
CURVES = (ALL, "ge5mm", "N", "P", "ENE", "necrotic")
IOUS = (0.0, 0.1, PAIRED_ABOVE_IOU, 0.5, 0.7)
FROC_ROWS = (ALL, "ge5mm", *SIZE_BINS_MM, "N", "P", "ENE", "necrotic")
LARGE_MM = 10.0  # the seed paper parts its lymph nodes at 1 cm


def detection_table(cohort: EvaluatedCohort) -> Table:
    return _strata_table(cohort, STRATA, "detection", "Lymph nodes by class, size and necrosis")


def class_by_size_table(cohort: EvaluatedCohort) -> Table:
    return _strata_table(cohort, CLASS_BY_SIZE, "detection_class_by_size", "Lymph nodes by class and size")


def _strata_table(cohort: EvaluatedCohort, strata: dict[str, Stratum], name: str, title: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for key, stratum in strata.items():
        outline = [cohort.mean(column, stratum) for column in ("dice", "hd95_mm", "assd_mm")]
        detected = (cohort.detection(stratum), cohort.detection(stratum, 0.5))
        rows.append((title_of(key), cohort.number(stratum), *detected, *outline))
    columns = ("Lymph nodes", "Number", "Detected %", "> 50 % covered %", "Dice", "HD95 mm", "ASSD mm")
    caption = (
        "Size: the truth's short axis. Detected: a prediction of any class shares a voxel. Dice and distances: mean "
        "over the detected."
    )
    return Table(name, title, columns, rows, caption, frozenset(columns[2:4]))


def by_class_table(cohort: EvaluatedCohort) -> Table:
    """As the seed paper counts: found means found as a lymph node of that class."""
    rows: list[tuple[Cell, ...]] = []
    for group in cohort.groups():
        overlaps = cohort.overlaps(group)
        detected = [mean_figure([overlap.covered() > above for overlap in overlaps]) for above in (0.0, 0.5)]
        false = np.array([overlap.is_false_positive().sum() for overlap in overlaps], float)
        number = sum(len(overlap.true_labels) for overlap in overlaps)
        rows.append((group, number, *detected, ratio_figure(false, np.ones(len(false)))))
    columns = ("Class", "Number", "Detected %", "> 50 % covered %", "False positives per scan")
    caption = (
        "Only predictions of the same class count; one without a true lymph node of that class is a false positive."
    )
    title = "Lymph nodes found with their right class"
    return Table("detection_by_class", title, columns, rows, caption, frozenset(columns[2:4]))


def dice_table(cohort: EvaluatedCohort) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for group in (ALL, *cohort.groups()):
        tissues = cohort.tissues(group)
        counts = np.array([tissue.counts() for tissue in tissues]).reshape(-1, 2)
        slices = [tissue.slice_dice() for tissue in tissues]
        surfaces = [np.array(tissue.surface() or []).reshape(-1, 2) for tissue in tissues]
        rows.append(
            (
                group,
                mean_figure([tissue.mean_slice_dice() for tissue in tissues]),
                mean_figure(slices),
                mean_figure([tissue.volume_dice() for tissue in tissues]),
                ratio_figure(counts[:, 0], counts[:, 1]),
                *(mean_figure([surface[:, n] for surface in surfaces]) for n in range(2)),
            )
        )
    columns = (
        "Tissue", "Per slice, mean of scans", "Per slice, mean of slices", "Per volume", "All voxels together",
        "HD95 mm", "ASSD mm",
    )  # fmt: skip
    caption = (
        "Slices and scans with neither truth nor prediction are left out; those with only one of them count as 0. "
        "Distances: all lymph nodes of a scan as one surface, mean over scans."
    )
    return Table("dice", "Dice per image slice and per volume", columns, rows, caption)


def false_positives_table(cohort: EvaluatedCohort) -> Table:
    rows: list[tuple[Cell, ...]] = [(ALL, cohort.false_positives())]
    rows += [(f"called {name}", cohort.false_positives(_called(name))) for name in cohort.names]
    rows += [
        (f"measured {title_of(size)}", cohort.false_positives(_measured(*limits)))
        for size, limits in SIZE_BINS_MM.items()
    ]
    caption = "Predicted lymph nodes that share no voxel with any true one."
    return Table("false_positives", "False positives", ("Predicted", "Per scan"), rows, caption)


def _called(name: str):
    return lambda rows: rows.class_names == name


def _measured(low_mm: float, high_mm: float):
    def counted(rows: PredictedRows):
        sizes = np.nan_to_num(rows.short_axis_mm)
        return (sizes >= low_mm) & (sizes < high_mm)

    return counted


def froc_table(cohort: EvaluatedCohort) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in FROC_ROWS:
        froc = cohort.froc(STRATA[name])
        rows.append((title_of(name), *(froc.at(rate) for rate in RATES)))
    columns = ("Lymph nodes", *(f"at {rate:g}" for rate in RATES))
    last = cohort.froc().curve()
    most = f" All predictions together are {last[-1][0]:.2f} per scan: beyond, the rate stays." if last else ""
    caption = f"Detection rate % at so many false positives per scan. Ranked by {SCORES[cohort.score]}.{most}"
    return Table("froc", "FROC", columns, rows, caption, frozenset(columns[1:]))


SCORES = {
    "detection_probability": "the network's median probability of lymph node tissue over a prediction",
    "short_axis_mm": "the predicted short axis, since the results hold no probability of detection",
}


def f1_table(cohort: EvaluatedCohort) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for least in IOUS:
        matches = cohort.matches(least)
        tp, fp, fn = matches.T
        counts = (int(value) for value in matches.sum(axis=0))
        rows.append(
            (f"> {least:g}", *counts, ratio_figure(tp, tp + fp), ratio_figure(tp, tp + fn), aggregated_f1(matches))
        )
    columns = ("IoU", "TP", "FP", "FN", "Precision", "Recall", "F1")
    caption = "Matched one to one and summed over all scans first. IoU > 0.3 is HECKTOR's aggregated F1."
    return Table("f1_aggregated", "Aggregated F1", columns, rows, caption)


def short_axis_table(cohort: EvaluatedCohort) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, stratum in STRATA.items():
        kept = sum(int((stratum(t) & np.isfinite(t.predicted_short_axis_mm)).sum()) for t in cohort.true)
        rows.append((title_of(name), kept, *short_axis_figures(cohort.true, stratum).values()))
    columns = ("Lymph nodes", "Number", "Bias mm", "Mean absolute mm", "Mean absolute %", "Within repeatability %",
               "Bias on true outlines mm")  # fmt: skip
    caption = (
        "Of the lymph nodes with one prediction of their own. Within repeatability: an error of at most 1.96 times the "
        f"readers' CV of {100 * REPEATABILITY_CV:.1f} % (PMID 27569854). On true outlines: our measure of the "
        "truth's own voxels, all lymph nodes; that error is not the network's."
    )
    return Table("short_axis", "Error of the short axis", columns, rows, caption, frozenset(columns[4:6]))


def confusion_tables(cohort: EvaluatedCohort) -> list[Table]:
    voxels, nodes = confusions(cohort)
    tables = []
    for confusion, name, words in ((voxels, "voxel", "Voxels"), (nodes, "lymph_node", "Lymph nodes")):
        tables.append(_counts_table(confusion, f"{name}_confusion", f"{words}: numbers"))
        for of in ("row", "column"):
            tables.append(_shares_table(confusion, f"{name}_confusion_by_{of}", f"{words}: % of the {of}", of))
    return tables


def confusions(cohort: EvaluatedCohort) -> tuple[Confusion, Confusion]:
    """Voxel by voxel, and lymph node by lymph node."""
    nodes = lymph_node_confusion(cohort.true, cohort.predicted, cohort.names)
    return voxel_confusion(cohort.cases, cohort.names), nodes


def _counts_table(confusion: Confusion, name: str, title: str) -> Table:
    total = confusion.total()
    rows: list[tuple[Cell, ...]] = [
        (truth, *(int(n) for n in line)) for truth, line in zip(confusion.true_names, total, strict=True)
    ]
    return Table(name, title, ("True", *confusion.predicted_names), rows)


def _shares_table(confusion: Confusion, name: str, title: str, of: str) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (truth, *(confusion.share(row, column, of) for column in range(len(confusion.predicted_names))))
        for row, truth in enumerate(confusion.true_names)
    ]
    return Table(name, title, ("True", *confusion.predicted_names), rows, "", frozenset(confusion.predicted_names))


def overlap_table(cohort: EvaluatedCohort) -> Table:
    """The whole curve of detection against the overlap that is asked for."""
    rows: list[tuple[Cell, ...]] = [
        (above, *(cohort.detection(STRATA[name], above) for name in CURVES)) for above in OVERLAPS
    ]
    columns = ("More than this share covered", *(title_of(name) for name in CURVES))
    return Table("detection_against_overlap", "", columns, rows, on_page=False)


def froc_curve_table(cohort: EvaluatedCohort) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (title_of(name), *point) for name in (ALL, "ge5mm") for point in cohort.froc(STRATA[name]).curve()
    ]
    columns = ("Lymph nodes", "False positives per scan", "Detection rate")
    return Table("froc_curve", "", columns, rows, on_page=False)


def lymph_nodes_table(cohort: EvaluatedCohort) -> Table:
    """One row per true lymph node."""
    fields = [field.name for field in dataclass_fields(TrueRows)][1:]
    rows: list[tuple[Cell, ...]] = []
    for case, true in zip(cohort.cases, cohort.true, strict=True):
        for n, label in enumerate(true.labels.tolist()):
            rows.append((case.name, label, *(_plain(getattr(true, field)[n]) for field in fields)))
    columns = ("case", "label", *("class" if field == "class_names" else field for field in fields))
    return Table("lymph_nodes", "", columns, rows, on_page=False)


def predicted_table(cohort: EvaluatedCohort) -> Table:
    """One row per predicted lymph node."""
    rows: list[tuple[Cell, ...]] = [
        (case.name, *(_plain(getattr(predicted, field)[n]) for field in PREDICTED_FIELDS))
        for case, predicted in zip(cohort.cases, cohort.predicted, strict=True)
        for n in range(len(predicted.labels))
    ]
    columns = ("case", "label", "class", "short_axis_mm", cohort.score if cohort.score != "short_axis_mm" else "score",
               "is_false_positive")  # fmt: skip
    return Table("predicted_lymph_nodes", "", columns, rows, on_page=False)


PREDICTED_FIELDS = ("labels", "class_names", "short_axis_mm", "score", "is_false_positive")


def sizes_table(cohort: EvaluatedCohort) -> Table:
    """True and predicted lymph nodes by class, parted at a short axis of 1 cm, as in the seed paper's table."""
    rows: list[tuple[Cell, ...]] = []
    for group in cohort.groups():
        true = np.concatenate([rows.short_axis_mm[STRATA[group](rows)] for rows in cohort.true])
        found = np.concatenate([rows.short_axis_mm[_of_group(rows, group)] for rows in cohort.predicted])
        counts = [int(n) for sizes in (true, found) for n in ((sizes < LARGE_MM).sum(), (sizes >= LARGE_MM).sum())]
        rows.append((group, *counts))
    columns = ("Class", "True < 1 cm", "True ≥ 1 cm", "Predicted < 1 cm", "Predicted ≥ 1 cm")
    return Table("sizes", "Numbers by short axis", columns, rows)


def _of_group(rows: PredictedRows, group: str) -> Array:
    return np.isin(rows.class_names.astype(str), GROUPS[group][1])


def _plain(value) -> Cell:
    """A NumPy value as CSV writes it; NaN: not computed."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and np.isnan(value):
        return None
    return int(value) if isinstance(value, bool) else value
