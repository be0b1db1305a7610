"""Training material from the simulator, cached on disk one file a patient, so that a run can be killed and resumed."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ece_core.classes import CLASS_NAMES
from ece_core.geometry import Volume, affine_from
from ece_core.preprocessing import resample, sample_block
from ece_core.simulate import Patient, patch_grid, render, simulate_case
from ece_core.simulate.case import diagnostic_grid, draw_case
from ece_core.simulate.insertion import insert, placed
from ece_core.simulate.population import DIFFICULTIES, sample_classes, sample_lymph_node
from ece_core.training.labels import UNKNOWN

Array = np.ndarray

AIR_HU = -1000.0
LEAST_TARGET_LABEL = 8  # OpenKBP: 8 to 10 are the target volumes
NEAR_TARGET_MM = 30.0  # there is neck: target volumes hold the levels that are at risk
LEAST_SIGN_HU = 12  # a difference from the twin that a reader could hold for a sign of the breach
PLANNING_SHARE = 0.25  # of simulated scans, with the wide pixels of a radiotherapy planning CT
LEAST_VOXELS = 1.5  # a short axis below that many voxels is not seen


def segmentation_case(folder: Path, seed: int, number: int, difficulty: str, spacing_mm: float) -> Path:
    """Scan ``number`` resampled to ``spacing_mm``: ``hu`` int16 and ``classes`` uint8, (K, J, I)."""
    path = folder / f"seg_{number:04d}.npz"
    if path.exists():
        return path
    case = simulate_case(seed, number, difficulty, *_grid_of_scan(seed, number, difficulty))
    target = (spacing_mm, spacing_mm, spacing_mm)
    scan = resample(case.simulation.ct, target)
    classes = _resample_classes(case.simulation.classes, target)
    _save(path, hu=np.rint(scan.array).astype(np.int16), classes=classes)
    return path


def _grid_of_scan(seed: int, number: int, difficulty: str) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Most are scanned as cohorts are, as noise on the network's grid depends on the pixels; some as for planning."""
    rng = np.random.default_rng((seed, number, 21))
    if rng.random() >= PLANNING_SHARE:
        return diagnostic_grid(seed, number, difficulty)
    pixel = float(rng.choice([0.8, 1.0, 1.2]))
    slice_mm = float(rng.choice([1.5, 2.0, 2.5, 3.0]))
    size = int(rng.uniform(200, 300) / pixel)
    return (int(rng.uniform(170, 240) / slice_mm), size, size), (slice_mm, pixel, pixel)


def inserted_case(folder: Path, source: Path, seed: int, number: int, difficulty: str, spacing_mm: float) -> Path:
    """Simulated lymph nodes inside a real CT, kept like :func:`segmentation_case`.

    Real lymph nodes of that patient lie in the target volumes, unlabeled: what is inside these, and lymph nodes too
    small for the voxels, is ``UNKNOWN``. All else that was not inserted counts as background.

    Parameters
    ----------
    source
        OpenKBP array: ``hu``, ``labels`` (8 and more: target volumes), ``spacing_zyx_mm``.
    """
    path = folder / f"real_{number:04d}.npz"
    if path.exists():
        return path
    rng = np.random.default_rng((seed, number, 23))
    ct, targets = _around_targets(source)
    near = ndimage.distance_transform_edt(targets.array == 0, ct.spacing_mm) < NEAR_TARGET_MM
    lymph_nodes = [sample_lymph_node(rng, name, DIFFICULTIES[difficulty]) for name in sample_classes(rng)]
    done = insert(ct, placed(ct, lymph_nodes, rng, where=ct.with_array(near)), rng)
    classes = np.where(targets.array, UNKNOWN, 0).astype(np.uint8)
    for label, node in enumerate(done.lymph_nodes, 1):
        large = node.short_axis_mm >= LEAST_VOXELS * max(ct.spacing_mm)
        value = CLASS_NAMES.index(node.class_name) + 1 if large else UNKNOWN
        classes[done.instances.array == label] = value
    target = (spacing_mm, spacing_mm, spacing_mm)
    scan = resample(done.ct, target)
    _save(path, hu=np.rint(scan.array).astype(np.int16), classes=_resample_classes(ct.with_array(classes), target))
    return path


def _around_targets(source: Path) -> tuple[Volume, Volume]:
    """Real CT (int16 HU) and its target volumes (bool), cut to what lies near these."""
    with np.load(source, allow_pickle=False) as archive:
        z, y, x = (float(s) for s in archive["spacing_zyx_mm"])
        affine = affine_from((z, y, x))
        ct = Volume(archive["hu"].astype(np.int16), affine)
        targets = Volume(archive["labels"] >= LEAST_TARGET_LABEL, affine)
    index = np.argwhere(targets.array)
    margin = np.ceil((NEAR_TARGET_MM + 25) / np.array(ct.spacing_mm)).astype(int)
    start = tuple(np.maximum(index.min(axis=0) - margin, 0))
    stop = tuple(np.minimum(index.max(axis=0) + margin + 1, ct.shape))
    return ct.crop(start, stop), targets.crop(start, stop)


def _resample_classes(classes: Volume, target: tuple[float, float, float]) -> Array:
    """Each voxel takes the class with the largest share of it."""
    best = resample(Volume((classes.array == 0).astype(np.float32), classes.affine), target).array
    labels = np.zeros(best.shape, np.uint8)
    for value in (*range(1, len(CLASS_NAMES) + 1), UNKNOWN):
        if not (classes.array == value).any():
            continue
        share = resample(Volume((classes.array == value).astype(np.float32), classes.affine), target).array
        labels[share > best] = value
        best = np.maximum(best, share)
    return labels


def classification_crops(
    folder: Path,
    seed: int,
    number: int,
    difficulty: str,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> Path:
    """Blocks around the lymph nodes of patient ``number``: ``hu`` int16, ``mask`` uint8 (n, K, J, I), ``label`` 0..2.

    All metastatic lymph nodes and half as many negatives, scanned one by one as the cohort ``seed`` scans this patient:
    with that scanner, pixel and slice (thick slices are common, and they hide signs). Each of class ENE is followed by
    its counterfactual ``twin``, the same lymph node with its capsule whole, as one more of class P. Both are scanned
    with the same noise, so where they differ are the ``signs`` of the breach, and nothing else is.
    """
    path = folder / f"crops_{number:04d}.npz"
    if path.exists():
        return path
    rng = np.random.default_rng((seed, number, 22))
    patient, scanner, _ = draw_case(seed, number, difficulty)
    _, native_mm = diagnostic_grid(seed, number, difficulty)
    sick = [n for n, node in enumerate(patient.lymph_nodes) if node.class_name != "N"]
    well = [n for n, node in enumerate(patient.lymph_nodes) if node.class_name == "N"]
    chosen = sick + list(rng.permutation(well)[: max(2, len(sick) // 2)])
    rows = []
    for n in map(int, chosen):
        node, phase = patient.lymph_nodes[n], rng.uniform(-0.5, 0.5, 3)
        scan = partial(_crop, index=n, scanner=scanner, native_mm=native_mm, phase=phase, shape=shape,
                       spacing_mm=spacing_mm)  # fmt: skip
        hu, mask, center = scan(patient)
        signs = np.zeros(mask.shape, np.uint8)
        if node.class_name == "ENE":
            twin_hu, twin_mask, _ = scan(_with_repaired(patient, n), center=center)
            signs = (np.abs(hu.astype(np.int32) - twin_hu) > LEAST_SIGN_HU).astype(np.uint8)
        rows.append((node, False, hu, mask, signs))
        if node.class_name == "ENE":
            rows.append((node, True, twin_hu, twin_mask, np.zeros_like(signs)))
    _save(
        path,
        hu=np.stack([hu for _, _, hu, *_ in rows]),
        mask=np.stack([mask for *_, mask, _ in rows]),
        signs=np.stack([signs for *_, signs in rows]),
        label=np.array([CLASS_NAMES.index("P" if twin else node.class_name) for node, twin, *_ in rows]),
        twin=np.array([twin for _, twin, *_ in rows]),
        short_axis_mm=np.array([node.short_axis_mm for node, *_ in rows], np.float32),
        extent_mm=np.array([0.0 if twin else node.extent_mm for node, twin, *_ in rows], np.float32),
    )
    return path


def _with_repaired(patient: Patient, index: int) -> Patient:
    """The same patient, the capsule of one lymph node whole."""
    nodes = list(patient.lymph_nodes)
    nodes[index] = nodes[index].repaired()
    return replace(patient, lymph_nodes=tuple(nodes))


def _crop(patient, index, scanner, native_mm, phase, shape, spacing_mm, center=None) -> tuple[Array, Array, Array]:
    """HU int16, mask uint8 and center (LPS) of one lymph node. ``phase``: where it lies between the voxels, in voxels.

    A twin is cut at the ``center`` of its ENE: noise and tissue are then the same, voxel by voxel.
    """
    node = patient.lymph_nodes[index]
    native_shape = tuple(int(np.ceil(n * s / m)) + 6 for n, s, m in zip(shape, spacing_mm, native_mm, strict=True))
    grid = patch_grid(node.center_lps + phase * np.array(native_mm)[::-1], native_shape, native_mm)
    simulation = render(patient, grid, scanner, index)
    mask = Volume((simulation.instances.array == index + 1).astype(np.float32), simulation.ct.affine)
    if center is None:
        inside = np.argwhere(mask.array > 0)
        center = mask.to_lps((inside.min(axis=0) + inside.max(axis=0)) / 2) if len(inside) else node.center_lps
    hu = sample_block(simulation.ct, center, shape, spacing_mm, AIR_HU).array
    share = sample_block(mask, center, shape, spacing_mm, 0.0).array
    return np.rint(hu).astype(np.int16), (share >= 0.5).astype(np.uint8), center


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
