"""Finding and outlining lymph nodes alone, without calling ECE."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ece_core.export.result_folder import new_result_folder
from ece_core.pipeline.detection import detection_probabilities, with_detection
from ece_core.pipeline.networks import SEGMENTATION, labels_of
from ece_core.pipeline.options import AnalyzeOptions
from ece_core.pipeline.patient import patient_summary
from ece_core.pipeline.run import Run, load_networks, make_result, read_scan, write_whole
from ece_core.pipeline.stages import Report, silent
from ece_core.pipeline.steps import (
    class_from_segmentation,
    find_neck,
    measure_lymph_nodes,
    segment_lymph_nodes,
    separate_lymph_nodes,
)

if TYPE_CHECKING:
    from ece_core.export.result import Result

SEGMENT_STAGES = ("read", "load_models", "neck_region", "segment", "instances", "measure", "write")


def segment(ct: Path, out: Path, options: AnalyzeOptions | None = None, report: Report = silent) -> Result:
    """Finds, outlines and measures the lymph nodes of a contrast neck CT.

    As :func:`ece_core.pipeline.analyze` (parameters, errors, result folder), but no classifier runs: the class of a
    lymph node is the segmentation's own, and neither lymph nodes nor patient have an ECE probability.
    """
    run = Run.start(options or AnalyzeOptions(), SEGMENT_STAGES, report)
    with new_result_folder(out) as folder:
        scan = read_scan(run, ct)
        (unet,) = load_networks(run, SEGMENTATION)
        segmentation = segment_lymph_nodes(run, unet, find_neck(run, scan.volume))
        instances = separate_lymph_nodes(run, unet, segmentation, scan.volume)
        detection = detection_probabilities(segmentation, instances)
        rows = with_detection(measure_lymph_nodes(run, scan.volume, instances), detection)
        lymph_nodes = class_from_segmentation(segmentation, instances, rows, labels_of(unet))
        result = make_result(run, scan, lymph_nodes, patient_summary(lymph_nodes, run.options.patient_model))
        return write_whole(run, folder, result, instances, {}, scan)
