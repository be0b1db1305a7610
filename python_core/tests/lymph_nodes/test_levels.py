"""Side and level in a neck of a few solids, whose levels are known, in every orientation; and in simulated patients."""

import numpy as np
import pytest
from ece_core.geometry import Volume
from ece_core.lymph_nodes.levels import NeckFrame, side_and_level, theil_sen
from ece_core.simulate.case import simulate_case

from .drawn_bodies import draw, ellipsoid, rotation_about

# x to the left, y to the back, z up from the hyoid; the spine's front is at y = 20.
POINTS = {
    "IA": (5, -35, -5),
    "IB": (30, -15, 0),
    "II": (34, 15, 25),
    "III": (34, 15, -20),
    "IV": (34, 10, -55),
    "V": (50, 48, -30),
    "VI": (8, -5, -50),
}


def cylinder(center_xy, radii_xy, low_z, high_z):
    x0, y0 = center_xy
    a, b = radii_xy

    def inside(p):
        in_plane = ((p[..., 0] - x0) / a) ** 2 + ((p[..., 1] - y0) / b) ** 2 <= 1
        return in_plane & (p[..., 2] >= low_z) & (p[..., 2] <= high_z)

    return inside


def a_neck(direction=None, shift=0.0, lean=0.0, with_jaw=True) -> Volume:
    """Body, shoulders, head, airway, spine, jaw and hyoid. ``shift``: moved to the left; ``lean``: left per mm up."""
    parts = [
        (cylinder((0, 25), (60, 60), -140, 110), 60),
        (cylinder((0, 40), (150, 80), -140, -60), 60),
        (cylinder((0, 8), (70, 85), 25, 110), 60),
        (cylinder((0, 5), (9, 8), -140, 60), -1000),
        (cylinder((0, 32), (12, 12), -140, 75), 400),
        (lambda p: cylinder((0, 15), (66, 75), 72, 110)(p) & ~cylinder((0, 15), (54, 63), 72, 110)(p), 1000),
        (ellipsoid((0, -19, 0), (12, 4, 3)), 500),
        (ellipsoid((120, 50, -68), (25, 20, 8)), 500),
        (ellipsoid((-120, 50, -68), (25, 20, 8)), 500),
    ]
    if with_jaw:
        parts.append((lambda p: cylinder((0, 5), (48, 60), 8, 25)(p) & ~cylinder((0, 8), (42, 53), 8, 25)(p), 1000))

    def hu(p):
        q = p - np.stack([shift + lean * p[..., 2], 0 * p[..., 0], 0 * p[..., 0]], axis=-1)
        values = np.full(p.shape[:-1], -1000.0)
        for inside, value in parts:
            values[inside(q)] = value
        return values

    return draw(hu, (4.0, 4.0, 4.0), (-160, -90, -140), (160, 130, 110), direction)


@pytest.fixture(scope="module")
def the_frame():
    return NeckFrame.from_ct(a_neck())


@pytest.mark.parametrize("level", POINTS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_levels_of_a_drawn_neck(the_frame, level, side):
    x, y, z = POINTS[level]
    assert side_and_level(the_frame, (x if side == "left" else -x, y, z)) == (side, level)


@pytest.mark.parametrize(
    "direction",
    [
        pytest.param(np.diag([-1.0, -1, 1]), id="prone order"),
        pytest.param(np.diag([1.0, 1, -1]), id="from the head down"),
        pytest.param(np.diag([-1.0, 1, 1]), id="columns to the right"),
        pytest.param(np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]), id="sagittal"),
        pytest.param(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), id="coronal"),
        pytest.param(rotation_about([0, 1, 0], 8), id="head leaning in the scanner"),
    ],
)
def test_the_scan_orientation_changes_nothing(direction):
    frame = NeckFrame.from_ct(a_neck(direction))
    for level, (x, y, z) in POINTS.items():
        assert side_and_level(frame, (x, y, z)) == ("left", level)
        assert side_and_level(frame, (-x, y, z)) == ("right", level)


@pytest.mark.parametrize(("shift", "lean"), [(25, 0), (-25, 0), (10, 0.12), (0, -0.12)])
def test_sides_are_told_from_the_patients_own_middle(shift, lean):
    frame = NeckFrame.from_ct(a_neck(shift=shift, lean=lean))
    for z in (-50, -20, 10, 40):
        middle = shift + lean * z
        assert side_and_level(frame, (middle + 8, 10, z))[0] == "left"
        assert side_and_level(frame, (middle - 8, 10, z))[0] == "right"


def test_in_the_middle_is_neither_left_nor_right(the_frame):
    assert side_and_level(the_frame, (0.5, -35, -5)) == ("midline", "IA")


@pytest.mark.parametrize("z", [-120, 95], ids=["in the chest", "in the skull"])
def test_outside_of_the_neck_there_is_no_level(the_frame, z):
    assert side_and_level(the_frame, (40, 20, z)) == ("left", None)


def test_without_a_jaw_there_is_a_side_but_no_level():
    frame = NeckFrame.from_ct(a_neck(with_jaw=False).crop((0, 0, 0), (38, 56, 81)))  # up to z = 10
    assert side_and_level(frame, (40, 20, -20)) == ("left", None)


def test_an_empty_scan_still_has_sides():
    air = Volume(np.full((20, 30, 40), -1000, np.int16), np.diag([3.0, 3, 3, 1]))
    assert side_and_level(NeckFrame.from_ct(air), (100, 50, 30)) == ("left", None)
    assert side_and_level(NeckFrame.from_ct(air), (10, 50, 30)) == ("right", None)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_simulated_patients_agree(number):
    case = simulate_case(31, number, shape=(80, 170, 170), spacing_mm=(2.5, 1.48, 1.48))
    frame = NeckFrame.from_ct(case.simulation.ct)
    told = [(row, *side_and_level(frame, tuple(row["center_lps_mm"]))) for row in case.truth]
    lateral = [(row, side) for row, side, _ in told if side != "midline"]
    assert len(lateral) >= 0.9 * len(told)
    assert np.mean([row["side"] == side for row, side in lateral]) > 0.97
    assert np.mean([row["level"] == level for row, _, level in told]) > 0.75


def test_the_line_through_the_slices_is_scipys():
    from scipy.stats import theilslopes

    x = np.array([3, 4, 5, 7, 8, 9, 10])
    y = 0.3 * x + np.array([0.5, -0.2, 0.1, 9.0, 0.0, 0.3, -0.4])
    assert theil_sen(x, y) == pytest.approx(tuple(theilslopes(y, x))[:2])
