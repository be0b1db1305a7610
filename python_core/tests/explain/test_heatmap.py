import numpy as np
import pytest
from ece_core.explain import to_heatmap
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
        pytest.param(np.zeros((2, 2)), r"must be \(k, j, i\).*\(2, 2\)", id="two dimensions"),
        pytest.param(np.zeros((2, 0, 2)), "not empty", id="no voxel"),
        pytest.param(np.full((1, 1, 2), np.nan), "NaN or infinity", id="NaN"),
        pytest.param(np.full((1, 1, 2), np.inf), "NaN or infinity", id="infinity"),
    ],
)
def test_what_cannot_be_drawn_is_refused(attribution, words):
    with pytest.raises(ValueError, match=words):
        to_heatmap(attribution)
