"""What the classifier would see, were the CT or the outline of a lymph node another one: no scan is needed again."""

from __future__ import annotations

import numpy as np

from ece_core.models.bundle import Bundle
from ece_core.models.node_classifier import Crop
from ece_core.preprocessing import window
from ece_core.preprocessing.node_block import block_of_distance, signed_distance

Array = np.ndarray


def hu_of(bundle: Bundle, block: Crop) -> Array:
    """(K, J, I) HU float32 of the block, clipped to the widest window; its lower end where nothing is shown."""
    windows = _windows(bundle)
    widest = max(range(len(windows)), key=lambda n: windows[n][1] - windows[n][0])
    low, high = windows[widest]
    return np.asarray(low + block.input[widest] * (high - low), np.float32)


def mask_of(bundle: Bundle, block: Crop) -> Array:
    """(K, J, I) bool: the lymph node."""
    return np.asarray(block.input[-1] < 0 if _is_tight(bundle) else block.input[-1] > 0.5)


def distance_mm_of(bundle: Bundle, block: Crop) -> Array:
    """(K, J, I) signed distance to the outline, negative inside; clipped to the margin where the model has one."""
    if _is_tight(bundle):
        return np.asarray(block.input[-1] * bundle.spec["input"]["margin_mm"], np.float32)
    spacing = tuple(bundle.spec["input"]["spacing_mm"])
    return signed_distance(mask_of(bundle, block), spacing, float(np.max(np.array(spacing) * block.input.shape[1:])))


def with_hu(bundle: Bundle, block: Crop, hu: Array, mask: Array | None = None) -> Crop:
    """The same block with other HU, and with another outline if a ``mask`` (K, J, I) is given."""
    inputs = bundle.spec["input"]
    if not _is_tight(bundle):
        own = mask_of(bundle, block) if mask is None else mask
        return Crop(np.stack([window(hu, _windows(bundle)[0]), own.astype(np.float32)]), block.affine)
    margin_mm = inputs["margin_mm"]
    distance = distance_mm_of(bundle, block)
    if mask is not None:
        distance = signed_distance(mask, tuple(inputs["spacing_mm"]), margin_mm)
    return Crop(block_of_distance(hu, distance, _windows(bundle), margin_mm), block.affine)


def _is_tight(bundle: Bundle) -> bool:
    return "margin_mm" in bundle.spec["input"]  # bundles of version 1.0: the whole block and a plain mask


def _windows(bundle: Bundle) -> list[tuple[float, float]]:
    inputs = bundle.spec["input"]
    return [(low, high) for low, high in inputs.get("windows_hu", [inputs.get("window_hu")])]
