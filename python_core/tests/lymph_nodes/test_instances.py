"""Splitting one mask into lymph nodes: counted by hand, and as laws."""

import time

import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.instances import split_instances
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from .drawn_bodies import draw, ellipsoid, rotation_about

SPACINGS = [(1.0, 1.0, 1.0), (1.25, 0.49, 0.49), (3.0, 0.5, 0.5), (2.5, 0.9, 0.9)]


def number_of_lymph_nodes(mask: Volume) -> int:
    return int(split_instances(mask).array.max())


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("aspect", [1.0, 1.5, 2.0, 2.5])
@pytest.mark.parametrize("degrees", [0, 25, 45, 70, 90])
def test_one_long_lymph_node_stays_whole(spacing_mm, aspect, degrees):
    for radius in (2.5, 4.1, 7.3):
        body = ellipsoid([0.2, 0.1, 0.3], [radius * aspect, radius, radius], rotation_about([1, 2, 0.5], degrees))
        reach = radius * aspect + 4
        assert number_of_lymph_nodes(draw(body, spacing_mm, [-reach] * 3, [reach] * 3)) == 1


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("across", [[1, 0, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]])
@pytest.mark.parametrize(("large", "small"), [(6.0, 6.0), (9.0, 5.5)])
def test_two_balls_that_touch_are_two(spacing_mm, across, large, small):
    center = np.array(across) / np.linalg.norm(across) * 0.97 * (large + small)
    left, right = ellipsoid([0, 0, 0], [large] * 3), ellipsoid(center, [small] * 3)
    labels = split_instances(draw(lambda p: left(p) | right(p), spacing_mm, [-12] * 3, [24] * 3))
    assert labels.array.max() == 2
    volumes = sorted(np.bincount(labels.array.ravel())[1:] * labels.voxel_volume_mm3)
    expected = sorted(4 / 3 * np.pi * r**3 for r in (large, small))
    assert volumes == pytest.approx(expected, rel=0.18)  # the cut runs through the contact, not a ball


def test_two_long_lymph_nodes_side_by_side_are_two():
    upper, lower = ellipsoid([0, -4.6, 0], [5, 5, 10]), ellipsoid([0, 4.6, 3], [5, 5, 10])
    assert number_of_lymph_nodes(draw(lambda p: upper(p) | lower(p), (1.25, 0.5, 0.5), [-18] * 3, [18] * 3)) == 2


def test_a_necrotic_core_left_out_by_the_network_is_no_neck():
    shell, core = ellipsoid([0, 0, 0], [9, 8, 8]), ellipsoid([1, 0, 0], [6, 6, 6])
    mask = draw(lambda p: shell(p) & ~core(p), (1.0, 0.7, 0.7), [-13] * 3, [13] * 3)
    labels = split_instances(mask)
    assert labels.array.max() == 1
    assert np.array_equal(labels.array > 0, mask.array)  # nothing was filled in the output


def test_pieces_that_touch_by_a_corner_belong_together():
    array = np.zeros((10, 10, 10), bool)
    array[1:4, 1:4, 1:4] = array[4:7, 4:7, 4:7] = True
    labels = split_instances(Volume(array, np.eye(4)), minimum_volume_mm3=28)
    assert np.array_equal(labels.array > 0, array)  # 54 mm3 together; each 27 mm3 alone would be dropped
    assert labels.array.max() == 1


@pytest.mark.parametrize(("minimum_volume_mm3", "left"), [(0, 2), (8, 2), (8.1, 1), (27, 1), (27.1, 0)])
def test_small_pieces_are_dropped_by_volume(minimum_volume_mm3, left):
    array = np.zeros((9, 9, 9), bool)
    array[1:3, 1:3, 1:3] = True  # 8 mm3
    array[5:8, 5:8, 5:8] = True  # 27 mm3
    assert split_instances(Volume(array, np.eye(4)), minimum_volume_mm3=minimum_volume_mm3).array.max() == left


def test_a_part_too_small_to_live_alone_is_not_cut_off():
    large, small = ellipsoid([0, 0, 0], [6] * 3), ellipsoid([8.2, 0, 0], [2.4] * 3)
    mask = draw(lambda p: large(p) | small(p), (0.5, 0.5, 0.5), [-9] * 3, [13] * 3)
    assert split_instances(mask, minimum_volume_mm3=30).array.max() == 2
    whole = split_instances(mask, minimum_volume_mm3=100)
    assert whole.array.max() == 1
    assert np.array_equal(whole.array > 0, mask.array)


@pytest.mark.parametrize("superior_first", [True, False], ids=["k runs superior", "k runs inferior"])
def test_numbers_run_from_superior_to_inferior(superior_first):
    array = np.zeros((40, 12, 40), bool)
    array[2:6, 4:8, 4:8] = array[30:34, 4:8, 30:34] = array[16:20, 4:8, 30:34] = array[16:20, 4:8, 4:8] = True
    direction = np.diag([1, 1, 1 if superior_first else -1])
    labels = split_instances(Volume(array, affine_from((1, 1, 1), (0, 0, 0), direction))).array
    order = [labels[31, 5, 31], labels[17, 5, 5], labels[17, 5, 31], labels[3, 5, 5]]  # +L is larger i: right first
    assert order == ([1, 2, 3, 4] if superior_first else [4, 2, 3, 1])


def test_an_empty_mask_has_no_lymph_nodes():
    labels = split_instances(Volume(np.zeros((3, 4, 5), bool), np.eye(4)))
    assert labels.array.dtype == np.uint16
    assert not labels.array.any()


def test_a_negative_minimum_is_a_mistake():
    with pytest.raises(ValueError, match="minimum_volume_mm3 must be >= 0, got -1"):
        split_instances(Volume(np.zeros((3, 4, 5), bool), np.eye(4)), minimum_volume_mm3=-1)


@st.composite
def blobs(draw_):
    """A ragged mask: thresholded smooth noise on an anisotropic grid."""
    noise = np.random.default_rng(draw_(st.integers(0, 10**6))).normal(size=(14, 22, 20))
    return ndimage.gaussian_filter(noise, (1.2, 2.4, 2.4)) > draw_(st.sampled_from([0.02, 0.05, 0.08]))


@settings(max_examples=20, deadline=None)
@given(blobs(), st.sampled_from([10.0, 30.0, 100.0]))
def test_every_component_large_enough_is_kept_to_the_voxel(array, minimum):
    mask = Volume(array, affine_from((2.0, 0.8, 0.8)))
    labels = split_instances(mask, minimum_volume_mm3=minimum).array
    components, number = ndimage.label(array, structure=np.ones((3, 3, 3)))
    for component in range(1, number + 1):
        inside = components == component
        kept = np.count_nonzero(inside) * mask.voxel_volume_mm3 >= minimum
        assert (labels[inside] > 0).all() if kept else not labels[inside].any()
        for label in np.unique(labels[inside]):  # a label never jumps to another component
            assert label == 0 or not labels[~inside].__eq__(label).any()
    volumes = np.bincount(labels.ravel())[1:] * mask.voxel_volume_mm3
    assert (volumes >= minimum).all()
    assert not labels[~array].any()


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(blobs(), st.sampled_from([0, 1, 2]))
def test_number_of_lymph_nodes_does_not_know_left_from_right(array, axis):
    mask = Volume(array, affine_from((2.0, 0.8, 0.8)))
    mirrored = Volume(np.flip(array, axis), mask.affine)
    # Not at 30 mm3: where two floods meet at a voxel, the array's order decides, and a part may miss 30 mm3 by it.
    one, other = (split_instances(volume, minimum_volume_mm3=0).array.max() for volume in (mask, mirrored))
    assert one == other


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(blobs())
def test_the_same_mask_gives_the_same_labels(array):
    mask = Volume(array, affine_from((2.0, 0.8, 0.8)))
    assert np.array_equal(split_instances(mask).array, split_instances(mask).array)


@pytest.mark.slow
def test_a_whole_scan_is_split_in_seconds():
    rng = np.random.default_rng(2)
    array = np.zeros((160, 512, 512), bool)
    spacing = np.array((1.25, 0.49, 0.49))
    for _ in range(30):
        center, radius = rng.uniform(20, 180, 3), rng.uniform(3, 10)
        low, high = ((center - radius) / spacing).astype(int), ((center + radius) / spacing).astype(int) + 2
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        k, j, i = np.ogrid[box]
        k, j, i = ((axis * step - c) ** 2 for axis, step, c in zip((k, j, i), spacing, center, strict=True))
        array[box] |= k + j + i <= radius**2
    started = time.process_time()
    labels = split_instances(Volume(array, affine_from(tuple(spacing))))
    assert time.process_time() - started < 10  # 0.5 s of processor time when written
    assert labels.array.max() > 20
