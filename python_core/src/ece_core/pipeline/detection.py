"""How sure the segmentation network is that a lymph node is one: the score by which a FROC ranks what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ece_core.geometry import Volume
from ece_core.pipeline.steps import lymph_node_voxels, mean_probabilities

if TYPE_CHECKING:
    from ece_core.models.segmentation import SegmentationOutput


def detection_probabilities(output: SegmentationOutput, instances: Volume) -> dict[int, float]:
    """By label: the probability of lymph node tissue of any class, mean over the lymph node's voxels, 0 to 1."""
    return {
        label: float(np.clip(mean_probabilities(output, instances, inside).sum(), 0, 1))
        for label, inside in lymph_node_voxels(instances)
    }


def with_detection(rows: list[dict], probabilities: dict[int, float]) -> list[dict]:
    """The same rows of LymphNode with their ``detection_probability``."""
    return [{**row, "detection_probability": probabilities[row["label"]]} for row in rows]
