"""Blocks around simulated lymph nodes in memory, drawn by class and size, and augmented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ece_core.classes import CLASS_NAMES
from ece_core.errors import InputError
from ece_core.preprocessing.node_block import Box, block_of_distance, signed_distance, tight_box

Array = np.ndarray
N, P, ENE = range(3)

TENTHS = 10  # distances are kept in tenths of a millimeter, in 8 bits
FARTHEST_MM = 12.0


class Crops:
    """All lymph nodes of the training files, see :func:`~ece_core.training.simulated_data.classification_crops`.

    Attributes
    ----------
    hu, distance, signs
        (n, K, J, I) int16 HU, int8 tenths of a millimeter to the surface, bool signs of the breach.
    label, short_axis_mm, twin
        (n,) class 0 to 2, size, and whether it is a counterfactual twin (its ENE is the row before).
    by_class
        Rows that are no twins, per class, from small to large.
    """

    def __init__(self, config: dict[str, Any], files: list[Path]) -> None:
        self.config = config
        columns: dict[str, list[Array]] = {}
        for path in files:
            with np.load(path) as archive:
                for name in ("hu", "signs", "label", "twin", "short_axis_mm"):
                    columns.setdefault(name, []).append(archive[name])
                columns.setdefault("distance", []).append(self._distances(archive["mask"]))
        whole = {name: np.concatenate(parts) for name, parts in columns.items()}
        self.hu, self.distance, self.signs = whole["hu"], whole["distance"], whole["signs"].astype(bool)
        self.label, self.twin, self.short_axis_mm = whole["label"], whole["twin"], whole["short_axis_mm"]
        self.by_class = [self._by_size((self.label == c) & ~self.twin) for c in (N, P, ENE)]
        self.metastatic = self._by_size((self.label != N) & ~self.twin)
        absent = [name for name, rows in zip(CLASS_NAMES, self.by_class, strict=True) if len(rows) == 0]
        if absent:
            raise InputError(
                f"No lymph node of class {' or '.join(absent)} is among the {len(files)} training cases.",
                'Raise "cases" in the config: half of the simulated patients have no ENE.',
            )

    def _distances(self, masks: Array) -> Array:
        spacing = self.config["spacing_mm"]
        tenths = [np.clip(signed_distance(m, spacing, FARTHEST_MM), -FARTHEST_MM, FARTHEST_MM) * TENTHS for m in masks]
        return np.rint(np.stack(tenths)).astype(np.int8)

    def _by_size(self, chosen: Array) -> Array:
        rows = np.flatnonzero(chosen)
        return rows[np.argsort(self.short_axis_mm[rows], kind="stable")]

    def like(self, rows: Array, short_axis_mm: float, rng: np.random.Generator) -> int:
        """One of the tenth of ``rows`` (sorted by size) that come closest to this short axis."""
        width = max(min(8, len(rows)), len(rows) // 10)
        middle = int(np.searchsorted(self.short_axis_mm[rows], short_axis_mm))
        first = int(np.clip(middle - width // 2, 0, len(rows) - width))
        return int(rows[first + rng.integers(width)])

    def tight(self, rows: list[int]) -> Box:
        """The box that holds what is shown of all these lymph nodes."""
        boxes = [tight_box(self.distance[row] / TENTHS, self.config["margin_mm"]) for row in rows]
        k, j, i = (slice(min(b[n].start for b in boxes), max(b[n].stop for b in boxes)) for n in range(3))
        side = slice(min(j.start, i.start), max(j.stop, i.stop))  # axial slices are turned: they must be square
        return k, side, side

    def augmented(self, row: int, box: Box, seed: int) -> Array:
        """(channels + 1, k, j, i) float32: the classifier's input, and the signs of the breach."""
        return augment(
            self.hu[row][box], self.distance[row][box] / np.float32(TENTHS), self.signs[row][box],
            np.random.default_rng(seed), self.config,
        )  # fmt: skip


def augment(
    hu: Array, distance_mm: Array, signs: Array, rng: np.random.Generator, config: dict[str, Any]
) -> Array:
    """Flips, turns in the axial plane, noise, blur, HU scale and offset, and a contour that another reader drew.

    Returns
    -------
    Array
        (channels + 1, k, j, i) float32, the last one the signs.
    """
    distance_mm = jitter_surface(distance_mm, rng)
    hu = hu.astype(np.float32)
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter(hu, (0, *([float(rng.uniform(0.3, 0.7))] * 2)))
    hu = hu * float(rng.normal(1, 0.03)) + float(rng.normal(0, 8))
    if rng.random() < 0.4:
        hu = hu + rng.standard_normal(hu.shape).astype(np.float32) * float(rng.uniform(2, 10))
    block = block_of_distance(hu, distance_mm, config["windows_hu"], config["margin_mm"])
    block = np.concatenate([block, signs[None].astype(np.float32)])
    for axis in (1, 2, 3):
        if rng.random() < 0.5:
            block = np.flip(block, axis)
    if rng.random() < 0.5 and block.shape[2] == block.shape[3]:
        block = block.transpose(0, 1, 3, 2)
    return np.ascontiguousarray(block)


def jitter_surface(distance_mm: Array, rng: np.random.Generator) -> Array:
    """The surface as another reader or a network might draw it: smoother, and up to about 1.5 mm off, unevenly.

    One in five stays as it is. A lymph node may shrink, but it never vanishes.
    """
    if rng.random() < 0.2:
        return distance_mm
    moved = distance_mm.astype(np.float32)
    if rng.random() < 0.5:  # tongues are thin: networks and hurried readers leave them out
        moved = ndimage.gaussian_filter(moved, float(rng.uniform(0.3, 1.5)), truncate=2)
    coarse = tuple(max(2, round(n / 10)) for n in moved.shape)
    wobble = ndimage.zoom(rng.normal(0, 0.5, coarse), np.array(moved.shape) / coarse, order=1)
    moved = moved + wobble + float(rng.normal(0, 0.25))
    return moved if (moved < 0).any() else distance_mm
