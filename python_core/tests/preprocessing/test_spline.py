"""The second opinion is scikit-image, which nnU-Net resamples with."""

import numpy as np
import pytest
from ece_core.preprocessing.normalization import Normalization
from ece_core.preprocessing.spline import resample_cubic, spline_matrices
from skimage.transform import resize

HU = np.random.default_rng(5).integers(-1000, 1200, (13, 20, 17)).astype(np.int16)
FROM, TO = (1.25, 0.5, 0.5), (1.0, 1.0, 0.7)


def by_skimage(array, shape):
    return resize(array.astype(float), shape, 3, mode="edge", anti_aliasing=False, clip=True)


def test_the_matrices_give_what_nnunets_resampling_gives():
    shape = tuple(round(n * a / b) for n, a, b in zip(HU.shape, FROM, TO, strict=True))
    ours = resample_cubic(HU, FROM, TO)
    assert ours.shape == shape and ours.dtype == np.float32
    np.testing.assert_allclose(ours, by_skimage(HU, shape), atol=0.005)


@pytest.mark.parametrize("thick", [0, 1, 2])
def test_across_thick_slices_the_nearest_is_taken_wherever_the_axis_is(thick):
    array = np.moveaxis(HU, 0, thick)
    spacing, wanted = (np.insert(rest, thick, k) for k, rest in ((4.0, (0.5, 0.5)), (2.5, (1.0, 0.7))))
    shape = [round(n * a / b) for n, a, b in zip(array.shape, spacing, wanted, strict=True)]
    slices = np.moveaxis(array, thick, 0)
    plane = [n for axis, n in enumerate(shape) if axis != thick]
    inside = np.stack([by_skimage(each, plane) for each in slices])
    nearest = np.floor((np.arange(shape[thick]) + 0.5) * len(slices) / shape[thick]).astype(int)
    expected = np.moveaxis(inside[nearest], 0, thick)
    np.testing.assert_allclose(resample_cubic(array, spacing, wanted), expected, atol=0.005)


@pytest.mark.parametrize("spacing", [FROM, (4.0, 0.5, 0.5)], ids=["one way for all axes", "thick slices apart"])
def test_normalizing_slice_by_slice_is_normalizing_first(spacing):
    normalization = Normalization((-300.0, 500.0), 60.0, 140.0)
    at_once = resample_cubic(normalization(HU), spacing, TO)
    np.testing.assert_allclose(resample_cubic(HU, spacing, TO, normalization), at_once, atol=1e-6)


@pytest.mark.parametrize("thick", [None, 0])
def test_the_way_back_never_has_negative_weights(thick):
    """Labels are worked out in boxes on the strength of it."""
    for matrix in spline_matrices((9, 20, 13), (17, 11, 13), 1, thick):
        assert matrix.min() >= 0
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
