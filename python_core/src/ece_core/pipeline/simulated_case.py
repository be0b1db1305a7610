"""One simulated case as files: `case_NNNN/` with CT, class and instance map, and truth (design document, section 5)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import UID

from ece_core import __version__
from ece_core.classes import CLASS_NAMES
from ece_core.export.result_folder import new_result_folder
from ece_core.geometry import Array, Volume
from ece_core.io import write_ct_series, write_image
from ece_core.io.ct_series_writer import DATE, TIME, seeded_uid
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.simulate.case import diagnostic_grid, draw_case, drawn_truth, simulate_case
from ece_core.simulate.label_noise import noisy_classes
from ece_core.simulate.truth import lookalikes_of

TRUTH_FILE = "truth.json"
SPLITS = {"train": 0.7, "validation": 0.1, "test": 0.2}
SIMULATOR = {"name": "simulator, drawn truth", "version": __version__, "task": "segmentation"}

CREATED = datetime.strptime(DATE + TIME, "%Y%m%d%H%M%S")

# Measured: 2 bytes a voxel, SEG and RTSTRUCT up to 14 % on top; gzip leaves 52 to 66 % (more of noisier scans).
BYTES_PER_VOXEL = {"dicom": 2.4, "nifti": 1.4, "truth": 0.0}
BYTES_OF_TRUTH = 40_000


@dataclass(frozen=True)
class CohortSettings:
    """What decides the content of every case; equal settings give equal cases.

    Attributes
    ----------
    format
        ``"dicom"`` (CT series, RTSTRUCT and SEG), ``"nifti"``, or ``"truth"`` (no voxels: `truth.json` alone).
    label_noise
        Share of P and ENE whose class a reader confuses; written beside the truth, never instead of it.
    software
        Another version may draw other patients.
    """

    seed: int
    difficulty: str
    format: str
    label_noise: float = 0.0
    software: str = __version__


def write_case(out: Path, number: int, settings: CohortSettings) -> None:
    """Write ``case_NNNN`` into the cohort folder; it appears there only when it is whole.

    Raises
    ------
    InputError
        The case is there already, or cannot be written.
    RunError
        The disk is full.
    """
    size = diagnostic_grid(settings.seed, number, settings.difficulty)
    with new_result_folder(Path(out) / case_name(number)) as folder:
        if settings.format == "truth":
            patient, scanner, grid = draw_case(settings.seed, number, settings.difficulty, *size)
            truth = drawn_truth(patient, grid)
        else:
            case = simulate_case(settings.seed, number, settings.difficulty, *size)
            patient, scanner, truth = case.patient, case.scanner, case.truth
            _write_images(folder, case.simulation, truth, number, settings)
        record = _record(number, settings, asdict(scanner), truth)
        record["lookalikes"] = lookalikes_of(patient)
        (folder / TRUTH_FILE).write_text(json.dumps(record, indent=1), encoding="utf-8")


def bytes_needed(number: int, settings: CohortSettings) -> int:
    """Space that a case takes, rounded up."""
    shape, _ = diagnostic_grid(settings.seed, number, settings.difficulty)
    return int(np.prod(shape) * BYTES_PER_VOXEL[settings.format]) + BYTES_OF_TRUTH


def case_name(number: int) -> str:
    return f"case_{number:04d}"


def split_of(seed: int, number: int) -> str:
    """train, validation or test; a case is a patient, so no patient is in two of them."""
    rng = np.random.default_rng((seed, number, 9))
    return str(rng.choice(list(SPLITS), p=list(SPLITS.values())))


def _record(number: int, settings: CohortSettings, scanner: dict[str, Any], truth: list[dict]) -> dict[str, Any]:
    """`truth.json`: the lymph nodes, the patient, and how to make the same case again."""
    patient = {"ece": any(row["class"] == "ENE" for row in truth)}
    if settings.label_noise > 0:
        names = _read_classes(number, settings, truth)
        truth = [{**row, "noisy_class": name} for row, name in zip(truth, names, strict=True)]
        patient["noisy_ece"] = "ENE" in names
    return {
        "lymph_nodes": truth,
        "patient": patient,
        "case": {
            "number": number,
            "slice_mm": diagnostic_grid(settings.seed, number, settings.difficulty)[1][0],
            "split": split_of(settings.seed, number),
            "scanner": scanner,
            "settings": asdict(settings),
        },
    }


def _read_classes(number: int, settings: CohortSettings, truth: list[dict]) -> list[str]:
    rng = np.random.default_rng((settings.seed, number, 11))
    return noisy_classes(rng, [row["class"] for row in truth], settings.label_noise)


def _write_images(folder: Path, simulation, truth: list[dict], number: int, settings: CohortSettings) -> None:
    uid_seed = settings.seed * 100_000 + number
    if settings.format == "dicom":
        paths = write_ct_series(simulation.ct, folder / "ct", seed=uid_seed)
        if truth:
            headers = [dcmread(path, stop_before_pixels=True) for path in paths]
            write_seg(folder / "seg.dcm", simulation.instances, truth, headers, uid_seed)
            write_contours(folder / "rtstruct.dcm", simulation.instances, truth, headers)
    else:
        write_image(simulation.ct, folder / "ct.nii.gz")
    write_image(simulation.classes, folder / "classes.nii.gz")
    write_image(simulation.instances, folder / "instances.nii.gz")
    if settings.label_noise > 0:
        names = _read_classes(number, settings, truth)
        write_image(_class_map(simulation.instances, truth, names), folder / "noisy_classes.nii.gz")


def _class_map(instances: Volume, truth: list[dict], names: Sequence[str]) -> Volume:
    value_of: Array = np.zeros(int(instances.array.max()) + 1, np.uint8)
    for row, name in zip(truth, names, strict=True):
        value_of[row["label"]] = CLASS_NAMES.index(name) + 1
    return instances.with_array(value_of[instances.array])


def write_seg(path: Path, instances: Volume, truth: list[dict], headers: Sequence[Dataset], uid_seed: int) -> None:
    """The truth as a DICOM Segmentation; the same seed writes the same bytes."""
    from ece_core.export.dicom_seg import build_dicom_seg, usable_headers  # highdicom takes a second to import
    from ece_core.io.strict_dicom import strict_dicom

    with strict_dicom():
        sources, _ = usable_headers(headers)
        segmentation = build_dicom_seg([instances], [_as_lymph_node(row) for row in truth], sources, [SIMULATOR])
        _make_reproducible(segmentation, uid_seed)
        segmentation.save_as(os.fspath(path), enforce_file_format=True)


def write_contours(path: Path, instances: Volume, truth: list[dict], headers: Sequence[Dataset]) -> None:
    """The truth as an RT Structure Set, one ROI per lymph node: ``LN_3_ENE``."""
    from ece_core.io.rtstruct import write_rtstruct

    names = {row["label"]: f"LN_{row['label']}_{row['class']}" for row in truth}
    write_rtstruct(path, instances, names, headers, created=CREATED)


def _make_reproducible(segmentation: Dataset, uid_seed: int) -> None:
    """Replace the UIDs and times that highdicom draws anew for each file."""
    segmentation.SeriesInstanceUID = seeded_uid(uid_seed, "seg", "series")
    segmentation.SOPInstanceUID = seeded_uid(uid_seed, "seg", "instance")
    segmentation.file_meta.MediaStorageSOPInstanceUID = UID(segmentation.SOPInstanceUID)
    segmentation.ContentDate = segmentation.InstanceCreationDate = DATE
    segmentation.ContentTime = segmentation.InstanceCreationTime = TIME
    for equipment in segmentation.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = DATE + TIME
    dimensions = seeded_uid(uid_seed, "seg", "dimensions")
    segmentation.DimensionOrganizationSequence[0].DimensionOrganizationUID = dimensions
    for index in segmentation.DimensionIndexSequence:
        index.DimensionOrganizationUID = dimensions


def _as_lymph_node(row: dict) -> LymphNode:
    return LymphNode(
        id=f"LN{row['label']}",
        label=row["label"],
        class_name=row["class"],
        class_probabilities={name: float(name == row["class"]) for name in CLASS_NAMES},
        side=row["side"],
        level=row["level"],
    )
