"""Surface distances in closed form, against every pair of points, and against MONAI."""

import numpy as np
import pytest
from ece_core.evaluation.surface import border, surface_distance
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

MASKS = arrays(bool, (4, 5, 4)).filter(np.any)
SPACING_MM = (3.0, 0.5, 0.7)
FEW = settings(deadline=None, max_examples=12)


def between(one, other, spacing_mm=SPACING_MM):
    return surface_distance(np.argwhere(one), np.argwhere(other), spacing_mm)


def slow_surface(mask):
    """Voxels with a face to the outside, looked at one by one."""
    padded = np.pad(mask, 1)
    steps = [*np.eye(3, dtype=int), *-np.eye(3, dtype=int)]
    return [v - 1 for v in np.argwhere(padded) if not all(padded[tuple(v + s)] for s in steps)]


def slow_distances(one, other, spacing_mm):
    """From each surface point of one the distance to the nearest of the other."""
    to = [np.array(v) * spacing_mm for v in slow_surface(other)]
    return [min(float(np.linalg.norm(np.array(v) * spacing_mm - w)) for w in to) for v in slow_surface(one)]


@FEW
@given(MASKS, MASKS)
def test_every_pair_of_points_gives_the_same(one, other):
    there, back = (slow_distances(*pair, SPACING_MM) for pair in ((one, other), (other, one)))
    got = between(one, other)
    assert got.assd_mm == pytest.approx(sum(there + back) / len(there + back))
    assert got.hd95_mm == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))


@FEW
@given(MASKS)
def test_border_is_what_erosion_takes_away(mask):
    kept = mask & ~ndimage.binary_erosion(mask)
    assert {tuple(v) for v in border(np.argwhere(mask))} == {tuple(v) for v in np.argwhere(kept)}


@FEW
@given(MASKS)
def test_an_outline_is_no_distance_from_itself(mask):
    assert between(mask, mask) == (0, 0)


@FEW
@given(MASKS, MASKS, st.sampled_from([0, 1, 2]))
def test_neither_order_nor_side_matters(one, other, axis):
    assert between(one, other) == pytest.approx(between(other, one))
    assert between(one, other) == pytest.approx(between(np.flip(one, axis), np.flip(other, axis)))


def test_two_balls_around_one_centre_are_their_radii_apart():
    k, j, i = np.mgrid[-16:17, -30:31, -30:31]
    radius = np.sqrt((1.0 * k) ** 2 + (0.5 * j) ** 2 + (0.5 * i) ** 2)
    got = between(radius <= 8, radius <= 12, (1.0, 0.5, 0.5))
    assert got.assd_mm == pytest.approx(4, abs=0.25)  # half a voxel: nearest of the centres, not of the balls
    assert got.hd95_mm == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize(("axis", "apart_mm"), [(0, 2 * 3.0), (1, 2 * 0.5), (2, 2 * 0.7)])
def test_two_plates_are_apart_in_millimetres_of_their_axis(axis, apart_mm):
    one = np.zeros((5, 5, 5), bool)
    one[tuple(1 if a == axis else slice(None) for a in range(3))] = True
    assert between(one, np.roll(one, 2, axis)) == pytest.approx((apart_mm, apart_mm))


def test_a_single_voxel_astray_does_not_move_the_95th_percentile():
    one = np.zeros((1, 1, 60), bool)
    one[..., :40] = True
    other = one.copy()
    other[..., 59] = True
    got = between(one, other, (1.0, 1.0, 1.0))
    assert got.hd95_mm == 0  # one of 41 points
    assert got.assd_mm == pytest.approx(20 / 81)


@pytest.mark.parametrize("empty", [0, 1])
def test_without_an_outline_there_is_no_distance(empty):
    masks = [np.ones((2, 2, 2), bool), np.ones((2, 2, 2), bool)]
    masks[empty][:] = False
    assert between(*masks) is None


@pytest.mark.slow
def test_monai_agrees():
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    rng = np.random.default_rng(0)
    one, other = (ndimage.gaussian_filter(rng.random((12, 20, 20)), 1.5) > 0.5 for _ in range(2))
    tensors = [torch.tensor(np.pad(mask, 1)[None, None]).float() for mask in (one, other)]
    kind = {"include_background": True, "spacing": SPACING_MM}
    hd95 = compute_hausdorff_distance(*tensors, percentile=95, **kind).item()
    assd = compute_average_surface_distance(*tensors, symmetric=True, **kind).item()
    assert between(one, other) == pytest.approx((hd95, assd), rel=1e-5)
