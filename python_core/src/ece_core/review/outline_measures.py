"""Measures of an outline that the reader drew: the same functions as those of the analysis."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ece_core.geometry import Volume
from ece_core.lymph_nodes.levels import NeckFrame, side_and_level
from ece_core.lymph_nodes.measures import measure
from ece_core.review.outline import Outline


class OutlineMeasures:
    """Measures outlines on one CT; the landmarks of the neck are looked for once, when first needed.

    Parameters
    ----------
    ct
        (K, J, I) HU.
    """

    def __init__(self, ct: Volume) -> None:
        self.ct = ct

    def __call__(self, outline: Outline) -> dict[str, Any]:
        """Fields of LymphNode: what :func:`ece_core.lymph_nodes.measures.measure` says, side and level.

        Raises
        ------
        ValueError
            The outline leaves the CT grid.
        """
        if not outline.inside(self.ct.shape):
            raise ValueError(f"an outline up to {outline.stop_kji} leaves the grid {self.ct.shape}")
        # One voxel around it, where there is one: touching the border of the block is then touching the scan's.
        start = np.maximum(np.array(outline.start_kji) - 1, 0)
        stop = np.minimum(np.array(outline.stop_kji) + 1, self.ct.shape)
        ct = self.ct.crop(tuple(start), tuple(stop))
        mask = np.zeros(ct.shape, np.uint8)
        Outline(tuple(np.array(outline.start_kji) - start), outline.block).paint(mask, 1)
        found = measure(ct, ct.with_array(mask), 1)
        found["bounding_box_kji"] = (outline.start_kji, outline.stop_kji)
        found["side"], found["level"] = side_and_level(self._frame, found["centroid_lps_mm"])
        return found

    @cached_property
    def _frame(self) -> NeckFrame:
        return NeckFrame.from_ct(self.ct)
