"""Growing a contour into soft tissue, against distances counted by hand and by brute force."""

import itertools

import numpy as np
import pytest
from ece_core.errors import EmptyMaskError, GeometryError
from ece_core.geometry import Volume, affine_from
from ece_core.preprocessing.soft_tissue import dilate_in_soft_tissue
from hypothesis import given, settings
from hypothesis import strategies as st

MUSCLE_HU, BONE_HU, AIR_HU = 60, 900, -1000


def on_a_grid(array, spacing_mm=(2.0, 1.0, 1.0)) -> Volume:
    return Volume(np.asarray(array), affine_from(spacing_mm, (10.0, -20.0, 5.0)))


def one_voxel(shape=(5, 9, 9), at=(2, 4, 4)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[at] = True
    return mask


def muscle(shape=(5, 9, 9)) -> np.ndarray:
    return np.full(shape, MUSCLE_HU, np.int16)


@pytest.mark.parametrize(
    ("distance_mm", "voxels"),
    [
        pytest.param(0.0, 1, id="nothing grows"),
        pytest.param(0.99, 1, id="less than a voxel"),
        pytest.param(1.0, 5, id="four neighbors in plane: the next slice is 2 mm away"),
        pytest.param(2.0, 15, id="a disc of 13 in plane, and one voxel above and below"),
        pytest.param(2.3, 31, id="sqrt(5) = 2.24: a disc of 21 in plane, and 5 above and below"),
    ],
)
def test_growth_of_one_voxel_is_counted_by_hand(distance_mm, voxels):
    grown = dilate_in_soft_tissue(on_a_grid(one_voxel()), on_a_grid(muscle()), distance_mm)
    assert grown.array.dtype == bool
    assert grown.array.sum() == voxels


def test_only_hu_of_the_window_are_entered_and_both_ends_belong_to_it():
    hu = muscle()
    hu[2, 4, 5], hu[2, 4, 3], hu[2, 5, 4], hu[2, 3, 4] = -160, 240, -161, 241
    grown = dilate_in_soft_tissue(on_a_grid(one_voxel()), on_a_grid(hu), 1.0)
    assert [bool(grown.array[2, j, i]) for j, i in ((4, 5), (4, 3), (5, 4), (3, 4))] == [True, True, False, False]


def test_a_drawn_voxel_stays_whatever_its_hu():
    hu = muscle()
    hu[2, 4, 4] = BONE_HU
    assert dilate_in_soft_tissue(on_a_grid(one_voxel()), on_a_grid(hu), 1.0).array.sum() == 5


def test_it_does_not_jump_across_an_airway():
    hu = muscle()
    hu[:, :, 5] = AIR_HU  # a wall one voxel thick, from edge to edge
    grown = dilate_in_soft_tissue(on_a_grid(one_voxel()), on_a_grid(hu), 3.0)
    assert not grown.array[:, :, 5:].any()
    assert grown.array[:, :, :5].sum() > 10


def test_it_is_cut_off_at_the_edge_of_the_scan():
    mask = one_voxel(at=(0, 0, 0))
    assert dilate_in_soft_tissue(on_a_grid(mask), on_a_grid(muscle()), 1.0).array.sum() == 3


def by_brute_force(mask, hu, spacing_mm, distance_mm, low, high):
    """Every voxel against every voxel, then a flood from the mask; straight from the sentence in the docstring."""
    inside = [np.array(index) for index in np.argwhere(mask)]
    allowed = {tuple(int(x) for x in index) for index in inside}
    for index in np.ndindex(mask.shape):
        away = min(np.sqrt((((np.array(index) - other) * spacing_mm) ** 2).sum()) for other in inside)
        if away <= distance_mm + 1e-9 and low <= hu[index] <= high:
            allowed.add(index)
    reached = np.array(mask)
    queue = [tuple(int(x) for x in index) for index in inside]
    while queue:
        index = queue.pop()
        for step in itertools.product((-1, 0, 1), repeat=3):
            there = tuple(a + b for a, b in zip(index, step, strict=True))
            if there in allowed and not reached[there]:
                reached[there] = True
                queue.append(there)
    return reached


@given(
    seed=st.integers(0, 2**32 - 1),
    spacing_mm=st.sampled_from([(1.0, 1.0, 1.0), (2.5, 0.7, 0.9), (0.6, 1.3, 0.5)]),
    distance_mm=st.sampled_from([0.5, 1.0, 1.8, 3.1]),
)
@settings(max_examples=12, deadline=None)
def test_it_equals_brute_force(seed, spacing_mm, distance_mm):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 6, 3))
    mask = rng.random(shape) < 0.1
    mask[tuple(rng.integers(0, n) for n in shape)] = True
    hu = rng.choice([AIR_HU, -100, MUSCLE_HU, BONE_HU], shape).astype(np.int16)
    grown = dilate_in_soft_tissue(on_a_grid(mask, spacing_mm), on_a_grid(hu, spacing_mm), distance_mm)
    np.testing.assert_array_equal(grown.array, by_brute_force(mask, hu, spacing_mm, distance_mm, -160, 240))


def test_an_empty_mask_has_no_contour_to_grow():
    with pytest.raises(EmptyMaskError, match="empty: there is no contour to grow.*Outline the lymph node again"):
        dilate_in_soft_tissue(on_a_grid(np.zeros((5, 9, 9), bool)), on_a_grid(muscle()), 1.0)


def test_a_mask_of_another_grid_is_refused():
    with pytest.raises(GeometryError, match="not on the grid of the CT.*Resample"):
        dilate_in_soft_tissue(on_a_grid(one_voxel(), (2.0, 1.0, 1.1)), on_a_grid(muscle()), 1.0)


def test_a_negative_distance_is_a_programmers_mistake():
    with pytest.raises(ValueError, match=r"distance_mm must be >= 0, got -1\.0"):
        dilate_in_soft_tissue(on_a_grid(one_voxel()), on_a_grid(muscle()), -1.0)
