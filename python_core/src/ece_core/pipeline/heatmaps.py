"""One heatmap volume per method: the heatmaps of all lymph nodes pasted into a crop of the CT grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.geometry import Volume
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.pipeline.options import EXPLANATION_TITLES

SCALING = (
    "Each lymph node by itself: median subtracted, negatives set to 0, divided by the maximum. "
    "Colors of two lymph nodes cannot be compared. Where two overlap, the larger value is shown."
)


def paste_heatmaps(ct: Volume, blocks: Sequence[Volume]) -> Volume:
    """The smallest crop of the CT grid that holds all blocks, 0 where none lies.

    Parameters
    ----------
    ct
        The grid.
    blocks
        float32 in [0, 1], each a block of the CT grid (same spacing and direction, whole-voxel offset). At least one.

    Returns
    -------
    Volume
        float32; where blocks overlap, their maximum.
    """
    starts = np.array([np.rint(ct.to_index(block.origin_lps_mm)) for block in blocks], dtype=int)
    stops = starts + np.array([block.shape for block in blocks])
    first, last = starts.min(axis=0), stops.max(axis=0)
    pasted = np.zeros(last - first, np.float32)
    for block, start, stop in zip(blocks, starts - first, stops - first, strict=True):
        view = pasted[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        np.maximum(view, block.array, out=view)
    affine = ct.affine.copy()
    affine[:3, 3] = ct.to_lps(first)
    return Volume(pasted, affine)


def on_grid_of(ct: Volume, block: Volume) -> Volume:
    """A block of the CT grid (a region's instance map) put back into a whole CT grid of zeros."""
    start = np.rint(ct.to_index(block.origin_lps_mm)).astype(int)
    whole = np.zeros(ct.shape, block.array.dtype)
    whole[tuple(slice(a, a + n) for a, n in zip(start, block.shape, strict=True))] = block.array
    return ct.with_array(whole)


def heatmap_entry(method: str, lymph_node: LymphNode | None = None) -> dict[str, str]:
    """One entry of `heatmaps` in `result.json`: {method, title, file, scaling}, of all lymph nodes or of one."""
    name, title = method, EXPLANATION_TITLES[method]
    if lymph_node is not None:
        name, title = f"{method}-LN{lymph_node.label}", f"{title} of {lymph_node.id}"
    return {"method": name, "title": title, "file": f"heatmaps/{name}.nrrd", "scaling": SCALING}
