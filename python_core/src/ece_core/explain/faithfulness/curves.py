"""Deletion and insertion: the probability falls when the hottest voxels go first, rises when they come first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

STEPS = 16
TIES_SEED = 20261122  # voxels that are equally hot go in this random order, never in that of the array


@dataclass(frozen=True)
class Curve:
    """A score while more and more voxels change.

    Attributes
    ----------
    shares
        (n + 1,) of the voxels changed, from 0 to 1.
    values
        (n + 1,) of the score.
    """

    shares: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def area(self) -> float:
        """Under the curve (trapezoids): small is good for deletion, large for insertion."""
        shares, values = np.array(self.shares), np.array(self.values)
        return float((np.diff(shares) * (values[1:] + values[:-1]) / 2).sum())


def deletion_and_insertion(
    score: Callable[[Array], Array], x: Array, blank: Array, heatmap: Array, seen: Array, steps: int = STEPS
) -> tuple[Curve, Curve]:
    """Both curves; the hottest voxels first.

    Parameters
    ----------
    score
        Of a batch (n, c, K, J, I): (n,).
    x, blank
        (c, K, J, I): the input, and what a voxel becomes in all channels when it is deleted.
    heatmap
        (K, J, I).
    seen
        (K, J, I) bool: voxels that change; the others stay as they are in ``x``.
    steps
        In equal shares of the voxels.

    Returns
    -------
    tuple[Curve, Curve]
        Deletion (from ``x`` to the blank), insertion (from the blank to ``x``).

    References
    ----------
    Petsiuk et al. 2018 (RISE), arXiv:1806.07421, section 4.1; areas are those of the curves, not normalized.
    """
    rank = np.full(heatmap.shape, np.inf)
    order = _hottest_first(heatmap[seen])
    places = np.empty(len(order))
    places[order] = np.arange(len(order))
    rank[seen] = places
    shares = np.linspace(0, 1, steps + 1)
    changed = [rank < round(share * len(order)) for share in shares]
    deleted = [_score_of(score, np.where(mask, blank, x)) for mask in changed]
    inserted = [_score_of(score, np.where(mask | ~seen, x, blank)) for mask in changed]
    return Curve(tuple(shares.tolist()), tuple(deleted)), Curve(tuple(shares.tolist()), tuple(inserted))


def _hottest_first(values: Array) -> Array:
    shuffled = np.random.default_rng(TIES_SEED).permutation(len(values))
    return np.asarray(shuffled[np.argsort(-values[shuffled], kind="stable")])


def _score_of(score: Callable[[Array], Array], x: Array) -> float:
    return float(score(x[None].astype(np.float32))[0])
