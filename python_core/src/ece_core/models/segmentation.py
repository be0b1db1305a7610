"""Find lymph nodes: the network's own grid, overlapping tiles, back to the scan's grid.

Working grid: axial orientation at the spacing that the bundle was trained on. How the scan gets there and the answer
back is the bundle's recipe (`recipe.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ece_core.geometry import Volume
from ece_core.models.bundle import Bundle
from ece_core.models.recipe import Recipe, recipe_of
from ece_core.preprocessing import to_axial

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SegmentationOutput:
    """``class_map``: uint8 on the region's grid, 0 or the place of the label in the card, from 1.
    ``class_probabilities``: (labels, K, J, I) float32 on the network's own axial grid, ``working_affine``."""

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
    recipe = recipe_of(bundle.spec["input"])
    axial, orientation = to_axial(region, recipe.toward)
    working = recipe.working(axial)
    scores = tiled_scores(bundle, recipe, working.array, _tile_size(bundle, patch_scale), device, report)
    labels = _labels_on(scores, recipe.back(working, axial), axial.shape)
    return SegmentationOutput(
        Volume(np.ascontiguousarray(orientation.undo(labels)), region.affine),
        recipe.probabilities(scores)[1:],
        working.affine,
    )


def _tile_size(bundle: Bundle, patch_scale: float) -> tuple[int, int, int]:
    """Tile edges (k, j, i), multiples of the network's total stride."""
    own = [np.broadcast_to(stride, 3) for stride in bundle.spec["arguments"].get("strides", [1])]
    strides = bundle.spec["input"].get("tile_multiple", np.prod(own, axis=0).tolist())
    sizes = zip(bundle.spec["input"]["tile_size"], strides, strict=True)
    k, j, i = (max(stride, round(n * patch_scale / stride) * stride) for n, stride in sizes)
    return k, j, i


def tile_starts(length: int, size: int, overlap: float) -> list[int]:
    """Starts of overlapping tiles that cover [0, length); the last one ends at the end."""
    if length <= size:
        return [0]
    count = int(np.ceil((length - size) / (size * (1 - overlap)))) + 1
    return [round(float(n)) for n in np.linspace(0, length - size, count)]


def tiled_scores(
    bundle: Bundle, recipe: Recipe, image: Array, size: tuple[int, int, int], device: str,
    report: Callable[[float], None],
) -> Array:
    """The recipe's scores (c, K, J, I) float32 of a normalized image (K, J, I), tiles blended by its weight."""
    import torch

    padded, first = recipe.padded(image, size)
    tissue = padded > recipe.tissue
    weight = torch.from_numpy(recipe.tile_weight(size))
    total = torch.zeros((len(bundle.spec["labels"]) + 1, *padded.shape))
    norm = torch.zeros(padded.shape)
    axes = [tile_starts(n, s, recipe.overlap) for n, s in zip(padded.shape, size, strict=True)]
    starts = list(itertools.product(*axes))
    network = bundle.network.to(device)
    report(0.0)
    with torch.inference_mode():
        for done, start in enumerate(starts, 1):
            block = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
            if tissue[block].mean() >= recipe.least_tissue:
                tile = torch.from_numpy(padded[block])[None, None].to(device)
                with _precision(device):
                    logits = network(tile)
                total[:, block[0], block[1], block[2]] += recipe.scores(logits[0].float()).cpu() * weight
            else:
                total[0][block] += weight
            norm[block] += weight
            report(done / len(starts))
    total /= norm
    k, j, i = (slice(a, a + n) for a, n in zip(first, image.shape, strict=True))
    return total[:, k, j, i].numpy()


def _precision(device: str):
    """bfloat16 where it is exact enough and fast: GPUs. The CPU stays in float32."""
    import contextlib

    import torch

    if str(device).startswith("cuda"):
        return torch.autocast("cuda", torch.bfloat16)
    return contextlib.nullcontext()


def _labels_on(scores: Array, matrices: tuple[Array, Array, Array], shape: tuple[int, int, int]) -> Array:
    """Class with the highest score at every voxel of the target grid, slice by slice so that memory stays small.

    The matrices mix without negative weights: where no source voxel near a slice has foreground, background wins.
    """
    wk, wj, wi = matrices
    labels = np.zeros(shape, np.uint8)
    foreground = (scores[1:].max(axis=0) > scores[0]).any(axis=(1, 2))
    for k in range(shape[0]):
        sources = np.flatnonzero(wk[k])
        if not foreground[sources].any():
            continue
        plane = np.tensordot(wk[k, sources], scores[:, sources], axes=(0, 1))
        best = wj @ plane[0] @ wi.T
        for value in range(1, len(plane)):
            share = wj @ plane[value] @ wi.T
            better = share > best
            labels[k][better] = value
            best[better] = share[better]
    return labels
