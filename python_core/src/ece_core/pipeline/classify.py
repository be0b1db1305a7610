"""Classifying lymph nodes that someone outlined: a mask file instead of the segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ece_core.errors import EmptyMaskError
from ece_core.export.result_folder import new_result_folder
from ece_core.geometry import Volume
from ece_core.io import Scan, read_lymph_nodes
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.pipeline.heatmaps import Heatmap, heatmap_entry
from ece_core.pipeline.networks import CLASSIFICATION
from ece_core.pipeline.options import AnalyzeOptions
from ece_core.pipeline.patient import patient_summary
from ece_core.pipeline.run import (
    Run,
    labels_of,
    load_networks,
    load_patient_networks,
    make_result,
    read_scan,
    write_whole,
)
from ece_core.pipeline.stages import Report, silent
from ece_core.pipeline.steps import (
    classify_lymph_nodes,
    explain_lymph_nodes,
    judge_patient,
    measure_lymph_nodes,
    with_source,
)

if TYPE_CHECKING:
    from ece_core.export.result import Result
    from ece_core.models import Bundle

CLASSIFY_STAGES = ("read", "load_models", "measure", "classify", "judge_patient", "write")
RECLASSIFY_STAGES = ("read", "load_models", "measure", "classify", "explain")


def classify(
    ct: Path,
    mask: Path,
    out: Path,
    options: AnalyzeOptions | None = None,
    report: Report = silent,
    roi_names: Sequence[str] = (),
) -> Result:
    """Measures and classifies the lymph nodes of a mask on the CT grid.

    Parameters
    ----------
    ct, out, options, report
        As for :func:`ece_core.pipeline.analyze`.
    mask
        A NIfTI, NRRD or MHA labelmap (each label value is one lymph node, 0 is background), an RTSTRUCT or a
        DICOM SEG (as :func:`ece_core.io.read_lymph_nodes` says).
    roi_names
        ROIs or segments to use instead of those named like lymph nodes.

    Raises
    ------
    EmptyMaskError
        No voxel is labelled.
    GeometryError
        The mask is not on the grid of the CT.
    InputError
        Nothing in the mask means lymph nodes.
    """
    run = Run.start(options or AnalyzeOptions(), CLASSIFY_STAGES, report)
    with new_result_folder(out) as folder:
        scan = read_scan(run, ct)
        instances = read_instances(run, mask, scan, roi_names)
        _warn_of_pieces(run, instances, labels_of(instances))
        load_patient_networks(run)
        _, lymph_nodes = _classified(run, scan.volume, instances)
        patient = patient_summary(lymph_nodes, run.options.patient_model, judge_patient(run, scan.volume))
        result = make_result(run, scan, lymph_nodes, patient)
        return write_whole(run, folder, result, instances, {}, scan)


class Reclassified(NamedTuple):
    """One lymph node anew.

    Attributes
    ----------
    lymph_node
        Its new measures, class and probability.
    warnings
        Of the run.
    heatmaps
        One {method, title, file, scaling} per heatmap that was asked for; ``file`` is relative to the folder given.
    """

    lymph_node: LymphNode
    warnings: tuple[str, ...]
    heatmaps: tuple[dict[str, Any], ...] = ()


def reclassify(
    ct: Path,
    mask: Path,
    label: int,
    options: AnalyzeOptions | None = None,
    report: Report = silent,
    heatmap_folder: Path | None = None,
) -> Reclassified:
    """One lymph node, measured, classified and explained anew from an edited mask.

    Parameters
    ----------
    label
        The lymph node's value in the mask.
    heatmap_folder
        Where its heatmaps of ``options.explain`` are written; None: none is made, and nothing is written.

    Raises
    ------
    EmptyMaskError
        The mask does not hold the label.
    """
    options = options or AnalyzeOptions()
    methods = options.explain if heatmap_folder is not None else ()
    run = Run.start(options, RECLASSIFY_STAGES if methods else RECLASSIFY_STAGES[:-1], report)
    scan = read_scan(run, ct)
    instances = read_instances(run, mask, scan)
    one = instances.array == label
    if not one.any():
        raise EmptyMaskError(f"The mask holds no lymph node with label {label}.", "Paint the lymph node again.")
    _warn_of_pieces(run, instances, [label])
    alone = instances.with_array(one * np.asarray(label, instances.array.dtype))
    densenet, (lymph_node,) = _classified(run, scan.volume, alone)
    heatmaps = {}
    if methods and not lymph_node.not_evaluable:
        heatmaps = explain_lymph_nodes(run, densenet, scan.volume, alone, [lymph_node], methods)
    return Reclassified(lymph_node, tuple(run.warnings), _written(heatmap_folder, lymph_node, heatmaps))


def _written(folder: Path | None, lymph_node: LymphNode, heatmaps: dict[str, Heatmap]) -> tuple[dict[str, Any], ...]:
    from ece_core.export.nrrd import write_nrrd

    entries = []
    for method, heatmap in heatmaps.items():
        entry = heatmap_entry(method, lymph_node, heatmap.figures)
        file = (folder or Path()) / entry["file"]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_nrrd(heatmap.volume, file)
        entries.append(entry)
    return tuple(entries)


def read_instances(run: Run, mask: Path, scan: Scan, roi_names: Sequence[str] = ()) -> Volume:
    """The mask as an instance map on the CT grid; what its reader has to say goes to the run's warnings."""
    found = read_lymph_nodes(mask, scan, roi_names)
    for sentence in found.notes:
        run.warn(sentence)
    return found.volume


def _classified(run: Run, ct: Volume, instances: Volume) -> tuple[Bundle, list[LymphNode]]:
    (densenet,) = load_networks(run, CLASSIFICATION)
    rows = measure_lymph_nodes(run, ct, instances)
    return densenet, with_source(classify_lymph_nodes(run, densenet, ct, instances, rows), "MANUAL")


def _warn_of_pieces(run: Run, instances: Volume, labels: list[int]) -> None:
    """A mask of ten lymph nodes with one label would be classified as one: say so."""
    from scipy import ndimage

    boxes = ndimage.find_objects(instances.array)
    for label in labels:
        _, pieces = ndimage.label(instances.array[boxes[label - 1]] == label, np.ones((3, 3, 3)))
        if pieces > 1:
            run.warn(
                f"Label {label} of the mask is in {pieces} separate pieces and was classified as one lymph node. "
                "Give each lymph node a label of its own."
            )
