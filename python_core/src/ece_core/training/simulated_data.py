"""Training material from the simulator, cached on disk one file a patient, so that a run can be killed and resumed."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.geometry import Volume
from ece_core.preprocessing import resample, sample_block
from ece_core.simulate import patch_grid, render, sample_patient, sample_scanner, simulate_case

Array = np.ndarray

AIR_HU = -1000.0


def segmentation_case(folder: Path, seed: int, number: int, difficulty: str, spacing_mm: float) -> Path:
    """Scan ``number`` resampled to ``spacing_mm``: ``hu`` int16 and ``classes`` uint8, (K, J, I).

    Field of view, pixel size and slice thickness vary from scan to scan, as they do in clinics.
    """
    path = folder / f"seg_{number:04d}.npz"
    if path.exists():
        return path
    rng = np.random.default_rng((seed, number, 21))
    pixel = float(rng.choice([0.8, 1.0, 1.0, 1.2]))
    slice_mm = float(rng.choice([1.25, 1.5, 1.5, 1.9, 2.5, 3.0]))
    size = int(rng.uniform(200, 300) / pixel)
    height = int(rng.uniform(170, 240) / slice_mm)
    case = simulate_case(seed, number, difficulty, (height, size, size), (slice_mm, pixel, pixel))
    target = (spacing_mm, spacing_mm, spacing_mm)
    scan = resample(case.simulation.ct, target)
    classes = _resample_classes(case.simulation.classes, target)
    _save(path, hu=np.rint(scan.array).astype(np.int16), classes=classes)
    return path


def _resample_classes(classes: Volume, target: tuple[float, float, float]) -> Array:
    """Each voxel takes the class with the largest share of it."""
    best = resample(Volume((classes.array == 0).astype(np.float32), classes.affine), target).array
    labels = np.zeros(best.shape, np.uint8)
    for value in range(1, len(CLASS_NAMES) + 1):
        share = resample(Volume((classes.array == value).astype(np.float32), classes.affine), target).array
        labels[share > best] = value
        best = np.maximum(best, share)
    return labels


def classification_crops(
    folder: Path, seed: int, number: int, difficulty: str, shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> Path:
    """Blocks around the lymph nodes of patient ``number``: ``hu`` int16, ``mask`` uint8 (n, K, J, I), ``label`` 0..2.

    All metastatic lymph nodes and as many negatives, scanned one by one at diagnostic resolution.
    """
    path = folder / f"crops_{number:04d}.npz"
    if path.exists():
        return path
    rng = np.random.default_rng((seed, number, 22))
    patient = sample_patient((seed, number), difficulty)
    scanner = sample_scanner(rng)
    pixel, slice_mm = float(rng.uniform(0.4, 0.7)), float(rng.choice([0.8, 1.0, 1.25, 1.25, 1.5, 2.0, 2.5]))
    sick = [n for n, node in enumerate(patient.lymph_nodes) if node.class_name != "N"]
    well = [n for n, node in enumerate(patient.lymph_nodes) if node.class_name == "N"]
    chosen = sick + list(rng.permutation(well)[: max(2, len(sick) // 2)])
    rows = [_crop(patient, int(n), scanner, (slice_mm, pixel, pixel), shape, spacing_mm, rng) for n in chosen]
    names = [patient.lymph_nodes[int(n)] for n in chosen]
    _save(
        path,
        hu=np.stack([hu for hu, _ in rows]),
        mask=np.stack([mask for _, mask in rows]),
        label=np.array([CLASS_NAMES.index(node.class_name) for node in names]),
        short_axis_mm=np.array([node.short_axis_mm for node in names], np.float32),
        extent_mm=np.array([node.extent_mm for node in names], np.float32),
    )
    return path


def _crop(patient, index, scanner, native_mm, shape, spacing_mm, rng) -> tuple[Array, Array]:
    node = patient.lymph_nodes[index]
    native_shape = tuple(int(np.ceil(n * s / m)) + 6 for n, s, m in zip(shape, spacing_mm, native_mm, strict=True))
    phase = rng.uniform(-0.5, 0.5, 3) * np.array(native_mm)[::-1]
    simulation = render(patient, patch_grid(node.center_lps + phase, native_shape, native_mm), scanner, index)
    mask = Volume((simulation.instances.array == index + 1).astype(np.float32), simulation.ct.affine)
    inside = np.argwhere(mask.array > 0)
    center = mask.to_lps((inside.min(axis=0) + inside.max(axis=0)) / 2) if len(inside) else node.center_lps
    hu = sample_block(simulation.ct, center, shape, spacing_mm, AIR_HU).array
    share = sample_block(mask, center, shape, spacing_mm, 0.0).array
    return np.rint(hu).astype(np.int16), (share >= 0.5).astype(np.uint8)


def _save(path: Path, **arrays: Any) -> None:
    """Whole or not at all: a killed run leaves no half file under the final name."""
    part = path.with_name(f".{path.name}.{os.getpid()}.npz")
    np.savez_compressed(part, **arrays)
    os.replace(part, path)


def make(worker, arguments: list[tuple], jobs: int) -> list[Path]:
    """Call ``worker`` for each tuple, over the cores."""
    if jobs <= 1:
        return [worker(*a) for a in arguments]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(worker, *zip(*arguments, strict=True), chunksize=1))
