"""One heatmap volume per method, out of blocks of the CT grid."""

from types import SimpleNamespace

import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.pipeline.heatmaps import correlated, on_grid_of, paste_heatmaps
from hypothesis import given
from hypothesis import strategies as st

OBLIQUE = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, -1.0]])


def a_ct(direction=None) -> Volume:
    return Volume(np.zeros((10, 12, 14), np.int16), affine_from((2.5, 0.7, 0.9), (5.0, -3.0, 40.0), direction))


def test_of_signed_blocks_the_value_further_from_0_is_kept():
    ct = a_ct()
    against, little = a_block(ct, (1, 1, 1), -0.5), a_block(ct, (1, 1, 2), 0.25)
    for blocks in ([against, little], [little, against]):
        pasted = paste_heatmaps(ct, blocks).array
        assert (pasted[:, :, :4] == -0.5).all() and (pasted[:, :, 4] == 0.25).all()


def a_block(ct, start, value, shape=(2, 3, 4)) -> Volume:
    stop = tuple(a + n for a, n in zip(start, shape, strict=True))
    return Volume(np.full(shape, value, np.float32), ct.crop(start, stop).affine)


@pytest.mark.parametrize("direction", [None, OBLIQUE, np.diag([-1.0, -1.0, 1.0])], ids=["plain", "oblique", "flipped"])
def test_blocks_stay_where_they_are_in_the_patient(direction):
    ct = a_ct(direction)
    pasted = paste_heatmaps(ct, [a_block(ct, (1, 2, 3), 0.5), a_block(ct, (6, 8, 9), 1.0)])
    assert pasted.shape == (7, 9, 10)  # from (1, 2, 3) to (8, 11, 13)
    np.testing.assert_allclose(pasted.to_lps((0, 0, 0)), ct.to_lps((1, 2, 3)), atol=1e-9)
    np.testing.assert_allclose(pasted.to_lps((5, 6, 6)), ct.to_lps((6, 8, 9)), atol=1e-9)
    assert pasted.array[0, 0, 0] == 0.5 and pasted.array[5, 6, 6] == 1.0
    assert pasted.array.sum() == pytest.approx(24 * 0.5 + 24 * 1.0)


def test_where_blocks_overlap_the_larger_value_is_kept_in_either_order():
    ct = a_ct()
    low, high = a_block(ct, (1, 1, 1), 0.25), a_block(ct, (1, 1, 2), 0.75)
    for blocks in ([low, high], [high, low]):
        pasted = paste_heatmaps(ct, blocks).array
        assert (pasted[:, :, 0] == 0.25).all() and (pasted[:, :, 1:] == 0.75).all()


@given(st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(0, 9)))
def test_a_crop_put_back_is_where_it_was(start):
    ct = a_ct(OBLIQUE)
    stop = tuple(a + n for a, n in zip(start, (4, 4, 5), strict=True))
    whole = np.random.default_rng(0).integers(0, 9, ct.shape).astype(np.uint16)
    outside = np.ones(ct.shape, bool)
    outside[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = False
    back = on_grid_of(ct, ct.with_array(whole).crop(start, stop))
    np.testing.assert_array_equal(back.array, np.where(outside, 0, whole))
    assert back.same_grid(ct)


def test_correlation_is_of_the_voxels_around_a_lymph_node():
    ct = a_ct()
    one, other = (a_block(ct, (2, 2, 2), 1.0, (4, 4, 4)) for _ in range(2))
    rng = np.random.default_rng(1)
    one, other = (block.with_array(rng.random((4, 4, 4), np.float32)) for block in (one, other))
    node = SimpleNamespace(id="LN1", bounding_box_kji=((2, 2, 2), (6, 6, 6)))
    whole = [np.zeros(ct.shape), np.zeros(ct.shape)]
    for array, block in zip(whole, (one, other), strict=True):
        array[2:6, 2:6, 2:6] = block.array
    expected = np.corrcoef(*(array[:10, :, :].ravel() for array in whole))[0, 1]  # 8 mm around it is all of this CT
    assert correlated(one, {"b": other}, [node], ct) == {"b": {"LN1": pytest.approx(expected, abs=1e-3)}}
    assert correlated(one, {"same": one}, [node], ct)["same"]["LN1"] == 1
    assert correlated(one, {"empty": one.with_array(one.array * 0)}, [node], ct) == {}
    assert correlated(one, {"b": other}, [SimpleNamespace(id="LN1", bounding_box_kji=None)], ct) == {}
