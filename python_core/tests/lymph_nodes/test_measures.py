"""Measures against closed forms, and laws: flips, labels, the scan's own rotation."""

import time

import numpy as np
import pytest
from ece_core.errors import EmptyMaskError, GeometryError
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.measures import measure, measure_all
from hypothesis import given, settings
from hypothesis import strategies as st

from .drawn_bodies import a_ball, draw, ellipsoid, rotation_about


def measured(mask: Volume, hu: float = 90.0) -> dict:
    ct = mask.with_array(np.full(mask.shape, hu, np.float32))
    return measure(ct, mask.with_array(mask.array.astype(np.uint16)), 1)


def test_a_box_of_voxels_is_measured_with_a_pencil():
    array = np.zeros((6, 9, 9), np.uint16)
    array[1:3, 2:6, 3:6] = 7  # 2 slices of 3 mm, 4 rows and 3 columns of 0.5 mm
    ct = np.zeros(array.shape, np.int16)
    ct[1], ct[2] = 80, 100
    affine = affine_from((3, 0.5, 0.5), (10, 20, 30))
    got = measure(Volume(ct, affine), Volume(array, affine), 7)
    assert got["volume_mm3"] == pytest.approx(24 * 0.75)
    assert got["short_axis_mm"] == pytest.approx(1.5)
    # The two inner voxels of the middle column are 0.75 mm inside, those of the next slice 2.75 mm outside: the surface
    # stands 0.75 / 3.5 of 3 mm above the upper slice's centre and as far below the lower one's; they are one row apart.
    assert got["long_axis_mm"] == pytest.approx(np.hypot(3 + 2 * 3 * 0.75 / 3.5, 0.5))
    assert got["centroid_lps_mm"] == pytest.approx((10 + 4 * 0.5, 20 + 3.5 * 0.5, 30 + 1.5 * 3))
    assert got["bounding_box_kji"] == ((1, 2, 3), (3, 6, 6))
    assert (got["mean_hu"], got["sd_hu"]) == pytest.approx((90, 10))
    assert got["flags"] == ("fewer than 50 voxels",)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (1.25, 0.5, 0.5), (3, 0.7, 0.7)])
@pytest.mark.parametrize("radius_mm", [3.0, 5.2, 9.7])
def test_a_ball_has_its_diameter_and_volume(spacing_mm, radius_mm):
    center = (3.3, -2.2, 40.4)
    got = measured(a_ball(radius_mm, spacing_mm, center))
    assert got["short_axis_mm"] == pytest.approx(2 * radius_mm, abs=spacing_mm[1])
    assert got["long_axis_mm"] == pytest.approx(2 * radius_mm, abs=spacing_mm[0])
    assert got["volume_mm3"] == pytest.approx(4 / 3 * np.pi * radius_mm**3, rel=0.1 if spacing_mm[0] < 3 else 0.25)
    assert got["centroid_lps_mm"] == pytest.approx(center, abs=0.25 * spacing_mm[0])


def test_a_short_axis_is_axial_not_the_smallest_of_all():
    disc = draw(ellipsoid((0, 0, 0), (9, 7, 3)), (0.7,) * 3, [-12] * 3, [12] * 3)  # flat along the patient's axis
    assert measured(disc)["short_axis_mm"] == pytest.approx(14, abs=0.7)


@pytest.mark.parametrize("semi_axes", [(4.0, 7.0, 12.0), (9.0, 7.0, 3.5)])
@pytest.mark.parametrize(
    "direction",
    [
        pytest.param(np.diag([-1.0, 1, -1]), id="flipped axial"),
        pytest.param(np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]), id="sagittal"),
        pytest.param(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), id="coronal"),
        pytest.param(rotation_about([1, 0, 0], 4), id="tilted by 4 degrees"),
        pytest.param(rotation_about([1, 0, 0], 9), id="oblique by 9 degrees"),
        pytest.param(rotation_about([1, 1, 0.3], 40), id="oblique by 40 degrees"),
        pytest.param(rotation_about([0, 0, 1], 30), id="turned in plane"),
    ],
)
def test_turning_the_scanner_hardly_changes_the_measures(semi_axes, direction):
    body = ellipsoid((1, 2, 3), semi_axes, rotation_about([1, 0.2, 0.5], 15))
    box = ([-14] * 3, [16] * 3)
    axial, turned = (measured(draw(body, (0.8,) * 3, *box, columns)) for columns in (None, direction))
    assert turned["short_axis_mm"] == pytest.approx(axial["short_axis_mm"], abs=1.0)
    assert turned["long_axis_mm"] == pytest.approx(axial["long_axis_mm"], abs=1.0)
    assert turned["volume_mm3"] == pytest.approx(axial["volume_mm3"], rel=0.02)
    assert turned["centroid_lps_mm"] == pytest.approx(axial["centroid_lps_mm"], abs=0.1)


@st.composite
def two_lymph_nodes(draw_):
    seed = draw_(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    labels = np.zeros((8, 10, 12), np.uint16)
    labels[1:7, 1:9, 1:6] = rng.random((6, 8, 5)) > 0.5
    labels[1:7, 1:9, 7:11] = 2 * (rng.random((6, 8, 4)) > 0.5)
    return labels, rng.normal(60, 40, labels.shape).astype(np.float32)


SIZES = ("short_axis_mm", "long_axis_mm", "volume_mm3", "mean_hu", "sd_hu", "necrosis_fraction")


@settings(deadline=None, max_examples=30)
@given(two_lymph_nodes(), st.sampled_from([0, 1, 2]))
def test_measures_do_not_know_left_from_right(case, axis):
    labels, hu = case
    affine = affine_from((2.5, 0.8, 0.6))
    flipped = [Volume(np.flip(array, axis), affine) for array in (hu, labels)]
    one, other = measure_all(Volume(hu, affine), Volume(labels, affine)), measure_all(*flipped)
    for label in (1, 2):
        assert [one[label][key] for key in SIZES] == pytest.approx([other[label][key] for key in SIZES], rel=1e-4)


@settings(deadline=None, max_examples=30)
@given(two_lymph_nodes())
def test_labels_can_be_exchanged(case):
    labels, hu = case
    affine = affine_from((2.5, 0.8, 0.6))
    renamed = np.array([0, 5, 3], np.uint16)[labels]
    one = measure_all(Volume(hu, affine), Volume(labels, affine))
    other = measure_all(Volume(hu, affine), Volume(renamed, affine))
    assert list(other) == [3, 5]
    assert (one[1], one[2]) == (other[5], other[3])


@settings(deadline=None, max_examples=15)
@given(two_lymph_nodes())
def test_all_at_once_equals_one_by_one(case):
    labels, hu = case
    affine = affine_from((2.5, 0.8, 0.6))
    ct, instances = Volume(hu, affine), Volume(labels, affine)
    assert measure_all(ct, instances) == {label: measure(ct, instances, label) for label in (1, 2)}


@pytest.mark.parametrize("corner", [(0, 2, 2), (2, 0, 2), (2, 2, 0), (6, 2, 2), (2, 6, 2), (2, 2, 6)])
def test_a_lymph_node_at_the_edge_says_so(corner):
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[tuple(slice(c, c + 4) for c in corner)] = 1
    volume = Volume(labels, np.eye(4))
    assert measure(volume, volume, 1)["flags"] == ("touches the border of the scan",)


def test_a_lymph_node_inside_has_no_flags():
    assert measured(a_ball(5.0))["flags"] == ()


def test_an_empty_label_is_refused_in_words():
    volume = Volume(np.zeros((3, 3, 3), np.uint8), np.eye(4))
    with pytest.raises(EmptyMaskError, match=r"Lymph node 4 is empty.*Paint the lymph node again"):
        measure(volume, volume, 4)


def test_background_is_no_lymph_node():
    volume = Volume(np.zeros((3, 3, 3), np.uint8), np.eye(4))
    with pytest.raises(EmptyMaskError, match="Lymph node 0"):
        measure(volume, volume, 0)


def test_another_grid_is_refused_in_words():
    ct, labels = Volume(np.zeros((3, 3, 3)), np.eye(4)), Volume(np.ones((3, 3, 4), np.uint8), np.eye(4))
    with pytest.raises(GeometryError, match=r"not on the same grid.*Resample the map to the CT"):
        measure_all(ct, labels)


@pytest.mark.slow
def test_thirty_lymph_nodes_of_a_whole_scan_are_measured_in_seconds():
    affine = affine_from((1.25, 0.49, 0.49))
    labels = np.zeros((160, 512, 512), np.uint16)
    ball = a_ball(9.0, (1.25, 0.49, 0.49)).array
    for label in range(30):
        corner = (5 + 28 * (label // 6), 10 + 80 * (label % 6), 60 + 10 * label)
        labels[tuple(slice(c, c + n) for c, n in zip(corner, ball.shape, strict=True))][ball] = label + 1
    instances = Volume(labels, affine)
    started = time.process_time()
    got = measure_all(instances, instances)
    assert time.process_time() - started < 8  # 0.4 s of processor time when written
    assert len(got) == 30
