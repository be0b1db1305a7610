import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.preprocessing import resample, resample_onto, sample_block
from ece_core.preprocessing.resample import weights
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage


@given(st.integers(2, 40), st.integers(1, 40))
def test_weights_of_every_output_sample_sum_to_one(n_in, n_out):
    scale = n_in / n_out
    rows = weights(n_in, (np.arange(n_out) + 0.5) * scale - 0.5, scale)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)


def test_a_ramp_stays_a_ramp_in_patient_space():
    z, y, x = np.meshgrid(np.arange(12.0), np.arange(20.0), np.arange(24.0), indexing="ij")
    affine = affine_from((2.0, 1.0, 0.5), (5, -3, 2))
    volume = Volume(z * 2 * 3 + y * 2 + x * 0.5 * 7, affine)
    out = resample(volume, (1.5, 1.5, 1.5))
    inner = out.array[2:-2, 2:-2, 2:-2]
    index = np.argwhere(np.ones(out.shape)).reshape(*out.shape, 3)[2:-2, 2:-2, 2:-2]
    points = out.to_lps(index) - (5, -3, 2)
    np.testing.assert_allclose(inner, points @ (7, 2, 3), atol=0.15)


def test_enlarging_equals_scipy_linear_interpolation():
    rng = np.random.default_rng(1)
    volume = Volume(rng.normal(size=(6, 7, 8)), affine_from((2.0, 2.0, 2.0)))
    out = resample(volume, (1.0, 1.0, 1.0))
    index = volume.to_index(out.to_lps(np.argwhere(np.ones(out.shape)))).T
    expected = ndimage.map_coordinates(volume.array, index, order=1, mode="nearest").reshape(out.shape)
    np.testing.assert_allclose(out.array, expected, atol=1e-5)


def test_shrinking_averages_noise_away_instead_of_aliasing_it():
    rng = np.random.default_rng(2)
    volume = Volume(rng.normal(size=(32, 32, 32)), affine_from((1.0, 1.0, 1.0)))
    assert resample(volume, (4.0, 4.0, 4.0)).array.std() < 0.2


def test_the_field_of_view_is_kept():
    volume = Volume(np.zeros((10, 20, 30)), affine_from((2.5, 1.0, 0.5), (1, 2, 3)))
    out = resample(volume, (1.0, 1.0, 1.0))
    for corner in ((-0.5,) * 3, tuple(n - 0.5 for n in out.shape)):
        other = (-0.5,) * 3 if corner[0] < 0 else tuple(n - 0.5 for n in volume.shape)
        np.testing.assert_allclose(out.to_lps(corner), volume.to_lps(other), atol=1e-9)


def test_onto_its_own_grid_is_identity():
    rng = np.random.default_rng(3)
    volume = Volume(rng.normal(size=(5, 6, 7)).astype(np.float32), affine_from((2.5, 1.0, 0.5), (1, 2, 3)))
    np.testing.assert_allclose(resample_onto(volume, volume.shape, volume.affine).array, volume.array, atol=1e-6)


@pytest.mark.parametrize("flip", [False, True])
def test_a_block_beyond_the_border_is_filled_with_air(flip):
    affine = affine_from((1.0, 1.0, 1.0))
    if flip:
        affine[0, 0] = -1.0
    volume = Volume(np.full((10, 10, 10), 50.0, np.float32), affine)
    block = sample_block(volume, volume.to_lps((5, 5, 0)), (3, 3, 9), (1.0, 1.0, 1.0), -1000.0)
    assert (block.array[:, :, :4] == -1000).all()
    np.testing.assert_allclose(block.array[:, :, 4:], 50)


def test_a_block_inside_has_the_values_of_the_volume_at_its_points():
    rng = np.random.default_rng(4)
    volume = Volume(rng.normal(size=(20, 20, 20)), affine_from((1.25, 0.5, 0.5), (10, -5, 7)))
    block = sample_block(volume, volume.to_lps((10, 9, 11)), (5, 7, 9), (1.25, 0.5, 0.5), -1000.0)
    np.testing.assert_allclose(block.array, volume.array[8:13, 6:13, 7:16], atol=1e-5)
