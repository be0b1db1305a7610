"""Capsule repair of a lymph node, from the model bundle and the block that its classifier sees."""

from __future__ import annotations

import numpy as np

from ece_core.explain.capsule_repair import CapsuleRepair, capsule_repair
from ece_core.geometry import Volume
from ece_core.models import edited_crop, node_classifier
from ece_core.models.bundle import Bundle
from ece_core.models.node_classifier import Crop

Array = np.ndarray


def repair_lymph_node(bundle: Bundle, block: Crop, device: str = "cpu") -> tuple[CapsuleRepair, Array]:
    """The probability of ENE (also ECE) with each sector of the capsule repaired, and the map of where it falls.

    Returns
    -------
    CapsuleRepair
    Array
        (K, J, I) float32 in [0, 1] on the grid of the block.
    """
    seen = node_classifier.seen(bundle, block)

    def probability(hu: Array, mask: Array) -> float:
        edited = edited_crop.with_hu(bundle, block, hu, mask)
        return float(node_classifier.classify_crop(bundle, edited, device)["ece_probability"])

    hu = Volume(edited_crop.hu_of(bundle, block), block.affine)
    mask = edited_crop.mask_of(bundle, block)
    return capsule_repair(probability, hu, mask, np.ones(mask.shape, bool) if seen is None else seen)
