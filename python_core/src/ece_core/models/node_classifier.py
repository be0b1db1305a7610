"""Class and ECE probability of one lymph node, from a block around it and the distance to its surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ece_core.classes import CLASS_NAMES
from ece_core.errors import EmptyMaskError
from ece_core.geometry import Volume
from ece_core.models.bundle import Bundle
from ece_core.models.calibration import calibrated
from ece_core.models.conformal import class_set
from ece_core.preprocessing import sample_block, tight_block, to_axial, window
from ece_core.preprocessing.resample import resample_onto

Array = np.ndarray

AIR_HU = -1000.0


@dataclass(frozen=True, eq=False)
class Crop:
    """What the classifier sees.

    Attributes
    ----------
    input
        (channels, K, J, I) float32, see :func:`~ece_core.preprocessing.tight_block`.
    affine
        Of its grid, axial.
    """

    input: Array
    affine: Array


def crop(bundle: Bundle, ct: Volume, instances: Volume, label: int) -> Crop:
    """The block that the classifier sees, centered on the lymph node's bounding box.

    Raises
    ------
    EmptyMaskError
        No voxel has this label.
    """
    box = instances.label_box(label)
    if box is None:
        raise EmptyMaskError(
            f"The mask of lymph node {label} is empty.", "Paint the lymph node again, or delete it from the table."
        )
    center = instances.to_lps((np.array(box[0]) + np.array(box[1]) - 1) / 2)
    axial_ct, _ = to_axial(ct)
    spec = bundle.spec["input"]
    shape, spacing = tuple(spec["patch_size"]), tuple(spec["spacing_mm"])
    start = np.maximum(np.array(box[0]) - 4, 0)
    stop = np.minimum(np.array(box[1]) + 4, instances.shape)
    near, _ = to_axial(instances.crop(tuple(start), tuple(stop)))
    mask = Volume((near.array == label).astype(np.float32), near.affine)
    hu = sample_block(axial_ct, center, shape, spacing, AIR_HU)
    share = sample_block(mask, center, shape, spacing, 0.0).array
    node = share >= 0.5
    if "margin_mm" not in spec:  # bundles of version 1.0: whole block and plain mask
        image = window(hu.array, tuple(spec["window_hu"]))
        return Crop(np.stack([image, node.astype(np.float32)]), hu.affine)
    block, (k, j, i) = tight_block(hu.array, node, spacing, spec["windows_hu"], spec["margin_mm"])
    return Crop(block, hu.crop((k.start, j.start, i.start), (k.stop, j.stop, i.stop)).affine)


def classify(bundle: Bundle, ct: Volume, instances: Volume, label: int, device: str = "cpu") -> dict[str, Any]:
    """``class_probabilities`` {N, P, ENE}, ``ece_probability``, which is that of ENE (target pENE), and ``class_set``.

    The latter as :func:`~ece_core.models.conformal.class_set`: None where the card has no conformal thresholds.
    """
    return classify_crop(bundle, crop(bundle, ct, instances, label), device)


def classify_crop(bundle: Bundle, block: Crop, device: str = "cpu") -> dict[str, Any]:
    """As :func:`classify`, for a block already cut."""
    probabilities = calibrated(logits_of(bundle, block, device), diameter_mm(block), bundle.spec.get("calibration"))
    named = dict(zip(CLASS_NAMES, probabilities, strict=True))
    fits = class_set(named, bundle.spec.get("conformal"))
    return {"class_probabilities": named, "ece_probability": named["ENE"], "class_set": fits}


def block_mm(bundle: Bundle) -> tuple[float, float, float]:
    """Extent of the block that the classifier sees, along (S, A, L)."""
    spec = bundle.spec["input"]
    k, j, i = (n * mm for n, mm in zip(spec["patch_size"], spec["spacing_mm"], strict=True))
    return k, j, i


def logits_of(bundle: Bundle, block: Crop, device: str = "cpu") -> Array:
    """(3,) float64, the network's own answer."""
    import torch

    with torch.inference_mode():
        logits = bundle.network.to(device)(torch.from_numpy(block.input)[None].to(device))[0]
    return logits.double().cpu().numpy()


def seen(bundle: Bundle, block: Crop) -> Array | None:
    """(K, J, I) bool: where the block shows tissue, within the margin around the lymph node; None if everywhere."""
    return block.input[-1] < 1 if "margin_mm" in bundle.spec["input"] else None


def diameter_mm(block: Crop) -> float:
    """Of the ball of the lymph node's volume, as far as it lies in the block."""
    voxel_mm3 = abs(np.linalg.det(block.affine[:3, :3]))
    return float((6 / np.pi * max(1, (block.input[-1] < 0).sum()) * voxel_mm3) ** (1 / 3))


class OnGrid(Protocol):
    """Anything with an affine."""

    @property
    def affine(self) -> Array: ...


def attribution_on_ct_grid(block: OnGrid, attribution: Array, ct: Volume) -> Volume:
    """An attribution (K, J, I) on the block's grid, resampled to the voxels of the CT that it covers, float32."""
    source = Volume(attribution.astype(np.float32), block.affine)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in source.shape], indexing="ij")).reshape(3, -1).T
    index = ct.to_index(source.to_lps(corners))
    start = np.clip(np.ceil(index.min(axis=0) - 1e-6), 0, np.array(ct.shape) - 1).astype(int)
    stop = np.clip(np.floor(index.max(axis=0) + 1e-6) + 1, start + 1, ct.shape).astype(int)
    grid = ct.crop(tuple(start), tuple(stop))
    axial, orientation = to_axial(grid)
    values = resample_onto(source, axial.shape, axial.affine).array
    return Volume(np.ascontiguousarray(orientation.undo(values)), grid.affine)
