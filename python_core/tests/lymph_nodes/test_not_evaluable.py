"""When the border of a lymph node cannot be judged: each limit from both sides."""

import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.not_evaluable import (
    CUT_OFF,
    METAL_STREAKS,
    STREAK_SD_HU,
    TOO_SMALL,
    exceeds,
    not_evaluable,
)

SPACING = (2.0, 1.0, 1.0)
BOX = ((5, 10, 10), (9, 20, 20))  # 4 slices, 10 by 10 pixels


def a_neck(box=BOX, affine=None):
    """Soft tissue of 60 HU, and one lymph node of 90 HU, a box."""
    affine = affine_from(SPACING) if affine is None else affine
    hu, labels = np.full((16, 32, 32), 60.0, np.float32), np.zeros((16, 32, 32), np.uint16)
    inside = tuple(slice(a, b) for a, b in zip(*box, strict=True))
    hu[inside], labels[inside] = 90, 3
    return Volume(hu, affine), Volume(labels, affine)


def reasons(ct, instances, box=BOX, short_axis_mm=8.0):
    return not_evaluable(ct, instances, 3, short_axis_mm, box)


def test_a_lymph_node_that_can_be_seen_has_no_reason():
    assert reasons(*a_neck()) == ()


@pytest.mark.parametrize(("short_axis_mm", "expected"), [(2.99, (TOO_SMALL,)), (3.0, ())])
def test_too_small(short_axis_mm, expected):
    assert reasons(*a_neck(), short_axis_mm=short_axis_mm) == expected


def test_on_one_slice_only_is_too_small():
    box = ((5, 10, 10), (6, 20, 20))
    assert reasons(*a_neck(box), box) == (TOO_SMALL,)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param(((0, 10, 10), (4, 20, 20)), (CUT_OFF,), id="touches the lowest slice"),
        pytest.param(((1, 10, 10), (4, 20, 20)), (), id="one slice of 2 mm below"),
        pytest.param(((12, 10, 10), (16, 20, 20)), (CUT_OFF,), id="touches the highest slice"),
        pytest.param(((5, 1, 10), (9, 11, 20)), (CUT_OFF,), id="one pixel of 1 mm in front"),
        pytest.param(((5, 10, 21), (9, 20, 30)), (), id="two pixels beside"),
        pytest.param(((5, 10, 22), (9, 20, 31)), (CUT_OFF,), id="one pixel beside"),
    ],
)
def test_cut_off(box, expected):
    assert reasons(*a_neck(box), box) == expected


def with_metal(ct, slices, streak_hu):
    """A filling of 2 x 2 pixels on these slices, and stripes of this amplitude over everything."""
    hu = ct.array.copy()
    hu[slices] += streak_hu * np.where(np.arange(32) % 2, 1, -1)
    hu[slices, 2:4, 2:4] = 3000
    return ct.with_array(hu)


@pytest.mark.parametrize(
    ("slices", "streak_hu", "expected"),
    [
        pytest.param(slice(6, 8), STREAK_SD_HU * 2, (METAL_STREAKS,), id="strong streaks on two of four slices"),
        pytest.param(slice(5, 9), STREAK_SD_HU + 1, (METAL_STREAKS,), id="just strong enough"),
        pytest.param(slice(5, 9), STREAK_SD_HU - 1, (), id="just too weak"),
        pytest.param(slice(0, 5), STREAK_SD_HU * 2, (), id="below the lymph node"),
    ],
)
def test_metal_streaks(slices, streak_hu, expected):
    ct, instances = a_neck()
    assert reasons(with_metal(ct, slices, streak_hu), instances) == expected


def test_restless_tissue_without_metal_is_no_streak():
    ct, instances = a_neck()
    hu = with_metal(ct, slice(5, 9), 200).array
    assert reasons(ct.with_array(np.minimum(hu, 1500)), instances) == ()


def test_a_necrotic_lymph_node_beside_metal_is_evaluable():
    ct, instances = a_neck()
    hu = with_metal(ct, slice(5, 9), 0).array
    hu[5:9, 13:17, 13:17] = 15
    assert reasons(ct.with_array(hu), instances) == ()


def test_fat_at_the_rim_is_no_streak():
    ct, instances = a_neck()
    hu = with_metal(ct, slice(5, 9), 0).array
    hu[5:9, [10, 19]] = -110
    hu[5:9, :, [10, 19]] = -110
    assert reasons(ct.with_array(hu), instances) == ()


def test_a_scan_stored_from_left_to_right_first_is_judged_alike():
    """Axes turned round: k runs along the patient's left, i from foot to head."""
    ct, instances = a_neck()
    turn = lambda volume: Volume(  # noqa: E731
        np.ascontiguousarray(volume.array.transpose(2, 1, 0)), volume.affine[:, [2, 1, 0, 3]]
    )
    box = tuple(corner[::-1] for corner in BOX)
    assert reasons(turn(ct), turn(instances), box) == ()
    assert reasons(turn(with_metal(ct, slice(5, 9), 100)), turn(instances), box) == (METAL_STREAKS,)
    thin = ((5, 10, 10), (6, 20, 20))
    ct, instances = a_neck(thin)
    assert reasons(turn(ct), turn(instances), tuple(corner[::-1] for corner in thin)) == (TOO_SMALL,)
    assert not exceeds((8.0, 10.0, 10.0), turn(a_neck()[1]), box)
    assert exceeds((7.9, 10.0, 10.0), turn(a_neck()[1]), box)


@pytest.mark.parametrize(
    ("block_mm", "larger"),
    [((8.0, 10.0, 10.0), False), ((7.9, 10.0, 10.0), True), ((8.0, 9.9, 10.0), True), ((8.0, 10.0, 9.9), True)],
)
def test_larger_than_the_block(block_mm, larger):
    assert exceeds(block_mm, a_neck()[1], BOX) == larger


def test_several_reasons_are_all_named():
    box = ((0, 0, 10), (1, 10, 20))
    assert reasons(*a_neck(box), box, short_axis_mm=2.0) == (TOO_SMALL, CUT_OFF)
