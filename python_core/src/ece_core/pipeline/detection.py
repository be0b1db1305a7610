"""How sure the segmentation network is that a lymph node is one: what is reported, and by what a FROC ranks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ece_core.geometry import Volume

if TYPE_CHECKING:
    from ece_core.models.segmentation import SegmentationOutput


def lymph_node_voxels(instances: Volume) -> Iterator[tuple[int, np.ndarray]]:
    """Each label that occurs, ascending, with its voxels (n, 3)."""
    for label, box in enumerate(ndimage.find_objects(instances.array), start=1):
        if box is not None:
            yield label, np.argwhere(instances.array[box] == label) + [part.start for part in box]


def probabilities_at(output: SegmentationOutput, instances: Volume, inside: np.ndarray) -> np.ndarray:
    """(labels, n) float64: of voxels (n, 3) of the instance map, which all are foreground of the class map."""
    index = np.rint(output.class_map.to_index(instances.to_lps(inside))).astype(int)
    flat = np.ravel_multi_index(tuple(index.T), output.class_map.shape)
    return output.class_probabilities[:, np.searchsorted(output.voxels, flat)].astype(np.float64)


def detection_probabilities(output: SegmentationOutput, instances: Volume) -> dict[int, float]:
    """By label: the probability of lymph node tissue of any class, median over the lymph node's voxels, 0 to 1.

    Not the mean: at the edge, half tissue and half fat, no network is sure, and a small lymph node is mostly edge.
    Ranked by the mean small ones come last, after large false positives (docs/models.md has the figures).
    """
    return {
        label: float(np.clip(np.median(probabilities_at(output, instances, inside).sum(axis=0)), 0, 1))
        for label, inside in lymph_node_voxels(instances)
    }


def confident(instances: Volume, output: SegmentationOutput, least: float) -> Volume:
    """The lymph nodes with a detection probability of at least ``least``, numbered anew."""
    kept = [label for label, p in detection_probabilities(output, instances).items() if p >= least]
    numbers = np.zeros(int(instances.array.max()) + 1, instances.array.dtype)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return instances.with_array(numbers[instances.array])


def with_detection(rows: list[dict], probabilities: dict[int, float]) -> list[dict]:
    """The same rows of LymphNode with their ``detection_probability``."""
    return [{**row, "detection_probability": probabilities[row["label"]]} for row in rows]
