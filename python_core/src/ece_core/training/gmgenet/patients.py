"""Simulated patients as GMGENet sees them, one file each, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.preprocessing import resample_onto
from ece_core.preprocessing.head_and_neck import head_and_neck
from ece_core.simulate import render
from ece_core.simulate.case import draw_case, drawn_truth
from ece_core.training.simulated_data import make

Array = np.ndarray
ENE = 3  # in the class map


@dataclass(frozen=True)
class Patient:
    """What is known of one patient without opening the volume.

    Attributes
    ----------
    name
        Seed of the cohort and number in it.
    has_ene
        The label: whether any lymph node has ENE (also ECE). Simulated truth.
    digest
        SHA-256 of the volume, which tells the same patient under two names.
    largest_mm
        Short axis of the largest lymph node, as drawn: what size alone would say.
    mean_hu
        Its mean attenuation, as drawn: what HU alone would say.
    """

    name: str
    has_ene: bool
    digest: str
    largest_mm: float
    path: Path
    mean_hu: float

    def volume(self) -> Volume:
        """(K, J, I) float32 in [0, 1]."""
        with np.load(self.path, allow_pickle=False) as archive:
            return Volume(archive["volume"].astype(np.float32), archive["affine"])

    def contours(self) -> Array:
        """(K, J, I) bool: lymph nodes with ENE. For judging maps, never for training."""
        with np.load(self.path, allow_pickle=False) as archive:
            shape = archive["volume"].shape
            return np.unpackbits(archive["ene"], count=int(np.prod(shape))).reshape(shape).astype(bool)


def cohort(config: dict[str, Any], data: Path) -> list[Patient]:
    """All patients of the config, those that are not there yet made first, over ``jobs`` processes.

    A scan in which nose or shoulders are not found is left out; its number is not given to another.
    """
    data.mkdir(parents=True, exist_ok=True)
    files = [data / f"patient_{n:04d}.npz" for n in range(config["patients"])]
    keys = ("data_seed", "difficulty", "scan_shape", "scan_spacing_mm", "volume_shape")
    values = [tuple(config[key]) if isinstance(config[key], list) else config[key] for key in keys]
    absent = [n for n, path in enumerate(files) if not path.exists()]
    make(patient_file, [(data, n, *values) for n in absent], config["jobs"])
    return [patient for path in files if (patient := _patient(path)) is not None]


def patient_file(
    folder: Path,
    number: int,
    seed: int,
    difficulty: str,
    scan_shape: tuple[int, int, int],
    scan_spacing_mm: tuple[float, float, float],
    volume_shape: tuple[int, int, int],
) -> Path:
    """Scan patient ``number`` of the cohort ``seed``, prepare the scan and keep it; nothing is done twice."""
    path = folder / f"patient_{number:04d}.npz"
    if path.exists():
        return path
    patient, scanner, grid = draw_case(seed, number, difficulty, scan_shape, scan_spacing_mm)
    scan = render(patient, grid, scanner)
    name = np.array(f"{seed}-{number}")
    try:
        volume = head_and_neck(scan.ct, volume_shape)
    except InputError as error:
        _save(path, name=name, refused=np.array(error.problem))
        return path
    share = scan.classes.with_array((scan.classes.array == ENE).astype(np.float32))
    values = volume.array.astype(np.float16)  # 0.4 HU
    largest = max(drawn_truth(patient, grid), key=lambda row: row["short_axis_mm"])
    ene = resample_onto(share, volume.shape, volume.affine).array >= 0.5
    _save(
        path,
        volume=values,
        affine=volume.affine,
        ene=np.packbits(ene),
        has_ene=np.array(any(node.class_name == "ENE" for node in patient.lymph_nodes)),
        name=name,
        digest=np.array(hashlib.sha256(values.tobytes()).hexdigest()),
        largest_mm=np.array(largest["short_axis_mm"]),
        mean_hu=np.array(largest["mean_hu"]),
    )
    return path


def _save(path: Path, **arrays: Array) -> None:
    """Whole or not at all. Not compressed: a volume is read at every step."""
    part = path.with_name(f".{path.name}.{os.getpid()}.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)


def _patient(path: Path) -> Patient | None:
    with np.load(path, allow_pickle=False) as archive:
        if "refused" in archive:
            return None
        return Patient(
            str(archive["name"]), bool(archive["has_ene"]), str(archive["digest"]), float(archive["largest_mm"]), path,
            float(archive["mean_hu"]),
        )  # fmt: skip
