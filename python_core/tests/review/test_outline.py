"""The voxels of one lymph node."""

import json

import a_review as drawn
import numpy as np
import pytest
from ece_core.errors import EmptyMaskError, InputError
from ece_core.review import Outline, outlines_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

masks = npst.arrays(bool, npst.array_shapes(min_dims=3, max_dims=3, max_side=6)).filter(lambda mask: mask.any())


@settings(max_examples=30)
@given(masks)
def test_a_mask_comes_back_and_json_is_identity(mask):
    outline = Outline.from_mask(mask)
    painted = np.zeros(mask.shape, np.uint8)
    outline.paint(painted, 7)
    np.testing.assert_array_equal(painted == 7, mask)
    assert outline.voxels == mask.sum() and outline.inside(mask.shape)
    assert Outline.from_json(json.loads(json.dumps(outline.to_json())), mask.shape) == outline


@settings(max_examples=30)
@given(masks, st.data())
def test_without_and_union_are_set_operations(mask, data):
    other = data.draw(npst.arrays(bool, mask.shape).filter(lambda other: (mask & ~other).any() and other.any()))
    one, two = Outline.from_mask(mask), Outline.from_mask(other)
    assert one.without([two]) == Outline.from_mask(mask & ~other)
    assert Outline.union([one, two]) == Outline.from_mask(mask | other)


def test_a_block_is_made_tight():
    block = np.zeros((4, 4, 4), bool)
    block[1, 2:4, 3] = True
    outline = Outline.from_block((10, 20, 30), block)
    assert (outline.start_kji, outline.stop_kji) == ((11, 22, 33), (12, 24, 34))


def test_what_is_empty_is_refused():
    with pytest.raises(EmptyMaskError, match="outline is empty.*Paint the lymph node again, or delete it"):
        Outline.from_mask(np.zeros((2, 2, 2), bool))
    with pytest.raises(EmptyMaskError, match="all of it belongs to other lymph nodes"):
        drawn.a_block((2, 2, 2)).without([drawn.a_block((1, 1, 1), (5, 5, 5))])


def test_outlines_of_an_instance_map():
    found = outlines_of(drawn.instances())
    assert {label: (o.start_kji, o.stop_kji) for label, o in found.items()} == drawn.BOXES


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"start_kji": [0, 0, 0], "shape_kji": [2, 2, 2], "voxels": "AAAA"}, id="no zlib"),
        pytest.param({"start_kji": [0, 0], "shape_kji": [2, 2], "voxels": ""}, id="flat"),
        pytest.param({**drawn.a_block((3, 0, 0)).to_json()}, id="outside of the grid"),
        pytest.param({**drawn.a_block((0, 0, 0)).to_json(), "shape_kji": [4, 4, 4]}, id="too few voxels"),
        pytest.param({**drawn.a_block((0, 0, 0), (4, 4, 4)).to_json(), "shape_kji": [2, 2, 2]}, id="too many voxels"),
    ],
)
def test_damaged_json_is_refused(row):
    with pytest.raises(InputError, match="damaged or outside of the scan"):
        Outline.from_json(row, (4, 4, 4))
