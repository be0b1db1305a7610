import numpy as np
import pytest
from ece_core.preprocessing.node_block import block_of_distance, signed_distance, tight_block, tight_box

SPACING = (1.25, 0.75, 0.5)
WINDOWS = ((-400.0, 400.0), (-150.0, 50.0))


def node_block(hu, mask, spacing_mm, windows_hu, margin_mm):
    """The whole grid, where nothing is cut away."""
    return block_of_distance(hu, signed_distance(mask, spacing_mm, margin_mm), windows_hu, margin_mm)


def a_lymph_node():
    rng = np.random.default_rng(3)
    hu = rng.normal(0, 150, (12, 20, 24)).astype(np.float32)
    mask = np.zeros(hu.shape, np.uint8)
    mask[5:8, 7:12, 9:15] = 1
    mask[5, 7, 9] = 0
    return hu, mask


def distances_by_hand(mask):
    """Of every voxel center to the nearest one on the other side, in mm: slow, from the definition."""
    points = np.indices(mask.shape).reshape(3, -1).T * np.array(SPACING)
    inside = mask.ravel() > 0
    gaps = np.linalg.norm(points[~inside][:, None] - points[inside], axis=2)
    distances = np.empty(mask.size)
    distances[~inside], distances[inside] = gaps.min(axis=1), -gaps.min(axis=0)
    return distances.reshape(mask.shape)


def test_the_last_channel_is_the_signed_distance_in_units_of_the_margin():
    hu, mask = a_lymph_node()
    block = node_block(hu, mask, SPACING, WINDOWS, 4.0)
    np.testing.assert_allclose(block[-1], np.clip(distances_by_hand(mask) / 4.0, -1, 1), atol=1e-6)


@pytest.mark.parametrize("margin_mm", [2.0, 4.0])
def test_only_tissue_within_the_margin_is_shown(margin_mm):
    hu, mask = a_lymph_node()
    near = distances_by_hand(mask) < margin_mm
    wide, narrow, _ = node_block(hu, mask, SPACING, WINDOWS, margin_mm)
    np.testing.assert_allclose(wide[near], np.clip((hu[near] + 400) / 800, 0, 1), atol=1e-6)
    np.testing.assert_allclose(narrow[near], np.clip((hu[near] + 150) / 200, 0, 1), atol=1e-6)
    assert (wide[~near] == 0).all()
    assert (narrow[~near] == 0).all()


def test_tissue_far_away_cannot_change_the_block():
    hu, mask = a_lymph_node()
    changed = np.where(distances_by_hand(mask) > 4.0, hu + 500, hu)
    np.testing.assert_array_equal(
        node_block(hu, mask, SPACING, WINDOWS, 4.0), node_block(changed, mask, SPACING, WINDOWS, 4.0)
    )


def test_an_empty_mask_shows_nothing():
    hu, mask = a_lymph_node()
    block = node_block(hu, np.zeros_like(mask), SPACING, WINDOWS, 4.0)
    assert (block[:-1] == 0).all()
    assert (block[-1] == 1).all()


def test_the_tight_box_lies_in_the_middle_and_holds_all_that_is_shown():
    mask = np.zeros((40, 64, 64), np.uint8)
    mask[18:23, 28:36, 30:36] = 1
    distance = signed_distance(mask, (1.25, 0.75, 0.75), 8.0)
    box = tight_box(distance, 8.0)
    sizes = [part.stop - part.start for part in box]
    assert all(size % 8 == 0 for size in sizes)
    assert [part.start + part.stop for part in box] == [40, 64, 64]
    left_out = distance < 8.0
    left_out[box] = False
    assert not left_out.any()
    assert sizes == [24, 32, 32], "5, 8 and 6 voxels with 8 mm around them, 8 or fewer to spare"


def test_the_tight_box_of_a_large_lymph_node_is_the_grid_and_of_none_it_is_small():
    everywhere = signed_distance(np.ones((12, 20, 24)), SPACING, 8.0)
    assert tight_box(np.where(everywhere < 0, everywhere, 0), 8.0) == (slice(0, 12), slice(0, 20), slice(0, 24))
    nowhere = signed_distance(np.zeros((12, 20, 24)), SPACING, 8.0)
    assert tight_box(nowhere, 8.0) == (slice(2, 10), slice(6, 14), slice(8, 16))


def test_the_tight_block_is_the_whole_one_cut_to_its_box():
    mask = np.zeros((40, 64, 64), np.uint8)
    mask[18:23, 28:36, 30:36] = 1
    hu = np.random.default_rng(3).normal(0, 150, mask.shape)
    block, box = tight_block(hu, mask, SPACING, WINDOWS, 4.0)
    np.testing.assert_array_equal(block, node_block(hu, mask, SPACING, WINDOWS, 4.0)[(slice(None), *box)])
    assert block[0].size < hu.size / 4
