"""Occlusion: how much of the score is lost when a box of the image is blanked out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from ece_core.explain.engine import NotExplainableError, checked_input, finite, frozen, run
from ece_core.explain.settings import Explainer, Settings

Box = tuple[slice, ...]


@contextmanager
def occlusion(network: nn.Module, x: Tensor, settings: Settings) -> Iterator[Explainer]:
    """The score minus that with a box replaced by the baseline, in all channels, averaged over the boxes of a voxel.

    One forward pass per box, none of it differentiated; it applies to every network.

    References
    ----------
    Zeiler and Fergus 2013, arXiv:1311.2901, section 4.2.
    """
    with torch.no_grad(), frozen(network):
        image, baseline = checked_input(x), settings.baseline_of(x)
        logits = run(network, image)
        places = boxes(x.shape[2:], settings.window, settings.stride)

        def of(seed: Tensor) -> Tensor:
            lost, count = torch.zeros_like(image[:, :1]), torch.zeros_like(image[:1, :1])
            for box in places:
                at: Any = (..., *box)
                count[at] += 1
                if torch.equal(image[at], baseline[at]):
                    continue  # blank already: nothing can change
                blanked = image.clone()
                blanked[at] = baseline[at]
                drop = (seed * (logits - run(network, blanked))).flatten(1).sum(dim=1)
                lost[at] += drop.reshape(-1, *[1] * (x.ndim - 1))
            return finite(lost / count)

        yield Explainer(logits, of)


def boxes(shape: Sequence[int], window: int | Sequence[int], stride: int | Sequence[int] | None) -> list[Box]:
    """Boxes that cover the image; the last along an axis ends at its border.

    Raises
    ------
    NotExplainableError
        The window is empty, or the stride leaves voxels out.
    """
    edges = [min(n, edge) for n, edge in zip(shape, _each(window, len(shape)), strict=True)]
    moves = [max(1, edge // 2) for edge in edges] if stride is None else _each(stride, len(shape))
    moves = [edge if edge == n else move for n, edge, move in zip(shape, edges, moves, strict=True)]
    if min(edges) < 1 or min(moves) < 1 or any(m > e for m, e in zip(moves, edges, strict=True)):
        raise NotExplainableError(
            f"Occlusion with a window of {edges} and a stride of {moves} leaves voxels out.",
            "Choose a stride from 1 to the window's edge.",
        )
    starts = [
        sorted({*range(0, n - edge + 1, move), n - edge}) for n, edge, move in zip(shape, edges, moves, strict=True)
    ]
    return [tuple(slice(a, a + edge) for a, edge in zip(corner, edges, strict=True)) for corner in product(*starts)]


def _each(given: int | Sequence[int], axes: int) -> list[int]:
    return [given] * axes if isinstance(given, int) else list(given)
