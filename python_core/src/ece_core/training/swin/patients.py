"""Patients with a contour and a known ECE status: simulated ones, or those of a data set with RTSTRUCT contours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ece_core.errors import EmptyMaskError, InputError
from ece_core.io.datasets import Case, Dataset, load_dataset, read_patient_table
from ece_core.training.simulated_data import make
from ece_core.training.swin.settings import Config
from ece_core.training.swin.volumes import expect_made_for, grid_of, labeled_patient, save_labeled

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient, in memory.

    Attributes
    ----------
    name
        Without meaning outside of this training.
    hu, region
        (K, J, I) int16 and uint8, with a margin on each side.
    has_ece
        Pathologic ECE (also ENE) of any lymph node; simulated truth.
    largest_mm, mean_hu
        Of the contour, see :func:`~ece_core.training.swin.volumes.save_labeled`.
    """

    name: str
    hu: Array
    region: Array
    has_ece: bool
    largest_mm: float
    mean_hu: float


def load_patients(config: Config, data: Path) -> list[Patient]:
    """All patients of the config; those that are not there yet are made.

    Raises
    ------
    InputError
        The data set cannot be used, or the folder holds patients of another config.
    """
    shape, spacing = grid_of(config)
    expect_made_for(data, {"shape": shape, "spacing_mm": spacing, "seed": config["data_seed"],
                           "difficulty": config["difficulty"], "dilation_mm": config["dilation_mm"],
                           "dataset": "dataset" in config})  # fmt: skip
    if "dataset" in config:
        named = _of_dataset(config, data, shape, spacing)
    else:
        files = make(
            labeled_patient,
            [(data, config["data_seed"], n, config["difficulty"], shape, spacing, config["dilation_mm"])
             for n in range(config["cases"])],
            config["jobs"],
        )  # fmt: skip
        named = [(path.stem, path) for path in files]
    return [_patient(name, path) for name, path in named]


def expect_both_classes(patients: Sequence[Patient]) -> None:
    """Refuses a group from which the difference cannot be learned.

    Raises
    ------
    InputError
        All have ECE, or none has.
    """
    positive = sum(patient.has_ece for patient in patients)
    if positive in (0, len(patients)):
        words = "all have ECE" if positive else "none has ECE"
        raise InputError(
            f"Of the {len(patients)} patients to learn from {words}.",
            "Give patients of both kinds, or more of them: with few, a fold can lack one kind by chance.",
        )


def _patient(name: str, path: Path) -> Patient:
    with np.load(path, allow_pickle=False) as archive:
        return Patient(
            name, archive["hu"], archive["region"], bool(archive["has_ece"]), float(archive["largest_mm"]),
            float(archive["mean_hu"]),
        )  # fmt: skip


def _of_dataset(
    config: Config, data: Path, shape: Sequence[int], spacing: Sequence[float]
) -> list[tuple[str, Path]]:
    dataset = load_dataset(Path(config["dataset"]), config.get("layout"))
    if "patient_table" in config:
        dataset = dataset.with_labels(read_patient_table(Path(config["patient_table"])), all_rows=False)
    return prepare_cases(dataset, config["dilation_mm"], data, shape, spacing)


def prepare_cases(
    dataset: Dataset, dilation_mm: float, data: Path, shape: Sequence[int], spacing_mm: Sequence[float]
) -> list[tuple[str, Path]]:
    """(patient, file) of every case with CT, contour and known ECE status, made where it is not there yet.

    The files are numbered: no name of the data set is written.

    Raises
    ------
    InputError
        No case has all three; the words say how many lack what.
    """
    found, lack = [], {"an ECE status": 0, "a CT": 0, "a contour of lymph nodes": 0}
    for number, case in enumerate(dataset):
        path = data / f"patient_{number:04d}.npz"
        missing = _missing(case)
        if missing is None and not path.exists() and not _prepare(case, path, dilation_mm, shape, spacing_mm):
            missing = "a contour of lymph nodes"
        if missing is None:
            found.append((case.patient, path))
        else:
            lack[missing] += 1
    if not found:
        words = ", ".join(f"{count} lack {what}" for what, count in lack.items() if count)
        raise InputError(
            f"No case of the data set can be learned from: {words or 'it is empty'}.",
            "Give a table of patients with their pathology (patient_table) and contours named like lymph nodes "
            "(docs/datasets.md).",
        )
    return found


def _missing(case: Case) -> str | None:
    if case.labels.has_pene is None:
        return "an ECE status"
    if not case.has_ct:
        return "a CT"
    return None if case.has_outlines else "a contour of lymph nodes"


def _prepare(case: Case, path: Path, dilation_mm: float, shape: Sequence[int], spacing_mm: Sequence[float]) -> bool:
    instances = case.outlines.instances
    if instances is None:
        return False
    try:
        contour = instances.with_array(instances.array > 0)
        save_labeled(path, case.ct.volume, contour, bool(case.labels.has_pene), shape, spacing_mm, dilation_mm)
    except EmptyMaskError:
        return False
    return True
