"""What every run of the pipeline carries: options, device, clock and warnings; and the steps that all runs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ece_core import __version__
from ece_core.geometry import Volume
from ece_core.io import Scan, read_ct
from ece_core.io.dicom_instances import frames_of_slices
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.pipeline import networks
from ece_core.pipeline.options import AnalyzeOptions
from ece_core.pipeline.patient import NO_NETWORK
from ece_core.pipeline.stages import Report, StageClock

if TYPE_CHECKING:
    from ece_core.export.result import Result
    from ece_core.models import Bundle


COARSEST_MM = 3.0  # usual limit for slices of a neck CT, and the thickest that the shipped models were trained on


@dataclass
class Run:
    """One run: what was asked for, and what has been noted on the way."""

    options: AnalyzeOptions
    clock: StageClock
    device: str = ""
    warnings: list[str] = field(default_factory=list)
    bundles: list[Bundle] = field(default_factory=list)
    patient_networks: dict[str, Bundle] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, options: AnalyzeOptions, stages: Sequence[str], report: Report) -> Run:
        return cls(options, StageClock(stages, report))

    def warn(self, sentence: str) -> None:
        """Adds a sentence for the reader of the result, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)


def read_scan(run: Run, ct: Path) -> Scan:
    """The CT, with what its reader had to say."""
    with run.clock.stage("read"):
        scan = read_ct(ct, series_uid=run.options.series_uid, correct=run.options.correct)
    for sentence in scan.warnings:
        run.warn(sentence)
    if max(scan.volume.spacing_mm) > COARSEST_MM + 0.01:
        found = " x ".join(f"{mm:.1f}" for mm in reversed(scan.volume.spacing_mm))
        run.warn(
            f"The CT's voxels measure {found} mm; beyond {COARSEST_MM:g} mm small lymph nodes are missed or invented, "
            "and an ECE probability means nothing. Analyze a series with thinner slices if there is one."
        )
    return scan


def load_networks(run: Run, *tasks: str) -> list[Bundle]:
    """Chooses the device and loads one network per task (at once when they are still loaded)."""
    with run.clock.stage("load_models") as tell:
        run.device = networks.choose_device(run.options.device)
        found = []
        for done, task in enumerate(tasks, start=1):
            found.append(networks.load(task, run.options.models))
            tell(done / len(tasks))
    run.bundles.extend(found)
    return found


def load_patient_networks(run: Run) -> None:
    """Those that judge the patient as a whole, as far as there are bundles of them; none if none is to be asked."""
    wanted = run.options.patient_model
    if wanted != NO_NETWORK:
        run.patient_networks = networks.load_patient_networks(run.options.models, wanted)
        run.bundles.extend(run.patient_networks.values())


def labels_of(instances: Volume) -> list[int]:
    """The label values of an instance map, ascending."""
    return [int(label) for label in np.unique(instances.array[instances.array > 0])]  # few voxels: quick


def make_result(
    run: Run, scan: Scan, lymph_nodes: Sequence[LymphNode], patient: dict[str, Any], heatmaps: Sequence[dict] = ()
) -> Result:
    """`result.json` as far as it is known before it is written."""
    from ece_core.export.result import Result

    return Result(
        software={"name": "ece_core", "version": __version__},
        models=tuple(bundle.summary() for bundle in run.bundles),
        device=run.device,
        search=dict(run.search),
        seconds=dict(run.clock.seconds),
        warnings=tuple(run.warnings),
        input={
            "format": scan.format,
            "modality": scan.modality,
            "series_uid_sha256": scan.series_uid_sha256,
            "shape_kji": list(scan.volume.shape),
            "spacing_mm": list(scan.volume.spacing_mm),
            "affine_lps": scan.volume.affine.tolist(),
            **({"frames": frames} if (frames := frames_of_slices(scan.headers)) else {}),
        },
        patient=patient,
        lymph_nodes=tuple(lymph_nodes),
        heatmaps=tuple(heatmaps),
    )


def write_whole(
    run: Run, folder: Path, result: Result, instances: Volume, heatmaps: Mapping[str, Volume], scan: Scan
) -> Result:
    """Writes all files of the result, and at last how long writing took; returns what `result.json` holds."""
    from ece_core.export.result import RESULT_FILE
    from ece_core.export.result_folder import write_result

    with run.clock.stage("write"):
        result = write_result(
            folder, result, instances, dict(heatmaps), scan.volume, scan.headers, rtstruct=run.options.rtstruct
        )
    result = replace(result, seconds=dict(run.clock.seconds))
    (folder / RESULT_FILE).write_text(result.to_json(), encoding="utf-8")
    return result
