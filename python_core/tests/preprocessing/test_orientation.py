from itertools import permutations, product

import numpy as np
import pytest
from ece_core.geometry import Volume
from ece_core.preprocessing import Orientation, to_axial

ALL = [(p, s) for p in permutations(range(3)) for s in product((1, -1), repeat=3)]


@pytest.mark.parametrize(("order", "signs"), ALL)
def test_every_axis_order_and_direction_becomes_axial_without_moving_a_voxel(order, signs):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3)[:, list(order)] * signs) * (0.5, 1.0, 2.5)
    affine[:3, 3] = (3, -4, 5)
    volume = Volume(np.arange(2 * 3 * 4).reshape(2, 3, 4), affine)
    axial, orientation = to_axial(volume)
    assert (np.diag(axial.affine[:3, :3]) > 0).all()
    assert np.abs(axial.affine[:3, :3] - np.diag(np.diag(axial.affine[:3, :3]))).max() < 1e-9
    points = {tuple(np.round(volume.to_lps(n), 6)): volume.array[tuple(n)] for n in np.argwhere(volume.array >= 0)}
    for n in np.argwhere(axial.array >= 0):
        assert points[tuple(np.round(axial.to_lps(n), 6))] == axial.array[tuple(n)]
    assert (orientation.undo(axial.array) == volume.array).all()
    assert (orientation.apply(volume.array) == axial.array).all()


@pytest.mark.parametrize(("toward", "signs"), [("LPS", (1, 1, 1)), ("RAS", (-1, -1, 1)), ("LAS", (1, -1, 1))])
def test_columns_rows_and_slices_point_where_they_are_asked_to(toward, signs):
    volume = Volume(np.arange(2 * 3 * 4).reshape(2, 3, 4), np.diag((0.5, 1.0, 2.5, 1.0)))
    turned, orientation = to_axial(volume, toward)
    assert np.sign(np.diag(turned.affine[:3, :3])).tolist() == list(signs)
    assert (orientation.undo(turned.array) == volume.array).all()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("flipped", [(False, False, False), (True, False, True), (False, True, False)])
def test_voxels_of_the_turned_array_are_found_again_in_the_first(order, flipped):
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    orientation = Orientation(order, flipped)
    turned = orientation.apply(array)
    index = np.argwhere(np.ones(turned.shape))
    found = orientation.undo_index(index, turned.shape)
    assert array[tuple(found.T)].tolist() == turned[tuple(index.T)].tolist()
