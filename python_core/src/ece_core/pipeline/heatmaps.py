"""One heatmap volume per method: the heatmaps of all lymph nodes pasted into a crop of the CT grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ece_core.geometry import Volume
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.pipeline.explanation_guide import CAPSULE_REPAIR
from ece_core.pipeline.heatmap_kind import HeatmapKind
from ece_core.pipeline.options import EXPLANATION_TITLES

SCALING = (
    "Each lymph node by itself: median subtracted, negatives set to 0, divided by the maximum. "
    "Colors of two lymph nodes cannot be compared. Where two overlap, the larger value is shown."
)
SIGNED_SCALING = (
    "Each lymph node by itself: divided by the largest absolute value; what speaks against is negative, not drawn. "
    "Colors of two lymph nodes cannot be compared. Where two overlap, the value further from 0 is shown."
)
REPAIR_SCALING = (
    "Capsule repair, each lymph node by itself: fall of the probability of ENE (also ECE) divided by the largest fall; "
    "empty if that is below 0.05."
)
AROUND_MM = 8.0  # as far as the classifier sees around a lymph node


@dataclass(frozen=True, eq=False)
class Heatmap:
    """A heatmap of one lymph node, or of several pasted together.

    Attributes
    ----------
    volume
        float32 in [0, 1].
    figures
        What goes with it into `result.json`: of one lymph node {"faithfulness": {...}} or {"capsule_repair": {...}};
        of several the same, each by the lymph node's id.
    """

    volume: Volume
    figures: dict[str, Any] = field(default_factory=dict)


def together(ct: Volume, of_each: Mapping[str, Heatmap]) -> Heatmap:
    """The heatmaps of several lymph nodes, by their ids, as one."""
    figures: dict[str, Any] = {}
    for node_id, heatmap in of_each.items():
        for name, values in heatmap.figures.items():
            figures.setdefault(name, {})[node_id] = values
    return Heatmap(paste_heatmaps(ct, [heatmap.volume for heatmap in of_each.values()]), figures)


def paste_heatmaps(ct: Volume, blocks: Sequence[Volume]) -> Volume:
    """The smallest crop of the CT grid that holds all blocks, 0 where none lies.

    Parameters
    ----------
    ct
        The grid.
    blocks
        float32 in [0, 1], or [-1, 1], each a block of the CT grid (same spacing and direction, whole-voxel offset). At
        least one.

    Returns
    -------
    Volume
        float32; where blocks overlap, the value further from 0.
    """
    starts = np.array([np.rint(ct.to_index(block.origin_lps_mm)) for block in blocks], dtype=int)
    stops = starts + np.array([block.shape for block in blocks])
    first, last = starts.min(axis=0), stops.max(axis=0)
    pasted = np.zeros(last - first, np.float32)
    for block, start, stop in zip(blocks, starts - first, stops - first, strict=True):
        view = pasted[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        np.copyto(view, block.array, where=np.abs(block.array) > np.abs(view))
    affine = ct.affine.copy()
    affine[:3, 3] = ct.to_lps(first)
    return Volume(pasted, affine)


def correlated(
    heatmap: Volume, others: Mapping[str, Volume], lymph_nodes: Sequence[LymphNode], ct: Volume
) -> dict[str, dict[str, float]]:
    """Pearson's correlation of a heatmap with others, by method, then by lymph node, around each by itself.

    Parameters
    ----------
    heatmap, others
        Crops of the CT grid.
    """
    if not others:
        return {}
    from ece_core.explain.faithfulness.correlation import map_correlation

    found: dict[str, dict[str, float]] = {}
    for node in lymph_nodes:
        if node.bounding_box_kji is None:
            continue
        box = _box_around(node.bounding_box_kji, ct)
        own = _within(heatmap, box, ct)
        for method, other in others.items():
            value = map_correlation(own, _within(other, box, ct))
            if value is not None:
                found.setdefault(method, {})[node.id] = round(value, 4)
    return found


Corners = tuple[np.ndarray, np.ndarray]


def _box_around(box: tuple[tuple[int, int, int], tuple[int, int, int]], ct: Volume) -> Corners:
    border = np.ceil(AROUND_MM / np.array(ct.spacing_mm)).astype(int)
    return np.maximum(np.array(box[0]) - border, 0), np.minimum(np.array(box[1]) + border, ct.shape)


def _within(heatmap: Volume, box: Corners, ct: Volume) -> np.ndarray:
    """(k, j, i): a heatmap in a box of the CT grid, zero where it has no voxels."""
    start, stop = box
    offset = np.rint(ct.to_index(heatmap.origin_lps_mm)).astype(int)
    cut = np.zeros(stop - start, np.float32)
    low, high = np.maximum(start, offset), np.minimum(stop, offset + heatmap.shape)
    if (high > low).all():
        here, there = (tuple(map(slice, low - by, high - by)) for by in (start, offset))
        cut[here] = heatmap.array[there]
    return cut


def on_grid_of(ct: Volume, block: Volume) -> Volume:
    """A block of the CT grid (a region's instance map) put back into a whole CT grid of zeros."""
    start = np.rint(ct.to_index(block.origin_lps_mm)).astype(int)
    whole = np.zeros(ct.shape, block.array.dtype)
    whole[tuple(slice(a, a + n) for a, n in zip(start, block.shape, strict=True))] = block.array
    return ct.with_array(whole)


def heatmap_entry(
    method: str,
    lymph_node: LymphNode | None = None,
    figures: Mapping[str, Any] | None = None,
    kind: HeatmapKind | None = None,
) -> dict[str, Any]:
    """One entry of `heatmaps` in `result.json`: {method, title, file, scaling}, of all lymph nodes or of one.

    ``figures`` go beside these: ``faithfulness`` or ``capsule_repair``, by the lymph nodes' ids.
    """
    kind = kind or HeatmapKind()
    name, title = method + kind.suffix, EXPLANATION_TITLES[method] + kind.words
    if lymph_node is not None:
        name, title = f"{name}-LN{lymph_node.label}", f"{title} of {lymph_node.id}"
    scaling = SIGNED_SCALING if kind.signed else SCALING
    scaling = REPAIR_SCALING if method == CAPSULE_REPAIR else scaling
    return {"method": name, "title": title, "file": f"heatmaps/{name}.nrrd", "scaling": scaling, **(figures or {})}
