import numpy as np
import pytest
from ece_core.errors import GeometryError
from ece_core.geometry import Volume, affine_from
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation


def a_volume(spacing_mm=(2.5, 1.0, 0.5), origin=(1.0, 2.0, 3.0), angles=(0, 0, 0), shape=(3, 4, 5)):
    direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return Volume(np.arange(np.prod(shape)).reshape(shape), affine_from(spacing_mm, origin, direction))


def test_index_one_one_one_is_one_spacing_from_the_origin_along_each_axis():
    assert a_volume().to_lps((1, 1, 1)) == pytest.approx((1.5, 3.0, 5.5))


@given(st.tuples(*[st.floats(-90, 90)] * 3), st.tuples(*[st.floats(0.3, 5)] * 3))
def test_index_and_point_are_inverse_and_spacing_and_direction_come_back(angles, spacing_mm):
    volume = a_volume(spacing_mm, angles=angles)
    index = np.array([[0, 0, 0], [2, 3, 4], [1.5, 0.25, 3.75]])
    np.testing.assert_allclose(volume.to_index(volume.to_lps(index)), index, atol=1e-9)
    np.testing.assert_allclose(volume.spacing_mm, spacing_mm, rtol=1e-9)
    np.testing.assert_allclose(volume.direction @ volume.direction.T, np.eye(3), atol=1e-9)


def test_a_crop_keeps_every_voxel_where_it_was():
    volume = a_volume(angles=(10, 20, 30))
    crop = volume.crop((1, 2, 1), (3, 4, 4))
    np.testing.assert_allclose(crop.to_lps((0, 0, 0)), volume.to_lps((1, 2, 1)))
    assert (crop.array == volume.array[1:3, 2:4, 1:4]).all()


def test_a_crop_outside_of_the_grid_is_refused():
    with pytest.raises(GeometryError, match=r"box \(0, 0, 0\) to \(4, 1, 1\) is not inside.*inside the scan"):
        a_volume().crop((0, 0, 0), (4, 1, 1))


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        pytest.param(np.full((4, 4), np.nan), "no usable geometry", id="nan"),
        pytest.param(np.diag([0.0, 1, 1, 1]), "spacing is zero", id="zero"),
        pytest.param(np.array([[1, 0, 0.3, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "right angles", id="shear"),
    ],
)
def test_impossible_geometry_is_refused(affine, words):
    with pytest.raises(GeometryError, match=words):
        Volume(np.zeros((2, 2, 2)), affine)


def test_an_array_that_is_not_3d_is_refused():
    with pytest.raises(GeometryError, match="not three dimensions.*single 3D volume"):
        Volume(np.zeros((2, 2)), np.eye(4))


def test_values_of_another_shape_do_not_fit_the_grid():
    with pytest.raises(GeometryError, match=r"\(1, 1, 1\) do not fit a grid of shape \(3, 4, 5\)"):
        a_volume().with_array(np.zeros((1, 1, 1)))


def test_same_grid_tolerates_rounding_and_nothing_more():
    volume = a_volume()
    nudged = volume.affine.copy()
    nudged[0, 3] += 0.005
    assert volume.same_grid(Volume(volume.array, nudged))
    nudged[0, 3] += 0.1
    assert not volume.same_grid(Volume(volume.array, nudged))


def test_label_boxes_are_tight_and_absent_labels_have_none():
    labels = np.zeros((4, 4, 4), np.uint16)
    labels[1:3, 2, 0:2] = 2
    volume = Volume(labels, np.eye(4))
    assert volume.label_box(2) == ((1, 2, 0), (3, 3, 2))
    assert volume.label_box(1) is None
    assert volume.label_box(3) is None
