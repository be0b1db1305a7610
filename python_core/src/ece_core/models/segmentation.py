"""Find lymph nodes: window, resample, overlapping tiles, back to the scan's own grid.

Working grid: axial orientation at the spacing that the bundle was trained on. Tiles without tissue are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ece_core.geometry import Volume
from ece_core.models.bundle import Bundle
from ece_core.preprocessing import resample, to_axial, window
from ece_core.preprocessing.resample import aligned_weights

Array = np.ndarray

AIR_HU = -1000.0
TISSUE_HU = -250.0
LEAST_TISSUE = 0.01  # a tile with less tissue than this share holds no lymph node
OVERLAP = 0.25


@dataclass(frozen=True, eq=False)
class SegmentationOutput:
    """``class_map``: uint8 0 to 3 on the region's grid. ``class_probabilities``: (3, K, J, I) float32, N, P and ENE,
    on the network's own axial grid, whose geometry is ``working_affine``."""

    class_map: Volume
    class_probabilities: Array
    working_affine: Array


def segment(
    bundle: Bundle, region: Volume, device: str, report: Callable[[float], None] = lambda fraction: None,
    patch_scale: float = 1.0,
) -> SegmentationOutput:
    """Class of every voxel of a scan region.

    Parameters
    ----------
    region
        (K, J, I) HU in any orientation.
    report
        Called with the fraction done; may raise to cancel.
    patch_scale
        Below 1: smaller tiles, for machines short of memory.
    """
    axial, orientation = to_axial(region)
    spacing = float(bundle.spec["input"]["spacing_mm"])
    working = resample(axial, (spacing, spacing, spacing))
    size = _tile_size(bundle, patch_scale)
    probabilities = tiled_probabilities(bundle, working, size, device, report)
    labels = _labels_on(probabilities, working, axial)
    return SegmentationOutput(
        Volume(np.ascontiguousarray(orientation.undo(labels)), region.affine), probabilities[1:], working.affine
    )


def _tile_size(bundle: Bundle, patch_scale: float) -> tuple[int, int, int]:
    """Tile edges, multiples of the network's total stride."""
    stride = int(np.prod(bundle.spec["arguments"].get("strides", [1])))
    sizes = [max(stride, round(n * patch_scale / stride) * stride) for n in bundle.spec["input"]["tile_size"]]
    return sizes[0], sizes[1], sizes[2]


def tile_starts(length: int, size: int) -> list[int]:
    """Starts of overlapping tiles that cover [0, length); the last one ends at the end."""
    if length <= size:
        return [0]
    count = int(np.ceil((length - size) / (size * (1 - OVERLAP)))) + 1
    return [round(float(n)) for n in np.linspace(0, length - size, count)]


def tiled_probabilities(bundle: Bundle, working: Volume, size, device: str, report: Callable[[float], None]) -> Array:
    """Class probabilities (c, K, J, I) float32, tiles blended by a Gaussian weight (as nnU-Net does)."""
    import torch

    pad = [(0, max(0, s - n)) for s, n in zip(size, working.shape, strict=True)]
    hu = np.pad(working.array, pad, constant_values=AIR_HU)
    image = torch.from_numpy(window(hu, tuple(bundle.spec["input"]["window_hu"])))
    weight = torch.from_numpy(_gaussian(size))
    classes = len(bundle.spec["labels"]) + 1
    total = torch.zeros((classes, *hu.shape))
    norm = torch.zeros(hu.shape)
    starts = [
        (k, j, i)
        for k in tile_starts(hu.shape[0], size[0])
        for j in tile_starts(hu.shape[1], size[1])
        for i in tile_starts(hu.shape[2], size[2])
    ]
    network = bundle.network.to(device)
    report(0.0)
    with torch.inference_mode():
        for done, start in enumerate(starts, 1):
            block = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
            if (hu[block] > TISSUE_HU).mean() >= LEAST_TISSUE:
                tile = image[block][None, None].to(device)
                with _precision(device):
                    logits = network(tile)
                total[:, block[0], block[1], block[2]] += logits[0].float().softmax(0).cpu() * weight
            else:
                total[0][block] += weight
            norm[block] += weight
            report(done / len(starts))
    k, j, i = working.shape
    return (total / norm)[:, :k, :j, :i].numpy()


def _precision(device: str):
    """bfloat16 where it is exact enough and fast: GPUs. The CPU stays in float32."""
    import contextlib

    import torch

    if str(device).startswith("cuda"):
        return torch.autocast("cuda", torch.bfloat16)
    return contextlib.nullcontext()


def _gaussian(size: tuple[int, int, int]) -> Array:
    """Weight of a tile's voxels: sigma one eighth of the edge, never zero."""
    axes = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in size]
    weight = axes[0][:, None, None] * axes[1][None, :, None] * axes[2][None, None, :]
    return np.maximum(weight, 1e-3).astype(np.float32)


def _labels_on(probabilities: Array, working: Volume, target: Volume) -> Array:
    """Most probable class at every voxel of the target grid, slice by slice so that memory stays small.

    Linear interpolation is a convex mix: where no source voxel near a slice has foreground, background wins.
    """
    wk, wj, wi = aligned_weights(working, target.shape, target.affine)
    labels = np.zeros(target.shape, np.uint8)
    foreground = (probabilities[1:].max(axis=0) > probabilities[0]).any(axis=(1, 2))
    for k in range(target.shape[0]):
        sources = np.flatnonzero(wk[k])
        if not foreground[sources].any():
            continue
        plane = np.tensordot(wk[k, sources], probabilities[:, sources], axes=(0, 1))
        best = wj @ plane[0] @ wi.T
        for value in range(1, len(plane)):
            share = wj @ plane[value] @ wi.T
            better = share > best
            labels[k][better] = value
            best[better] = share[better]
    return labels
