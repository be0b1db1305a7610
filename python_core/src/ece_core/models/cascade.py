"""Two networks in a row, as nnU-Net's cascade: low resolution finds, full resolution outlines.

The second one sees, beside the CT, one channel per label of what the first one found.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from ece_core.geometry import Volume
from ece_core.models.bundle import Bundle
from ece_core.models.recipe import Recipe
from ece_core.models.tile_network import TileNetwork
from ece_core.models.tiles import tile_starts
from ece_core.preprocessing.resample_labels import resample_labels

Array = np.ndarray

EARLIER_SHARE = 0.2  # of the time, for the progress bar


class Cascade(nn.Module):
    """Both networks under one set of weights; ``segment`` calls them one after the other."""

    def __init__(self, earlier: nn.Module, full: nn.Module) -> None:
        super().__init__()
        self.earlier, self.full = earlier, full

    def forward(self, x):
        """Logits of the full resolution from (n, 1 + labels, k, j, i)."""
        return self.full(x)


def earlier_bundle(bundle: Bundle) -> Bundle:
    """The low-resolution network of a cascade, as a bundle of its own."""
    spec: dict[str, Any] = {
        **bundle.spec, **bundle.spec["arguments"]["earlier"], "input": bundle.spec["input"]["earlier"],
    }  # fmt: skip
    network: Any = bundle.network
    return Bundle(bundle.name, bundle.version, bundle.task, spec, bundle.sha256, network.earlier)


def earlier_labels(
    bundle: Bundle, axial: Volume, shape: tuple[int, int, int], device: str,
    report: Callable[[float], None] = lambda fraction: None,
) -> Array:
    """What the low-resolution network finds in an axial scan, on the full resolution's grid: (K, J, I) uint8.

    Training calls this too, so that the second network learns from what it will see.

    Parameters
    ----------
    shape
        Of the grid of the full resolution.
    """
    from ece_core.models.segmentation import segment

    found = segment(bundle, axial, device, report).class_map
    full_mm = tuple(old * n_in / n_out for old, n_in, n_out in zip(axial.spacing_mm, axial.shape, shape, strict=True))
    return resample_labels(found.array, axial.spacing_mm, (full_mm[0], full_mm[1], full_mm[2]), shape)


def cascade_scores(
    bundle: Bundle, recipe: Recipe, axial: Volume, image: Array, size: tuple[int, int, int], network: TileNetwork,
    report: Callable[[float], None],
) -> Array:
    """Scores (c, K, J, I) of the full resolution, tiles blended by the recipe's weight.

    Parameters
    ----------
    axial, image
        The scan (HU), and the same on the network's grid, normalized.
    network
        The bundle's, on a device: it runs the full resolution.
    """
    k, j, i = image.shape
    first_look = earlier_bundle(bundle)
    found = earlier_labels(first_look, axial, (k, j, i), network.device, lambda f: report(f * EARLIER_SHARE))
    labels = len(bundle.spec["labels"])
    channels = [image, *(found == value for value in range(1, labels + 1))]
    padded = [recipe.padded(np.asarray(channel, np.float32), size) for channel in channels]
    stacked, first = np.stack([array for array, _ in padded]), padded[0][1]
    weight = torch.from_numpy(recipe.tile_weight(size))
    total, norm = torch.zeros((labels + 1, *stacked.shape[1:])), torch.zeros(stacked.shape[1:])
    axes = [tile_starts(n, s, recipe.overlap) for n, s in zip(stacked.shape[1:], size, strict=True)]
    starts = list(itertools.product(*axes))
    with torch.inference_mode():
        for done, start in enumerate(starts, 1):
            block = (slice(None), *(slice(a, a + s) for a, s in zip(start, size, strict=True)))
            logits = network(torch.from_numpy(stacked[block])[None].to(network.device))
            total[block] += recipe.scores(logits).cpu() * weight
            norm[block[1:]] += weight
            report(EARLIER_SHARE + (1 - EARLIER_SHARE) * done / len(starts))
    inside = tuple(slice(a, a + n) for a, n in zip(first, image.shape, strict=True))
    return (total / norm)[(slice(None), *inside)].numpy()
