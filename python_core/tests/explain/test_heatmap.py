import numpy as np
import pytest
from ece_core.explain import to_heatmap, to_signed_map
from ece_core.explain.display import equalized, opacity
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

attributions = arrays(
    np.float64, array_shapes(min_dims=3, max_dims=3, max_side=4), elements=st.integers(-50, 50).map(float)
)


def test_heatmap_is_counted_by_hand():
    attribution = np.array([-4.0, 0.0, 2.0, 3.0, 10.0]).reshape(1, 1, 5)  # median 2, highest above it 8
    np.testing.assert_array_equal(to_heatmap(attribution).ravel(), np.float32([0, 0, 0, 1 / 8, 1]))


def test_an_even_number_of_voxels_takes_the_middle_of_the_two():
    attribution = np.array([0.0, 1.0, 2.0, 5.0]).reshape(1, 2, 2)  # median 1.5
    np.testing.assert_allclose(to_heatmap(attribution).ravel(), [0, 0, 0.5 / 3.5, 1], rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, -3.0, 7.0])
def test_a_constant_map_shows_nothing(value):
    heatmap = to_heatmap(np.full((2, 3, 4), value))
    assert heatmap.dtype == np.float32 and heatmap.shape == (2, 3, 4) and not heatmap.any()


@given(attributions)
@settings(max_examples=60, deadline=None)
def test_a_heatmap_lies_in_0_to_1_and_keeps_the_order(attribution):
    heatmap = to_heatmap(attribution)
    assert heatmap.dtype == np.float32 and heatmap.min() >= 0 and heatmap.max() in (0, 1)
    order = np.argsort(attribution, axis=None, kind="stable")
    assert (np.diff(heatmap.ravel()[order]) >= 0).all()
    assert (heatmap[attribution <= np.median(attribution)] == 0).all()


@given(attributions, st.sampled_from([0.25, 2.0, 1024.0]), st.integers(-9, 9))
@settings(max_examples=60, deadline=None)
def test_unit_and_offset_of_the_attribution_do_not_matter(attribution, factor, offset):
    np.testing.assert_allclose(to_heatmap(attribution * factor + offset), to_heatmap(attribution), atol=1e-6)


def test_what_the_network_does_not_see_stays_cold_and_does_not_count():
    attribution = np.array([[[9.0, 1.0, 3.0, 5.0, -7.0]]])
    seen = np.array([[[False, True, True, True, False]]])
    np.testing.assert_array_equal(to_heatmap(attribution, seen), [[[0, 0, 0, 1, 0]]])
    assert not to_heatmap(attribution, np.zeros_like(seen)).any()


def test_the_attribution_is_left_as_it_was():
    attribution = np.arange(8.0).reshape(2, 2, 2)
    to_heatmap(attribution)
    np.testing.assert_array_equal(attribution.ravel(), np.arange(8.0))


def test_integers_do_not_wrap_around():
    attribution = np.array([0, 200, 250], dtype=np.uint8).reshape(1, 1, 3)
    np.testing.assert_array_equal(to_heatmap(attribution).ravel(), [0, 0, 1])


@pytest.mark.parametrize(
    ("attribution", "words"),
    [
        pytest.param(np.zeros(2), r"must be \(k, j, i\) or \(j, i\).*\(2,\)", id="one dimension"),
        pytest.param(np.zeros((2, 0, 2)), "not empty", id="no voxel"),
        pytest.param(np.full((1, 1, 2), np.nan), "NaN or infinity", id="NaN"),
        pytest.param(np.full((1, 1, 2), np.inf), "NaN or infinity", id="infinity"),
    ],
)
def test_what_cannot_be_drawn_is_refused(attribution, words):
    with pytest.raises(ValueError, match=words):
        to_heatmap(attribution)
    with pytest.raises(ValueError, match=words):
        to_signed_map(attribution)


def test_a_slice_is_treated_as_a_volume_of_one_slice():
    attribution = np.array([[-4.0, 0.0, 2.0], [3.0, 10.0, 1.0]])
    np.testing.assert_array_equal(to_heatmap(attribution), to_heatmap(attribution[None])[0])


def test_a_signed_map_keeps_both_sides_and_the_zero():
    attribution = np.array([[[-4.0, 0.0, 1.0, 2.0]]])
    signed = to_signed_map(attribution)
    assert signed.dtype == np.float32
    np.testing.assert_array_equal(signed, [[[-1, 0, 0.25, 0.5]]])
    seen = np.array([[[False, True, True, True]]])
    np.testing.assert_array_equal(to_signed_map(attribution, seen), [[[0, 0, 0.5, 1]]])
    assert not to_signed_map(np.zeros((1, 2, 2))).any()


def test_display_alone_is_equalized_and_what_is_faint_is_transparent():
    heatmap = np.zeros((8, 8, 8), np.float32)
    heatmap[2:6, 2:6, 2:6] = np.linspace(0.01, 0.1, 64).reshape(4, 4, 4)
    heatmap[4, 4, 4] = 1
    before = heatmap.copy()
    shown = equalized(heatmap)
    assert np.array_equal(heatmap, before) and shown.dtype == np.float32
    assert shown.min() >= 0 and shown.max() <= 1 and not shown[heatmap == 0].any()
    assert np.median(shown[heatmap > 0]) > np.median(heatmap[heatmap > 0]), "faint structures show"
    assert not equalized(np.zeros((2, 2, 2))).any()
    np.testing.assert_allclose(opacity(np.array([0.0, 0.169, 0.17, 1.0]), 0.5), [0, 0, 0.5, 0.5])
