"""Scans as both networks see them: a block around the neck, one file a patient, so that a killed run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ece_core.errors import EmptyMaskError, InputError
from ece_core.geometry import Volume, affine_from
from ece_core.preprocessing import sample_block, to_axial
from ece_core.preprocessing.neck_block import neck_block
from ece_core.preprocessing.soft_tissue import dilate_in_soft_tissue
from ece_core.simulate import neck_grid, render
from ece_core.simulate.case import LENGTH_MM, draw_case
from ece_core.simulate.render import Simulation
from ece_core.training.simulated_data import _save as save

Array = np.ndarray

MARGIN = 8  # voxels on each side, so that a training block can lie a little elsewhere
MADE_FOR = "made_for.json"
# Contours in RTSTRUCT are drawn on planning CT: wide pixels, 2 to 3 mm slices (reference/data.md: openkbp).
SLICES_MM, PIXELS_MM, FIELD_MM = (2.0, 2.5, 3.0), (1.0, 1.2), 250.0


def grid_of(config: dict[str, Any]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Shape (K, J, I) of what is kept of a scan, margin included, and its spacing."""
    return tuple(edge + 2 * MARGIN for edge in config["patch_size"]), tuple(config["spacing_mm"])


def planning_scan(seed: int, number: int, difficulty: str) -> tuple[Simulation, Any]:
    """A simulated planning CT of patient ``number`` of the cohort ``seed``, and the patient."""
    patient, scanner, _ = draw_case(seed, number, difficulty)
    rng = np.random.default_rng((seed, number, 41))
    slice_mm, pixel_mm = float(rng.choice(SLICES_MM)), float(rng.choice(PIXELS_MM))
    size = round(FIELD_MM / pixel_mm)
    grid = neck_grid((round(LENGTH_MM / slice_mm), size, size), (slice_mm, pixel_mm, pixel_mm))
    return render(patient, grid, scanner), patient


def labeled_patient(
    folder: Path, seed: int, number: int, difficulty: str, shape: Sequence[int], spacing_mm: Sequence[float],
    dilation_mm: float,
) -> Path:
    """Simulated patient ``number``, kept as :func:`save_labeled` does. All metastatic lymph nodes are outlined."""
    path = folder / f"patient_{number:04d}.npz"
    if not path.exists():
        scan, patient = planning_scan(seed, number, difficulty)
        contour = scan.instances.with_array(scan.classes.array >= 2)
        has_ece = any(node.class_name == "ENE" for node in patient.lymph_nodes)
        save_labeled(path, scan.ct, contour, has_ece, shape, spacing_mm, dilation_mm)
    return path


def save_labeled(
    path: Path, ct: Volume, contour: Volume, has_ece: bool, shape: Sequence[int], spacing_mm: Sequence[float],
    dilation_mm: float,
) -> None:
    """Write ``hu`` int16, ``region`` uint8 (K, J, I), ``has_ece``, ``largest_mm`` and ``mean_hu``.

    The region is the contour, grown into the soft tissue around it. ``largest_mm`` is the diameter of a ball as large
    as the contour's largest piece, ``mean_hu`` that inside of the contour: what can be known without a network.

    Raises
    ------
    EmptyMaskError
        Nothing is outlined, or nothing of it lies in the block around the neck.
    """
    axial, orientation = to_axial(ct)
    outlined = axial.with_array(orientation.apply(contour.array).astype(bool))
    grown = dilate_in_soft_tissue(outlined, axial, dilation_mm)
    block = neck_block(axial, shape, spacing_mm)
    middle = block.to_lps((np.array(block.shape) - 1) / 2)
    share = sample_block(
        grown.with_array(grown.array.astype(np.float32)), middle, _three(shape), block.spacing_mm, 0.0
    ).array
    region = share >= 0.5
    if not region.any():
        raise EmptyMaskError(
            "No contour lies in the block around the neck.", "Check that the contours belong to this scan."
        )
    save(
        path, hu=_int16(block.array), region=region.astype(np.uint8), has_ece=np.bool_(has_ece),
        largest_mm=np.float32(_largest_mm(outlined)), mean_hu=np.float32(axial.array[outlined.array].mean()),
    )  # fmt: skip


def unlabeled_scan(
    folder: Path, seed: int, number: int, difficulty: str, shape: Sequence[int], spacing_mm: Sequence[float]
) -> Path:
    """``hu`` of simulated patient ``number``; nothing that is true of him is kept."""
    path = folder / f"simulated_{number:04d}.npz"
    if not path.exists():
        scan, _ = planning_scan(seed, number, difficulty)
        save(path, hu=_int16(neck_block(scan.ct, shape, spacing_mm).array))
    return path


def real_scan(folder: Path, source: Path, number: int, shape: Sequence[int], spacing_mm: Sequence[float]) -> Path:
    """``hu`` of a real CT that is given as an OpenKBP array (``hu``, ``spacing_zyx_mm``)."""
    path = folder / f"real_{number:04d}.npz"
    if not path.exists():
        with np.load(source, allow_pickle=False) as archive:
            z, y, x = (float(s) for s in archive["spacing_zyx_mm"])
            ct = Volume(archive["hu"].astype(np.int16), affine_from((z, y, x)))
        save(path, hu=_int16(neck_block(ct, shape, spacing_mm).array))
    return path


def expect_made_for(folder: Path, wanted: dict[str, Any]) -> None:
    """Note what the folder's scans are made for.

    Raises
    ------
    InputError
        It holds scans that were made for something else.
    """
    path = folder / MADE_FOR
    text = json.dumps(wanted, sort_keys=True)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{MADE_FOR}.{os.getpid()}"  # folds that are trained at the same time read it meanwhile
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    elif path.read_text(encoding="utf-8") != text:
        raise InputError(
            "The folder holds scans that were made for another config.", "Train in another folder (--out)."
        )


def _three(shape: Sequence[int]) -> tuple[int, int, int]:
    k, j, i = shape
    return int(k), int(j), int(i)


def _int16(hu: Array) -> Array:
    return np.rint(hu).astype(np.int16)


def _largest_mm(mask: Volume) -> float:
    from scipy import ndimage

    pieces, count = ndimage.label(mask.array, np.ones((3, 3, 3)))
    largest = np.bincount(pieces.ravel(), minlength=count + 1)[1:].max()
    return float((6 * largest * mask.voxel_volume_mm3 / np.pi) ** (1 / 3))
