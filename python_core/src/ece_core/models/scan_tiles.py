"""A network's answer on its own grid, plane by plane, from tiles of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ece_core.models.recipe import Recipe
from ece_core.models.tile_network import TileNetwork
from ece_core.models.tiles import Three, Tile, TileSum

Array = np.ndarray


def planes_of(
    network: TileNetwork, recipe: Recipe, image: Array, tiles: Sequence[Tile], channels: int,
    report: Callable[[float], None] = lambda fraction: None,
) -> Iterator:
    """The recipe's scores, tensors (c, n, J, I) on the network's device, all planes from the first to the last.

    Parameters
    ----------
    image
        (K, J, I) float32, normalized and padded.
    tiles
        Inside of it, by rising start along k.
    channels
        Of the scores: background and labels.
    report
        Called with the fraction of tiles done; may raise to cancel.
    """
    import torch

    shape: Three = (image.shape[0], image.shape[1], image.shape[2])
    total = TileSum(channels, shape, tiles, recipe.tile_weight, network.device)
    on_device = torch.from_numpy(image).to(network.device)
    report(0.0)
    for done, tile in enumerate(tiles, 1):
        yield from total.take(tile.start[0])
        if (image[tile.box] > recipe.tissue).mean() >= recipe.least_tissue:
            with torch.inference_mode():
                scores = recipe.scores(network(on_device[tile.box][None, None]))
            total.add(tile, scores)
        else:
            total.add_background(tile)
        report(done / len(tiles))
    yield from total.take(shape[0])
