"""Outlines that are computed for the reader: grown from a click, cut in parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.geometry import Volume
from ece_core.lymph_nodes.grow_from_click import grow_from_click
from ece_core.lymph_nodes.split_in_two import split_at_points, split_at_waist
from ece_core.review.outline import Outline
from ece_core.review.state import ReviewState

Point = tuple[float, float, float]


def grown_outline(ct: Volume, state: ReviewState, point_lps: Point) -> Outline:
    """The outline of a missed lymph node, from one click; see
    :func:`ece_core.lymph_nodes.grow_from_click.grow_from_click`, also for what it refuses."""
    start, block = grow_from_click(ct, point_lps, state.instances(ct.affine).array)
    return Outline.from_block(start, block)


def parts_of(outline: Outline, affine: np.ndarray, points_lps: Sequence[Point] = ()) -> list[Outline]:
    """The outline cut in parts: one around each point, or two at its waist where no points are given.

    Parameters
    ----------
    affine
        Of the CT, (4, 4).

    Raises
    ------
    InputError
        As :func:`ece_core.lymph_nodes.split_in_two.split_at_points` and ``split_at_waist``.
    """
    own = np.array(affine, float)
    own[:3, 3] = (own @ [*outline.start_kji[::-1], 1.0])[:3]
    mask = Volume(np.array(outline.block), own)
    parts = split_at_points(mask, points_lps) if len(points_lps) else split_at_waist(mask)
    return [
        Outline.from_block(outline.start_kji, parts.array == number) for number in range(1, int(parts.array.max()) + 1)
    ]
