"""What belongs to a network besides its weights: how a scan becomes its input, and tiles of its output become labels.

A card names its recipe in ``input.recipe``; without one it is ours. Recipes are code of ours, never of a bundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ece_core.errors import ModelError
from ece_core.geometry import Volume, affine_from
from ece_core.preprocessing import resample
from ece_core.preprocessing.normalization import Normalization
from ece_core.preprocessing.resample import aligned_weights
from ece_core.preprocessing.spline import resample_cubic, spline_matrices, thick_axis

if TYPE_CHECKING:
    import torch

Array = np.ndarray
Matrices = tuple[Array, Array, Array]

AIR_HU = -1000.0
TISSUE_HU = -250.0


class Recipe:
    """Ours: resample by area, then normalize; tiles overlap by a quarter, their probabilities are averaged."""

    overlap = 0.25
    least_tissue = 0.01  # a tile with less tissue than this share holds no lymph node, and is not looked at

    def __init__(self, model_input: dict[str, Any]) -> None:
        k, j, i = np.broadcast_to(model_input["spacing_mm"], 3).astype(float)
        self.spacing_mm = (float(k), float(j), float(i))
        self.normalization = Normalization.of(model_input)
        self.toward = model_input.get("orientation", "LPS")
        self.tissue = float(self.normalization(TISSUE_HU))

    def working(self, axial: Volume) -> Volume:
        """The scan on the network's grid, normalized."""
        volume = resample(axial, self.spacing_mm)
        return volume.with_array(self.normalization(volume.array))

    def padded(self, array: Array, size: tuple[int, int, int]) -> tuple[Array, tuple[int, int, int]]:
        """At least one tile large, and where the array begins in it: air is added at the far ends."""
        margins = [(0, max(0, s - n)) for s, n in zip(size, array.shape, strict=True)]
        if not np.any(margins):
            return array, (0, 0, 0)
        return np.pad(array, margins, constant_values=self.normalization(AIR_HU)), (0, 0, 0)

    def tile_weight(self, size: tuple[int, int, int]) -> Array:
        """Weight of a tile's voxels: a Gaussian, sigma one eighth of the edge, never zero."""
        axes = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 8)) ** 2) for n in size]
        return np.maximum(_product(axes), 1e-3).astype(np.float32)

    def scores(self, logits: torch.Tensor) -> torch.Tensor:
        """(c, k, j, i) of one tile: what is averaged where tiles overlap."""
        return logits.softmax(0)

    def probabilities(self, scores: Array) -> Array:
        """Class probabilities from the averaged scores; may reuse their memory."""
        return scores

    def back(self, working: Volume, axial: Volume) -> Matrices:
        """Weights, never negative, that take scores to the scan's own grid."""
        return aligned_weights(working, axial.shape, axial.affine)


class NnunetRecipe(Recipe):
    """nnU-Net v2: normalize, then cubic splines; tiles overlap by half, their logits are averaged, then linear back.

    Written after nnunetv2 2.8.1 (`DefaultPreprocessor`, `nnUNetPredictor`, `export_prediction`), tested against it.
    nnU-Net looks at every tile and pads on both sides with 0, which after normalization is the mean.
    """

    overlap = 0.5
    least_tissue = 0.0

    def working(self, axial: Volume) -> Volume:
        array = resample_cubic(axial.array, axial.spacing_mm, self.spacing_mm, self.normalization)
        scales = [n_in / n_out for n_in, n_out in zip(axial.shape, array.shape, strict=True)]
        k, j, i = (old * scale for old, scale in zip(axial.spacing_mm, scales, strict=True))
        first = axial.to_lps([0.5 * scale - 0.5 for scale in scales])
        return Volume(array, affine_from((k, j, i), first, axial.direction))

    def padded(self, array: Array, size: tuple[int, int, int]) -> tuple[Array, tuple[int, int, int]]:
        short = [max(0, s - n) for s, n in zip(size, array.shape, strict=True)]
        if not any(short):
            return array, (0, 0, 0)
        k, j, i = (n // 2 for n in short)
        return np.pad(array, [(n // 2, n - n // 2) for n in short]), (k, j, i)

    def tile_weight(self, size: tuple[int, int, int]) -> Array:
        axes = []
        for n in size:
            peak = np.zeros(n)
            peak[n // 2] = 1.0
            axes.append(ndimage.gaussian_filter1d(peak, n / 8, mode="constant"))
        weight = _product(axes)
        weight = (10 * weight / weight.max()).astype(np.float16)  # nnU-Net's numbers, of which the smallest are 0
        weight[weight == 0] = weight[weight > 0].min()
        return weight.astype(np.float32)

    def scores(self, logits: torch.Tensor) -> torch.Tensor:
        return logits

    def probabilities(self, scores: Array) -> Array:
        scores -= scores.max(axis=0)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=0)
        return scores

    def back(self, working: Volume, axial: Volume) -> Matrices:
        thick = thick_axis(self.spacing_mm, axial.spacing_mm)
        return spline_matrices(working.shape, axial.shape, 1, thick)


RECIPES = {"ece": Recipe, "nnunet": NnunetRecipe}


def recipe_of(model_input: dict[str, Any]) -> Recipe:
    """The recipe that a card's ``input`` names.

    Raises
    ------
    ModelError
        We have none of that name, or the card lacks what it needs.
    """
    name = model_input.get("recipe", "ece")
    if name not in RECIPES:
        raise ModelError(
            f"The model asks for a recipe named {name!r}, which this version does not have.",
            f"Update ece-core, or use a model made for {', '.join(RECIPES)}.",
        )
    try:
        return RECIPES[name](model_input)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            "The model card does not say how a scan is prepared (input: spacing and window or normalization).",
            "Import the model again.",
        ) from error


def _product(axes: list[Array]) -> Array:
    return axes[0][:, None, None] * axes[1][None, :, None] * axes[2][None, None, :]
