"""GMGENet's volume: where it begins and ends, what its numbers are, and what counts as inside."""

import numpy as np
import pytest
from drawn_head import NECK, NOSE, SHOULDERS, a_head_scan
from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.preprocessing.head_and_neck import head_and_neck, inside_head_and_neck

SHAPE = (30, 40, 50)


@pytest.fixture(scope="module")
def volume():
    return head_and_neck(a_head_scan(), SHAPE)


def heights(volume):
    """Lowest and highest z of the volume, mm."""
    return volume.to_lps([-0.5, 0, 0])[2], volume.to_lps([volume.shape[0] - 0.5, 0, 0])[2]


def test_it_reaches_from_3_cm_below_the_acromion_to_3_cm_above_the_nose(volume):
    low, high = heights(volume)
    scan = a_head_scan()
    acromion, nose = (scan.to_lps([k, 0, 0])[2] for k in (SHOULDERS.stop - 1, (NOSE.start + NOSE.stop - 1) / 2))
    assert low == pytest.approx(acromion - 30, abs=8.1)
    assert high == pytest.approx(nose + 30, abs=12.1)
    assert volume.shape == SHAPE


def test_minus_400_to_400_hu_become_0_to_1(volume):
    assert volume.array.dtype == np.float32
    assert volume.array.min() == 0.0
    assert volume.array[:, 24, 25].max() == pytest.approx(440 / 800, abs=1e-4), "tissue of 40 HU"


def test_how_the_scan_is_stored_does_not_matter(volume):
    scan = a_head_scan()
    turned = scan.affine.copy()
    turned[:3, 3] = scan.to_lps([scan.shape[0] - 1, 0, scan.shape[2] - 1])
    turned[:3, [0, 2]] *= -1
    stored = Volume(scan.array[::-1, :, ::-1], turned)
    again = head_and_neck(stored, SHAPE)
    assert again.same_grid(volume)
    np.testing.assert_allclose(again.array, volume.array, atol=1e-5)


def test_a_scan_that_ends_early_is_taken_to_its_end(volume):
    scan = a_head_scan()
    short = scan.crop((SHOULDERS.stop - 3, 0, 0), (NOSE.stop + 2, *scan.shape[1:]))
    low, high = heights(head_and_neck(short, SHAPE))
    assert low == pytest.approx(heights(short)[0], abs=1e-6)
    assert high == pytest.approx(heights(short)[1], abs=1e-6)


def test_a_scan_of_the_neck_alone_is_refused():
    scan = a_head_scan()
    with pytest.raises(InputError, match="does not show shoulders"):
        head_and_neck(scan.crop((NECK.start, 0, 0), (NECK.stop, *scan.shape[1:])), SHAPE)


def test_inside_holds_the_throat_and_neither_couch_nor_air(volume):
    inside = inside_head_and_neck(volume)

    def at(k, j, i):
        place = np.rint(volume.to_index(a_head_scan().to_lps([k, j, i]))).astype(int)
        return inside[tuple(place)]

    assert at(26, 31, 40), "throat"
    assert at(26, 24, 30), "tissue"
    assert not at(26, 57, 40), "couch"
    assert not at(26, 24, 10), "air"
