"""The analysis, from a neck CT to a result folder. Read it as the methods section; each step is one function below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ece_core.export.result_folder import new_result_folder
from ece_core.pipeline.detection import detection_probabilities, with_detection
from ece_core.pipeline.heatmaps import heatmap_entry
from ece_core.pipeline.networks import CLASSIFICATION, SEGMENTATION
from ece_core.pipeline.options import AnalyzeOptions
from ece_core.pipeline.patient import patient_summary
from ece_core.pipeline.run import Run, load_networks, load_patient_networks, make_result, read_scan, write_whole
from ece_core.pipeline.stages import EXPLANATIONS, STAGES, Report, silent
from ece_core.pipeline.steps import (
    classify_lymph_nodes,
    explain_lymph_nodes,
    find_neck,
    judge_contours,
    judge_patient,
    measure_lymph_nodes,
    segment_lymph_nodes,
    separate_lymph_nodes,
)

if TYPE_CHECKING:
    from ece_core.export.result import Result


def analyze(ct: Path, out: Path, options: AnalyzeOptions | None = None, report: Report = silent) -> Result:
    """Finds, measures, classifies and explains the lymph nodes of a contrast neck CT.

    Parameters
    ----------
    ct
        A DICOM folder, or a NIfTI, NRRD or MHA file.
    out
        The result folder to make (design.md section 4). It appears only when it is whole.
    options
        None: the defaults.
    report
        Told the stage and the fraction (0 to 1) of the whole run. What it raises ends the run.

    Returns
    -------
    Result
        What `result.json` holds.

    Raises
    ------
    InputError
        The CT, the options, the models or ``out`` cannot be used.
    RunError
        Memory ran out even with the cheapest way.
    Cancelled
        Raised by ``report``.
    """
    options = options or AnalyzeOptions()
    stages = [stage.name for stage in STAGES if stage.name not in EXPLANATIONS or options.explain]
    run = Run.start(options, stages, report)
    with new_result_folder(out) as folder:
        scan = read_scan(run, ct)
        unet, densenet = load_networks(run, SEGMENTATION, CLASSIFICATION)
        load_patient_networks(run)

        # Where the lymph nodes are.
        region = find_neck(run, scan.volume)
        segmentation = segment_lymph_nodes(run, unet, region)
        instances = separate_lymph_nodes(run, unet, segmentation, scan.volume)
        detection = detection_probabilities(segmentation, instances)
        del region, segmentation  # the probabilities alone are as large as the CT three times

        # What they are: measures, class and ECE probability of each, then of the patient.
        rows = with_detection(measure_lymph_nodes(run, scan.volume, instances), detection)
        lymph_nodes = classify_lymph_nodes(run, densenet, scan.volume, instances, rows)
        patient = patient_summary(lymph_nodes, options.patient_model, judge_patient(run, scan.volume))

        # Why: how far each outline is to be trusted, and one heatmap volume per method.
        heatmaps = {}
        if options.explain:
            lymph_nodes = judge_contours(run, unet, scan.volume, instances, lymph_nodes)
            judged = [lymph_node for lymph_node in lymph_nodes if not lymph_node.not_evaluable]
            heatmaps = explain_lymph_nodes(run, densenet, scan.volume, instances, judged, options.explain)

        entries = [heatmap_entry(method, figures=heatmap.figures) for method, heatmap in heatmaps.items()]
        volumes = {method: heatmap.volume for method, heatmap in heatmaps.items()}
        result = make_result(run, scan, lymph_nodes, patient, entries)
        return write_whole(run, folder, result, instances, volumes, scan)
