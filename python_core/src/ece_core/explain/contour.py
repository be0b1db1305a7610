"""Why the segmentation network drew one lymph node: its contour explained, on a crop of the network's own grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ece_core.explain.accumulation import Accumulated, Way
from ece_core.explain.contour_quality import ContourQuality, contour_profile, not_judged
from ece_core.explain.engine import NotExplainableError
from ece_core.explain.lymph_node import INTEGRATION_GAP
from ece_core.explain.methods import explain, explain_voxels, find_method
from ece_core.explain.settings import Settings
from ece_core.explain.target import Voxels
from ece_core.geometry import Volume
from ece_core.models.bundle import Bundle
from ece_core.models.recipe import AIR_HU, recipe_of
from ece_core.preprocessing import to_axial
from ece_core.preprocessing.resample import sample_block

MARGIN = 8  # voxels of the network's grid around the lymph node, 12 mm in the shipped one
LEAST_EDGE = 24  # voxels: three at its deepest stage
NOT_ON_GRID = "The lymph node is smaller than a voxel of the network's grid."

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class ContourCrop:
    """``image`` (k, j, i) float32, normalized; ``inside`` (k, j, i) bool: the lymph node; ``affine`` of both."""

    image: Array
    inside: Array
    affine: Array


def contour_crop(bundle: Bundle, ct: Volume, instances: Volume, label: int) -> ContourCrop:
    """What the segmentation network sees around one lymph node of the instance map.

    Raises
    ------
    ValueError
        The label does not occur.
    """
    recipe = recipe_of(bundle.spec["input"])
    box = instances.label_box(label)
    if box is None:
        raise ValueError(f"label {label} is not in the instance map")
    corners = instances.to_lps(np.array(box) - [[0.5], [0.5]])
    near = _around(ct, box, recipe.spacing_mm)
    axial, _ = to_axial(near, recipe.toward)
    extent = np.abs(np.diff(axial.to_index(corners), axis=0))[0] * axial.spacing_mm / recipe.spacing_mm
    multiple = np.broadcast_to(bundle.spec["input"].get("tile_multiple", 8), 3)
    edges = np.ceil(np.maximum(extent + 2 * MARGIN, LEAST_EDGE) / multiple).astype(int) * multiple
    shape = (int(edges[0]), int(edges[1]), int(edges[2]))
    block = sample_block(axial, corners.mean(axis=0), shape, recipe.spacing_mm, AIR_HU)
    image = recipe.normalization(block.array).astype(np.float32)
    return ContourCrop(image, _inside(block, instances, label), block.affine)


def _around(ct: Volume, box: Sequence[Sequence[int]], spacing_mm: Sequence[float]) -> Volume:
    """The CT as far as the crop can reach, so that only that is turned and resampled."""
    reach = np.ceil((LEAST_EDGE + MARGIN) * max(spacing_mm) / np.array(ct.spacing_mm)).astype(int)
    start = np.maximum(np.array(box[0]) - reach, 0)
    stop = np.minimum(np.array(box[1]) + reach, ct.shape)
    return ct.crop((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _inside(block: Volume, instances: Volume, label: int) -> Array:
    """The lymph node at the nearest voxel of the instance map."""
    index = np.moveaxis(np.indices(block.shape), 0, -1)
    nearest = np.rint(instances.to_index(block.to_lps(index))).astype(int)
    there = ((nearest >= 0) & (nearest < instances.shape)).all(axis=-1)
    inside = np.zeros(block.shape, bool)
    inside[there] = instances.array[tuple(nearest[there].T)] == label
    return inside


def contour_attribution(bundle: Bundle, crop: ContourCrop, method: str, device: str) -> Array:
    """Signed map (k, j, i) of what made the network draw these voxels: all of their scores explained, summed.

    A voxel's score is its log odds of lymph node tissue of any class against none. The method has to be linear: then
    one pass is the sum over the voxels, exactly.

    Raises
    ------
    NotExplainableError
        The method is not linear, or does not apply to this network.
    """
    if not find_method(method).is_linear:
        raise NotExplainableError(
            f"{method} of many voxels takes a pass for each.", "Contour quality needs a linear method."
        )
    inside = torch.from_numpy(crop.inside).to(device)

    def log_odds(logits: torch.Tensor) -> torch.Tensor:
        tissue = logits[0, 1:].logsumexp(0) - logits[0, 0]
        return tissue[inside].sum()

    x = torch.from_numpy(crop.image)[None, None].to(device)
    return explain(bundle.network.to(device), x, log_odds, method)[0].sum(0).float().cpu().numpy()


def outline_map(
    bundle: Bundle, crop: ContourCrop, method: str, device: str, layer: str | None = None, way: Way = None
) -> Accumulated:
    """The maps of every voxel inside, summed exactly or as an estimate, signed: (1, 1, k, j, i).

    A voxel's score is the logit of the class that the network gives most of the voxels inside.

    Raises
    ------
    NotExplainableError
        The method does not apply to this network.
    """
    network, x = bundle.network.to(device), torch.from_numpy(crop.image)[None, None].to(device)
    inside = torch.from_numpy(crop.inside).to(device)
    with torch.inference_mode():
        classes = network(x)[0, 1:].argmax(dim=0)[inside]
    voxels = Voxels(inside, 1 + int(classes.bincount().argmax()))
    return explain_voxels(network, x, voxels, method, Settings(layer=layer, tolerance=INTEGRATION_GAP), way)


def contour_quality(
    bundle: Bundle, fit: ContourQuality, ct: Volume, instances: Volume, label: int, device: str
) -> dict[str, object]:
    """{risk, score} of one lymph node; both None, with a reason, where its contour cannot be judged."""
    crop = contour_crop(bundle, ct, instances, label)
    if not crop.inside.any():
        return not_judged(NOT_ON_GRID)
    try:
        attribution = contour_attribution(bundle, crop, fit.method, device)
    except NotExplainableError as error:
        return not_judged(error.problem)
    return fit.judge(contour_profile(attribution, crop.inside))
