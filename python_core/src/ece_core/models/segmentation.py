"""Find lymph nodes: the network's own grid, overlapping tiles, back to the scan's grid.

Working grid: axial orientation at the spacing that the bundle was trained on. How the scan gets there and the answer
back is the bundle's recipe (`recipe.py`). Full search looks at all tiles and answers as a plain sliding window does;
fast search looks at the body, which a coarse pass finds, and at every place once (`body_tiles.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ece_core.geometry import Volume
from ece_core.models.body_tiles import body_tiles, is_local, most_voxels
from ece_core.models.bundle import Bundle
from ece_core.models.label_boxes import LabelWriter
from ece_core.models.recipe import Recipe, recipe_of
from ece_core.models.scan_tiles import planes_of
from ece_core.models.tile_network import TileNetwork, tile_network
from ece_core.models.tiles import Three, every_tile, tile_starts
from ece_core.preprocessing import to_axial

__all__ = ["SegmentationOutput", "fast_by_default", "mirror_axes_of", "segment", "tile_starts", "tiled_scores"]

Array = np.ndarray
Report = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class SegmentationOutput:
    """``class_map``: uint8 on the region's grid, 0 or the place of the label in the card, from 1.
    ``voxels``: (n,) flat positions of its foreground, ascending. ``class_probabilities``: (labels, n) float32 there,
    at the nearest voxel of the network's own grid. ``engine``: what computed it."""

    class_map: Volume
    voxels: Array
    class_probabilities: Array
    engine: str = ""


def fast_by_default(bundle: Bundle) -> bool:
    """Whether fast search answers as full search does: the network looks at neighborhoods, and is no cascade."""
    return "earlier" not in bundle.spec["input"] and is_local(bundle.network)


def mirror_axes_of(bundle: Bundle) -> tuple[int, ...]:
    """Axes (0, 1, 2 for k, j, i) along which the card allows to mirror at test time; none unless it says so."""
    return tuple(int(axis) for axis in bundle.spec["input"].get("mirror_axes", ()))


def segment(
    bundle: Bundle, region: Volume, device: str, report: Report = lambda fraction: None, patch_scale: float = 1.0,
    fast: bool = False, mirror: bool = False,
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
    fast
        Look only at the body, and at every place once.
    mirror
        Average the logits over the mirrorings that the card allows.
    """
    recipe = recipe_of(bundle.spec["input"])
    axial, orientation = to_axial(region, recipe.toward)
    working = recipe.working(axial)
    matrices = recipe.back(working, axial)
    axes = mirror_axes_of(bundle) if mirror else ()
    network = tile_network(bundle.network, device, axes, _tile_multiple(bundle))
    writer = LabelWriter(matrices, device)
    for planes in _planes(bundle, recipe, network, axial, working, patch_scale, fast, report):
        writer.add(planes)
    labels = orientation.undo(writer.labels())
    index, scores = writer.foreground()
    voxels = np.ravel_multi_index(tuple(orientation.undo_index(index, axial.shape).T), region.shape)
    order = np.argsort(voxels)
    return SegmentationOutput(
        Volume(np.ascontiguousarray(labels), region.affine),
        voxels[order],
        recipe.probabilities(scores[:, order])[1:],
        network.engine,
    )


def _planes(
    bundle: Bundle, recipe: Recipe, network: TileNetwork, axial: Volume, working: Volume, patch_scale: float,
    fast: bool, report: Report,
) -> Iterator:
    """Scores (c, n, J, I) of the working grid, plane by plane."""
    image, size = working.array, _tile_size(bundle, patch_scale)
    if "earlier" in bundle.spec["input"]:  # a cascade's first network is a coarse search of its own
        import torch

        from ece_core.models.cascade import cascade_scores

        yield torch.from_numpy(cascade_scores(bundle, recipe, axial, image, size, network, report))
        return
    local = fast and is_local(bundle.network)
    multiple = _tile_multiple(bundle)
    least = _up_to_multiples(image.shape, multiple) if local else size
    padded, first = recipe.padded(image, least)
    if fast:
        most = most_voxels(bundle.network) * patch_scale**3
        tiles = body_tiles(recipe, padded, working.spacing_mm, size, multiple, local, most)
    else:
        tiles = every_tile(padded.shape, size, recipe.overlap)
    planes = planes_of(network, recipe, padded, tiles, len(bundle.spec["labels"]) + 1, report)
    yield from _without_padding(planes, first, image.shape)


def _without_padding(planes: Iterable[Any], first: Three, shape: tuple[int, ...]) -> Iterator:
    at = -first[0]
    (_, j, i) = (slice(a, a + n) for a, n in zip(first, shape, strict=True))
    for some in planes:
        low, high = max(0, -at), min(some.shape[1], shape[0] - at)
        if low < high:
            yield some[:, low:high, j, i]
        at += some.shape[1]


def _tile_multiple(bundle: Bundle) -> Three:
    """What the edges (k, j, i) of a tile are multiples of: the network's total stride."""
    own = [np.broadcast_to(stride, 3) for stride in bundle.spec["arguments"].get("strides", [1])]
    k, j, i = bundle.spec["input"].get("tile_multiple", np.prod(own, axis=0).tolist())
    return k, j, i


def _tile_size(bundle: Bundle, patch_scale: float) -> Three:
    """The card's tile edges (k, j, i), or smaller ones."""
    sizes = zip(bundle.spec["input"]["tile_size"], _tile_multiple(bundle), strict=True)
    k, j, i = (max(stride, round(n * patch_scale / stride) * stride) for n, stride in sizes)
    return k, j, i


def _up_to_multiples(shape: Sequence[int], multiple: Three) -> Three:
    k, j, i = (-(-n // m) * m for n, m in zip(shape, multiple, strict=True))
    return k, j, i


def tiled_scores(
    bundle: Bundle, recipe: Recipe, image: Array, size: Three, device: str, report: Report = lambda fraction: None,
) -> Array:
    """The recipe's scores (c, K, J, I) float32 of a normalized image (K, J, I), all at once: as much memory as that."""
    import torch

    padded, first = recipe.padded(image, size)
    tiles, channels = every_tile(padded.shape, size, recipe.overlap), len(bundle.spec["labels"]) + 1
    network = tile_network(bundle.network, device, multiple=_tile_multiple(bundle))
    planes = planes_of(network, recipe, padded, tiles, channels, report)
    return torch.cat([some.cpu().clone() for some in _without_padding(planes, first, image.shape)], 1).numpy()
