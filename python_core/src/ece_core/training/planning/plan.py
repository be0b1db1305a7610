"""From a fingerprint to a plan: spacing, patch, network and batch of one stage or of two.

References
----------
Isensee et al. 2021, nnU-Net, doi:10.1038/s41592-020-01008-z, online methods (rule-based parameters); with the
changes of version 2 (github.com/MIC-DKFZ/nnUNet, experiment planner), checked against nnunetv2 2.8.1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ece_core import __version__
from ece_core.errors import InputError
from ece_core.training.planning.fingerprint import Fingerprint
from ece_core.training.planning.topology import (
    CONVOLUTIONS_PER_STAGE,
    Numbers,
    Topology,
    feature_map_values,
    topology_of,
)

Array = np.ndarray

SCHEMA = "ece-plan/1"
ANISOTROPIC = 3.0  # the coarsest axis has over 3 times the spacing of the others, and less than a third of their size
FINE_PERCENTILE = 10  # of the spacings along such an axis: the median would lose the slices of the better scans
FIRST_EDGE = 256  # a patch starts with the volume of a cube of this edge and shrinks until it fits the memory
BATCH = 2  # the least
REFERENCE_VALUES, REFERENCE_GB = 560_000_000, 8.0  # feature map values of a patch of which two fit this memory
MOST_OF_DATASET = 0.05  # of all voxels of a data set, in one batch
LEAST_SHARE = 0.25  # a patch with less of the median scan sees too little around it: low resolution comes first
LEAST_GAIN = 2.0  # by which low resolution must have fewer voxels to be worth a stage
COARSER = 1.03  # by which the spacing of the low resolution is raised until the patch is large enough
LEAST_MEMORY_GB = 0.5


@dataclass(frozen=True)
class Stage:
    """One network: what it sees and how it is built. All triples are (k, j, i).

    Parameters
    ----------
    name
        "low_resolution" or "full_resolution".
    spacing_mm, median_size
        To what scans are resampled, and what the median one then measures.
    topology, batch_size
        For the memory that was given.
    """

    name: str
    spacing_mm: tuple[float, ...]
    median_size: tuple[float, ...]
    topology: Topology
    batch_size: int

    @property
    def patch_size(self) -> Numbers:
        return self.topology.patch_size

    def sentence(self) -> str:
        """The stage in one line, for a terminal."""
        spacing = " x ".join(f"{mm:.2f}" for mm in self.spacing_mm)
        patch = " x ".join(map(str, self.patch_size))
        share = 100 * prod(self.patch_size) / prod(self.median_size)
        return (
            f"{self.name.replace('_', ' ').capitalize()}: {spacing} mm, patch {patch} ({share:.0f} % of the median "
            f"scan), batch {self.batch_size}, {len(self.topology.strides)} stages (k x j x i)."
        )


def target_spacing(spacings_mm: Sequence[Sequence[float]], sizes: Sequence[Sequence[int]]) -> Array:
    """(3,) median spacing; of a much coarser axis with few voxels the 10th percentile, but never finer than the others.

    Raises
    ------
    ValueError
        There is no case.
    """
    spacings = np.array(spacings_mm, float)
    if not len(spacings):
        raise ValueError("spacings_mm must have at least one row")
    target, size = np.percentile(spacings, 50, axis=0), np.percentile(np.array(sizes), 50, axis=0)
    coarse = int(np.argmax(target))
    others = [axis for axis in range(3) if axis != coarse]
    finest_allowed = float(target[others].max())
    if target[coarse] > ANISOTROPIC * finest_allowed and size[coarse] * ANISOTROPIC < size[others].min():
        fine = float(np.percentile(spacings[:, coarse], FINE_PERCENTILE))
        # nnU-Net keeps the coarse axis the coarsest by a hair, so that the order of the axes stays.
        target[coarse] = fine if fine >= finest_allowed else finest_allowed + 1e-5
    return target


def plan_stages(fingerprint: Fingerprint, memory_gb: float = REFERENCE_GB, outputs: int = 4) -> tuple[Stage, ...]:
    """The full-resolution stage, and before it a low-resolution one where nnU-Net would make a cascade.

    Parameters
    ----------
    memory_gb
        Of the GPU that trains; 8 gives nnU-Net's default plan.
    outputs
        Channels of the output, background among them.

    Raises
    ------
    InputError
        Memory is too small for any patch.
    """
    if not memory_gb >= LEAST_MEMORY_GB:
        raise InputError(
            f"No useful patch fits {memory_gb:g} GB.", f"Plan for at least {LEAST_MEMORY_GB:g} GB; nnU-Net's is 8."
        )
    spacing = target_spacing(fingerprint.spacings_mm, fingerprint.sizes)
    grids = zip(fingerprint.sizes, fingerprint.spacings_mm, strict=True)
    median = np.median(np.array([_resampled(size, old, spacing) for size, old in grids]), axis=0)
    cases = len(fingerprint.sizes)
    # nnU-Net puts the coarsest axis first; where two axes are alike the order decides which one shrinks.
    coarse = int(np.argmax(spacing))
    order = np.array([coarse, *(axis for axis in range(3) if axis != coarse)])
    in_all = float(np.prod(median)) * cases
    full = _stage("full_resolution", spacing[order], median[order], in_all, memory_gb, outputs)
    low = _low_resolution(full, cases, memory_gb, outputs)
    back = np.argsort(order)
    return tuple(_with_axes(stage, back) for stage in (low, full) if stage is not None)


def _resampled(size: Sequence[int], old_mm: Sequence[float], new_mm: Array) -> list[int]:
    return [round(float(old / new * n)) for n, old, new in zip(size, old_mm, new_mm, strict=True)]


def _stage(name: str, spacing: Array, median: Array, in_all: float, memory_gb: float, outputs: int) -> Stage:
    """The largest patch of the shape of the median scan that fits, two at a time; then as many as fit.

    ``in_all``: voxels of the whole data set at this spacing.
    """
    # As many mm along each axis, so many more voxels along the finer ones; never more than the scan has.
    wished = [round(float(n)) for n in FIRST_EDGE * np.prod(spacing) ** (1 / 3) / spacing]
    topology = topology_of(spacing, [min(a, b) for a, b in zip(wished, median, strict=True)])
    reference = REFERENCE_VALUES * memory_gb / REFERENCE_GB
    while (cost := feature_map_values(topology, outputs)) > reference:
        topology = _smaller(topology, spacing, median)
    batch = round(reference / cost * BATCH)
    most = round(in_all * MOST_OF_DATASET / prod(topology.patch_size))
    return Stage(name, tuple(map(float, spacing)), tuple(map(float, median)), topology, max(min(batch, most), BATCH))


def _smaller(topology: Topology, spacing: Array, median: Array) -> Topology:
    """One step less along the axis that is largest against the median scan."""
    size = list(topology.patch_size)
    axis = int(np.argsort([n / m for n, m in zip(size, median, strict=True)])[-1])
    trial = list(size)
    trial[axis] -= topology.total_stride[axis]
    # The smaller patch may be halved less often; its own, finer step keeps the sizes in between.
    size[axis] -= topology_of(spacing, trial).total_stride[axis]
    return topology_of(spacing, size)


def _low_resolution(full: Stage, cases: int, memory_gb: float, outputs: int) -> Stage | None:
    """The finest resolution at which a patch holds a quarter of the median scan; None where full resolution does."""
    low, share = None, prod(full.patch_size) / prod(full.median_size)
    spacing = np.array(full.spacing_mm)
    voxels = prod(full.median_size)
    while share < LEAST_SHARE:
        behind = spacing.max() / spacing > 2
        spacing = np.where(behind, spacing * COARSER, spacing) if behind.any() else spacing * COARSER
        size = np.array(full.spacing_mm) / spacing * np.array(full.median_size)
        voxels = float(np.prod(size))
        low = _stage("low_resolution", spacing, np.round(size), voxels * cases, memory_gb, outputs)
        share = prod(low.patch_size) / voxels
    return low if prod(full.median_size) / voxels >= LEAST_GAIN else None


def _with_axes(stage: Stage, order: Array) -> Stage:
    def turned(values: Sequence) -> tuple:
        return tuple(values[n] for n in order)

    topology = Topology(
        tuple(map(turned, stage.topology.strides)),
        tuple(map(turned, stage.topology.kernel_sizes)),
        turned(stage.patch_size),
    )
    return Stage(stage.name, turned(stage.spacing_mm), turned(stage.median_size), topology, stage.batch_size)


def write_plan(
    path: Path, title: str, fingerprint: Fingerprint, labels: Sequence[str], memory_gb: float = REFERENCE_GB
) -> tuple[Stage, ...]:
    """Plan, and write the plan as JSON that can be read; returns its stages in the order of training.

    Parameters
    ----------
    title
        Of the data set.
    labels
        What the network tells apart, without background.
    """
    stages = plan_stages(fingerprint, memory_gb, len(labels) + 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    plan = {
        "schema": SCHEMA,
        "software": f"ece-core {__version__}",
        "rules": "nnU-Net v2 (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z)",
        "dataset": title,
        "cases": len(fingerprint.sizes),
        "notes": list(fingerprint.notes),
        "axes": "k, j, i (slice, row, column) of axial scans",
        "memory_gb": memory_gb,
        "labels": list(labels),
        "foreground_hu": fingerprint.foreground_hu,
        "median_spacing_mm": np.median(fingerprint.spacings_mm, axis=0).tolist(),
        "median_size": np.median(fingerprint.sizes, axis=0).tolist(),
        "stages": [_entry(stage, len(labels) + 1) for stage in stages],
    }
    part = path.with_name(f".{path.name}.part")
    part.write_text(_readable(plan) + "\n", encoding="utf-8")
    part.replace(path)
    return stages


def _entry(stage: Stage, outputs: int) -> dict[str, Any]:
    return {
        "name": stage.name,
        "spacing_mm": [round(mm, 5) for mm in stage.spacing_mm],
        "median_size": list(stage.median_size),
        "patch_size": list(stage.patch_size),
        "patch_share_of_median": round(prod(stage.patch_size) / prod(stage.median_size), 3),
        "batch_size": stage.batch_size,
        "architecture": "PlainConvUNet",
        "arguments": network_arguments(stage.topology, outputs),
    }


def network_arguments(topology: Topology, outputs: int) -> dict[str, Any]:
    """Arguments of nnU-Net's plain U-Net (`models/nnunet_unet.py`) with these stages, as a model card names them."""
    stages = len(topology.strides)
    return {
        "in_channels": 1,
        "out_channels": outputs,
        "features": list(topology.features),
        "kernel_sizes": [list(kernel) for kernel in topology.kernel_sizes],
        "strides": [list(stride) for stride in topology.strides],
        "depths": [CONVOLUTIONS_PER_STAGE] * stages,
        "decoder_depths": [CONVOLUTIONS_PER_STAGE] * (stages - 1),
        "bias": True,
    }


def _readable(plan: dict[str, Any]) -> str:
    """JSON with short lists of numbers in one line."""
    kept: list[str] = []

    def compact(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: compact(part) for key, part in value.items()}
        if isinstance(value, list) and not any(isinstance(part, dict | str) for part in value):
            kept.append(json.dumps(value))
            return f"@{len(kept) - 1}@"
        return [compact(part) for part in value] if isinstance(value, list) else value

    text = json.dumps(compact(plan), indent=2, ensure_ascii=False)
    for number, short in enumerate(kept):
        text = text.replace(f'"@{number}@"', short)
    return text
