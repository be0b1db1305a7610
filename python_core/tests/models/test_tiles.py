"""The second version keeps everything in memory, in float64, and divides at the end."""

import numpy as np
import pytest
import torch
from ece_core.models.tiles import Tile, TileSum, every_tile

SHAPE = (23, 12, 14)


def weight_of(size):
    return np.random.default_rng(sum(size)).uniform(0.1, 1, size).astype(np.float32)


def plainly(shape, tiles, answers, channels=3):
    total, norm = np.zeros((channels, *shape)), np.zeros(shape)
    for tile, answer in zip(tiles, answers, strict=True):
        weight = weight_of(tile.size).astype(float)
        if tile.inner is not None:
            counts = np.zeros_like(weight)
            inside = tuple(slice(a, b) for a, b in zip(*tile.inner, strict=True))
            counts[inside] = weight[inside]
            weight = counts
        total[:, *tile.box] += answer * weight
        norm[tile.box] += weight
    return np.divide(total, norm, out=np.zeros_like(total), where=norm > 0)


def summed(shape, tiles, answers, channels=3):
    total = TileSum(channels, shape, tiles, weight_of, "cpu")
    planes = []
    for tile, answer in zip(tiles, answers, strict=True):
        planes += [each.clone() for each in total.take(tile.start[0])]
        total.add(tile, torch.from_numpy(answer.astype(np.float32)))
    planes += [each.clone() for each in total.take(shape[0])]
    return torch.cat(planes, 1).numpy()


def answers_of(tiles):
    rng = np.random.default_rng(7)
    return [rng.normal(size=(3, *tile.size)) for tile in tiles]


@pytest.mark.parametrize(
    "tiles",
    [
        pytest.param(every_tile(SHAPE, (8, 8, 8), 0.5), id="overlapping"),
        pytest.param(every_tile(SHAPE, (7, 6, 5), 0.25), id="steps that differ"),
        pytest.param(every_tile(SHAPE, SHAPE, 0.5), id="one tile"),
        pytest.param([Tile((3, 0, 2), (8, 8, 8)), Tile((4, 4, 6), (8, 8, 8)), Tile((15, 4, 6), (8, 8, 8))], id="few"),
        pytest.param([Tile((0, 0, 0), (4, 8, 8)), Tile((1, 2, 0), (9, 5, 8))], id="sizes that differ"),
        pytest.param([Tile((2, 0, 0), (8, 8, 8), ((1, 0, 2), (6, 8, 7)))], id="only the inner part counts"),
        pytest.param([], id="none: nothing is known anywhere"),
    ],
)
def test_planes_come_in_order_and_are_those_of_a_sum_that_keeps_all(tiles):
    answers = answers_of(tiles)
    np.testing.assert_allclose(summed(SHAPE, tiles, answers), plainly(SHAPE, tiles, answers), atol=1e-5)


def test_a_tile_that_nobody_looked_at_counts_as_background():
    tiles = [Tile((0, 0, 0), (8, 8, 8)), Tile((4, 4, 4), (8, 8, 8))]
    (answer,) = answers_of(tiles[:1])
    nothing = np.zeros_like(answer)
    nothing[0] = 1
    total = TileSum(3, SHAPE, tiles, weight_of, "cpu")
    total.add(tiles[0], torch.from_numpy(answer.astype(np.float32)))
    before = [each.clone() for each in total.take(4)]
    total.add_background(tiles[1])
    planes = torch.cat([*before, *(each.clone() for each in total.take(SHAPE[0]))], 1)
    np.testing.assert_allclose(planes.numpy(), plainly(SHAPE, tiles, [answer, nothing]), atol=1e-5)
