"""The volume of interest: the box of most heat against counting every box, and what happens off the body."""

import itertools

import numpy as np
import pytest
import torch
from ece_core.explain.heat_overlap import heat_overlap
from ece_core.explain.hottest_region import VolumeOfInterest, hottest_box, volume_of_interest
from ece_core.geometry import Volume, affine_from
from torch import nn

SHAPE = (6, 7, 8)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_box_holds_more(seed):
    heat = np.random.default_rng(seed).random(SHAPE)
    box = (2, 3, 4)

    def total(start):
        return heat[tuple(slice(a, a + n) for a, n in zip(start, box, strict=True))].sum()

    starts = itertools.product(*(range(n - b + 1) for n, b in zip(SHAPE, box, strict=True)))
    assert hottest_box(heat, box) == max(starts, key=total)


@pytest.mark.parametrize(
    ("place", "start"),
    [
        pytest.param((3, 3, 4), (2, 2, 3), id="in the middle of its box"),
        pytest.param((0, 6, 0), (0, 4, 0), id="the box stays inside the volume"),
    ],
)
def test_the_box_of_one_hot_voxel(place, start):
    heat = np.zeros(SHAPE)
    heat[place] = 1
    assert hottest_box(heat, (3, 3, 3)) == start


class Bright(nn.Module):
    """Logits of the mean brightness: its class activation map is the image itself (or nothing, for a negative sign)."""

    def __init__(self, sign=1.0):
        super().__init__()
        self.maps = nn.Conv3d(1, 1, 1, bias=False)
        self.maps.weight.data.fill_(sign)

    def forward(self, x):
        mean = self.maps(x).mean((2, 3, 4))
        return torch.cat([-mean, mean], dim=1)


@pytest.fixture
def a_volume():
    """A body of 0.5 with a bright spot, and a brighter couch beside it."""
    array = np.zeros((10, 40, 30), np.float32)
    array[:, 5:25, 5:25] = 0.5
    array[4:6, 8:12, 8:12] = 0.8
    array[:, 36:38] = 1.0
    return Volume(array, affine_from((2.0, 2.0, 2.0)))


def test_heat_outside_of_the_head_and_neck_is_removed(a_volume):
    voi = volume_of_interest(Bright(), a_volume, "maps", (4, 8, 8))
    assert voi.is_guided
    assert (voi.heat[:, 36:38] == 0).all(), "the couch is the brightest of all"
    assert (voi.heat[:, :4] == 0).all()
    assert voi.heat[5, 20, 20] / voi.heat[4, 9, 9] == pytest.approx(0.5 / 0.8), "inside, the map is the image"


def test_the_volume_of_interest_lies_on_the_hot_spot(a_volume):
    voi = volume_of_interest(Bright(), a_volume, "maps", (4, 8, 8))
    spot = np.zeros(a_volume.shape, bool)
    spot[4:6, 8:12, 8:12] = True
    assert spot[voi.box].sum() == spot.sum()
    assert a_volume.array[voi.box].shape == (4, 8, 8)


def test_without_heat_the_box_is_in_the_middle_of_the_body(a_volume):
    voi = volume_of_interest(Bright(-1.0), a_volume, "maps", (4, 8, 8))
    assert not voi.is_guided
    assert voi.heat.max() == 0
    assert voi.start == (3, 11, 11)


def a_map(heat, start=(0, 0, 0), is_guided=True):
    return VolumeOfInterest(start, (1, 1, 2), np.asarray(heat, np.float32).reshape(1, 2, 10), is_guided)


def test_overlap_is_counted_by_hand():
    inside = np.ones((1, 2, 10), bool)
    contours = np.zeros((1, 2, 10), bool)
    contours[0, 0, :4] = True
    heat = np.zeros(20)
    heat[[0, 15]] = 4.0, 2.0  # of 20 voxels 5 % are one: the first
    found = heat_overlap(a_map(heat, (0, 0, 3)), contours, inside, (0, 1, 0))
    assert found.in_box == 1 / 4, "voxel 3 of 0 to 3"
    assert found.in_center_box == 0
    assert found.hit
    assert found.dice == pytest.approx(2 * 1 / (1 + 4), rel=1e-6), "the hottest of 20 voxels, in contours of 4"
    assert found.enrichment == pytest.approx((4 / 4) / (6 / 20))


def test_a_map_of_nothing_hits_nothing():
    contours = np.ones((1, 2, 10), bool)
    found = heat_overlap(a_map(np.zeros(20), is_guided=False), contours, contours, (0, 0, 0))
    assert (found.hit, found.dice, found.enrichment) == (False, 0.0, 0.0)
    assert found.in_box == 2 / 20


def test_without_contours_there_is_nothing_to_meet():
    none = np.zeros((1, 2, 10), bool)
    assert heat_overlap(a_map(np.ones(20)), none, ~none, (0, 0, 0)) is None
