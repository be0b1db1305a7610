import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.preprocessing import neck_region
from ece_core.simulate import Scanner, neck_grid, render

SPACING = (4.0, 3.0, 3.0)


@pytest.fixture(scope="module")
def a_long_scan(the_patient):
    """From 190 mm below the hyoid (chest) to 170 mm above it (vertex), with a couch."""
    return render(the_patient(3), neck_grid((90, 150, 150), SPACING, -190.0), Scanner(), 1).ct


def heights(volume, box):
    return volume.to_lps(box[0])[2], volume.to_lps(np.array(box[1]) - 1)[2]


@pytest.mark.slow
def test_a_scan_from_chest_to_vertex_is_cut_to_the_neck(a_long_scan):
    low, high = heights(a_long_scan, neck_region(a_long_scan))
    assert -175 < low < -85
    assert 70 < high < 150


def test_a_scan_of_the_neck_alone_is_taken_whole_in_height(the_patient):
    ct = render(the_patient(3), neck_grid((28, 150, 150), SPACING, -30.0), Scanner(), 1).ct
    start, stop = neck_region(ct)
    assert (start[0], stop[0]) == (0, 28)


@pytest.mark.slow
def test_couch_and_head_rest_do_not_widen_the_region(a_long_scan, the_patient):
    bare = render(the_patient(3), neck_grid((90, 150, 150), SPACING, -190.0), Scanner(couch=False), 1).ct
    with_couch, without = neck_region(a_long_scan), neck_region(bare)
    assert np.abs(np.array(with_couch) - np.array(without)).max() <= 3


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_region_is_the_same_patient_space_when_the_stack_is_flipped(a_long_scan, axis):
    affine = a_long_scan.affine.copy()
    column = 2 - axis
    affine[:3, 3] = a_long_scan.to_lps([a_long_scan.shape[n] - 1 if n == axis else 0 for n in range(3)])
    affine[:3, column] *= -1
    flipped = Volume(np.flip(a_long_scan.array, axis), affine)

    def corners(volume):
        start, stop = neck_region(volume)
        return np.sort([volume.to_lps(start), volume.to_lps(np.array(stop) - 1)], axis=0)

    np.testing.assert_allclose(corners(flipped), corners(a_long_scan), atol=4.1)


def test_a_body_that_comes_apart_keeps_its_parts(a_long_scan):
    hu = a_long_scan.array.copy()
    hu[44:46] = -1000  # two empty slices through the neck, as masked planning CT has them
    low, high = heights(a_long_scan, neck_region(a_long_scan.with_array(hu)))
    assert low < -60
    assert high > 60


def test_an_empty_scan_is_refused():
    with pytest.raises(InputError, match="no body in this scan.*Hounsfield"):
        neck_region(Volume(np.full((20, 40, 40), -1000, np.int16), affine_from((5.0, 5.0, 5.0))))
