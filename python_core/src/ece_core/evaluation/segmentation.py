"""Are the lymph nodes found, and are their outlines right?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.classes import CLASS_NAMES
from ece_core.evaluation.bootstrap import LEVEL, RESAMPLES, SEED, mean_figure, ratio_figure
from ece_core.evaluation.cohort import CASES, EvaluatedCase, read_cases, read_dataset_cases
from ece_core.evaluation.evaluated_cohort import ALL, EvaluatedCohort, aggregated_f1
from ece_core.evaluation.froc import RATES
from ece_core.evaluation.lymph_node_rows import PAIRED_ABOVE_IOU
from ece_core.evaluation.page import write_evaluation
from ece_core.evaluation.segmentation_page import segmentation_page
from ece_core.evaluation.short_axis import short_axis_figures
from ece_core.evaluation.strata import CLASSES, NECROSIS, SIZES, STRATA, Stratum, of_size

RATE_STRATA: dict[str, Stratum] = {
    ALL: of_size(0.0),
    "ge5mm": of_size(5.0),
    "ge8mm": of_size(8.0),
    "ge15mm": of_size(15.0),
    **{name: CLASSES[name] for name in CLASS_NAMES},
}
FROC_SIZES_MM = (0, 3, 4, 5, 6, 7, 8, 10, 12, 15)
NO_LYMPH_NODES = "not computed: the cohort has no such lymph node"
NOTHING_DETECTED = "not computed: no lymph node was detected"


def evaluate_segmentation(
    predictions: Path, reference: Path, out: Path, layout: str | None = None
) -> dict[str, Any]:
    """Compare results with a simulated cohort, or a data set with outlined lymph nodes; write the evaluation.

    ``metrics.json`` holds what is returned, ``index.html`` all tables, plots and the lymph nodes that were missed;
    ``tables/`` the tables as CSV (also one row per lymph node), ``plots/`` the plots as PNG. docs/evaluation.md says
    what each figure means.

    Detected: a predicted lymph node shares at least one voxel with the true one (``detection_rate``); more than half
    of its voxels are covered (``detection_rate_half``). By size: the truth's short axis. False positive: a predicted
    lymph node that shares no voxel with any true one. ``dice_detected``: mean over detected lymph nodes of the Dice
    of :meth:`Overlap.dice`.

    Returns
    -------
    dict
        Each figure {value, low, high} with a 95 % bootstrap interval by patient; what is not defined is absent and
        explained in ``notes``.

    Raises
    ------
    InputError
        See :func:`~ece_core.evaluation.cohort.read_cases`. Nothing is written.
    GeometryError
        A label map or a CT is not on the grid of its case. Nothing is written.
    """
    cohort = EvaluatedCohort.of(list(_cases(predictions, reference, layout)))
    metrics = cohort_metrics(cohort)
    write_evaluation(out, metrics, segmentation_page(cohort, metrics))
    return metrics


def _cases(predictions: Path, reference: Path, layout: str | None) -> Iterator[EvaluatedCase]:
    if layout == "simulated" or (layout is None and next(Path(reference).glob(f"{CASES}/truth.json"), None)):
        return read_cases(predictions, reference)
    from ece_core.io.datasets import load_dataset

    return read_dataset_cases(predictions, load_dataset(reference, layout))


def segmentation_metrics(cases: list[EvaluatedCase]) -> dict[str, Any]:
    """The figures of :func:`evaluate_segmentation`, without files."""
    return cohort_metrics(EvaluatedCohort.of(cases))


def cohort_metrics(cohort: EvaluatedCohort) -> dict[str, Any]:
    """The same of a cohort that was counted already."""
    notes: list[str] = []
    metrics: dict[str, Any] = {
        "task": "segmentation",
        "cases": len(cohort.cases),
        "lymph_nodes": cohort.number(STRATA[ALL]),
        "predicted_lymph_nodes": sum(len(rows.labels) for rows in cohort.predicted),
        "detection_rate": _rates(cohort, RATE_STRATA, 0.0, "detection_rate", notes),
        "detection_rate_half": _rates(cohort, RATE_STRATA, 0.5, "detection_rate_half", notes),
        "detection_by_size": _rates(cohort, SIZES, 0.0, "detection_by_size", notes),
        "detection_by_necrosis": _rates(cohort, NECROSIS, 0.0, "detection_by_necrosis", notes),
        "false_positives_per_scan": cohort.false_positives(),
    }
    for name, value, why_not in _outline_figures(cohort):
        _add(metrics, name, value, notes, why_not)
    metrics["froc"] = _froc(cohort)
    metrics["froc_score"] = cohort.score
    froc = cohort.froc(STRATA["ge5mm"])
    metrics["froc_ge5mm_at"] = {f"{rate:g}": figure for rate in RATES if (figure := froc.at(rate)) is not None}
    metrics["notes"] = notes
    metrics["bootstrap"] = {"resamples": RESAMPLES, "seed": SEED, "unit": "patient", "level": LEVEL}
    metrics["research_use_only"] = RESEARCH_USE_ONLY
    return metrics


def _outline_figures(cohort: EvaluatedCohort) -> list[tuple[str, dict | None, str]]:
    """(key, figure, why there may be none)."""
    tissues = cohort.tissues(ALL)
    counts = np.array([tissue.counts() for tissue in tissues]).reshape(-1, 2)
    size = short_axis_figures(cohort.true, STRATA[ALL])
    empty = "not computed: no scan has a lymph node, true or predicted"
    alone = "not computed: no lymph node has one prediction of its own that was measured"
    return [
        ("dice_detected", cohort.mean("dice", STRATA[ALL]), NOTHING_DETECTED),
        ("dice_detected_ge8mm", cohort.mean("dice", of_size(8.0)), NOTHING_DETECTED),
        ("dice_slice", mean_figure([tissue.mean_slice_dice() for tissue in tissues]), empty),
        ("dice_volume", mean_figure([tissue.volume_dice() for tissue in tissues]), empty),
        ("dice_aggregated", ratio_figure(counts[:, 0], counts[:, 1]), empty),
        ("f1_aggregated", aggregated_f1(cohort.matches(PAIRED_ABOVE_IOU)), empty),
        ("hd95_mm", cohort.mean("hd95_mm", STRATA[ALL]), NOTHING_DETECTED),
        ("assd_mm", cohort.mean("assd_mm", STRATA[ALL]), NOTHING_DETECTED),
        ("short_axis_bias_mm", size["bias_mm"], alone),
        ("short_axis_error_mm", size["absolute_mm"], alone),
        ("short_axis_inside_repeatability", size["inside_repeatability"], alone),
    ]


def _rates(
    cohort: EvaluatedCohort, strata: dict[str, Stratum], above: float, name: str, notes: list[str]
) -> dict[str, Any]:
    rates: dict[str, Any] = {}
    for key, stratum in strata.items():
        _add(rates, key, cohort.detection(stratum, above), notes, NO_LYMPH_NODES, prefix=f"{name} ")
    return rates


def _add(into: dict[str, Any], key: str, value: Any, notes: list[str], why_not: str, prefix: str = "") -> None:
    if value is None:
        notes.append(f"{prefix}{key}: {why_not}.")
    else:
        into[key] = value


def _froc(cohort: EvaluatedCohort) -> list[dict[str, float]]:
    """Detection of 8 mm and more against false positives as small predictions are left out, by predicted short axis."""
    points = []
    for smallest in FROC_SIZES_MM:
        found, true, false = np.sum([_counts(cohort, n, smallest) for n in range(len(cohort.cases))], axis=0)
        if true:
            points.append(
                {
                    "minimum_short_axis_mm": float(smallest),
                    "detection_rate_ge8mm": float(found / true),
                    "false_positives_per_scan": float(false / len(cohort.cases)),
                }
            )
    return points


def _counts(cohort: EvaluatedCohort, number: int, smallest: float) -> tuple[int, int, int]:
    """Found and all lymph nodes of 8 mm and more, and false positives, with predictions of at least that short axis."""
    predicted = cohort.predicted[number]
    kept = np.nan_to_num(predicted.short_axis_mm) >= smallest
    large = cohort.true[number].short_axis_mm >= 8
    found = cohort.cases[number].overlap.shared[:, kept].any(axis=1)
    return int((found & large).sum()), int(large.sum()), int((predicted.is_false_positive & kept).sum())
