"""Nose and acromion of a drawn body, what is said where they are not, and simulated patients whose bones are known."""

import numpy as np
import pytest
from drawn_head import HEAD, NECK, NOSE, SHOULDERS, SPACING_MM, a_body
from ece_core.errors import InputError
from ece_core.preprocessing.landmarks import find_landmarks


def test_nose_and_acromion_lie_where_they_were_drawn():
    found = find_landmarks(a_body(), SPACING_MM)
    assert NOSE.start <= found.nose < NOSE.stop
    assert abs(found.acromion - (SHOULDERS.stop - 1)) <= 1, "the width is smoothed over three slices"


def test_a_turned_head_shows_its_nose_beside_the_middle():
    body = a_body()
    body[HEAD, :14] = np.roll(body[HEAD, :14], 2, axis=2)  # the nose, 8 mm to the side
    assert NOSE.start <= find_landmarks(body, SPACING_MM).nose < NOSE.stop


@pytest.mark.parametrize("top", [NECK.stop + 4, NOSE.start], ids=["at the jaw", "under the nose"])
def test_a_scan_that_ends_below_the_nose_is_refused(top):
    with pytest.raises(InputError, match=r"does not show a nose.*from the nose to the shoulders"):
        find_landmarks(a_body()[:top], SPACING_MM)


def test_a_head_without_shoulders_is_refused():
    with pytest.raises(InputError, match="does not show shoulders.*leave GMGENet out"):
        find_landmarks(a_body()[NECK.start :], SPACING_MM)


def test_air_is_refused():
    with pytest.raises(InputError, match="does not show shoulders"):
        find_landmarks(np.zeros((20, 20, 20), bool), SPACING_MM)


def test_a_face_without_a_nose_is_refused():
    body = a_body()
    body[:, :14] = False
    with pytest.raises(InputError, match="does not show a nose"):
        find_landmarks(body, SPACING_MM)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_landmarks_of_simulated_patients_are_near_their_bones(number):
    from ece_core.preprocessing.neck_region import body_mask
    from ece_core.simulate import render
    from ece_core.simulate.case import draw_case

    patient, scanner, (shape, affine) = draw_case(77, number, "medium", (54, 75, 75), SPACING_MM)
    ct = render(patient, (shape, affine), scanner).ct
    found = find_landmarks(body_mask(ct), ct.spacing_mm)
    bones = [part.shape.bounds()[1][2] for part in patient.anatomy.structures if part.name == "acromion"]
    height = {name: float(ct.to_lps([getattr(found, name), 0, 0])[2]) for name in ("nose", "acromion")}
    assert abs(height["nose"] - patient.anatomy.frame.point(0, -79, 46)[2]) < 6
    assert abs(height["acromion"] - max(bones)) < 20
