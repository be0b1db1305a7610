"""The long axis against pencils, against every pair of points, and against the truth of tilted bodies."""

import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.feret import maximum_feret_mm
from ece_core.lymph_nodes.long_axis import long_axis_mm, surface_points_mm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from .drawn_bodies import draw, ellipsoid, rotation_about

MASKS = arrays(bool, (5, 6, 4)).filter(np.any)


def slow_long_axis(mask, spacing_mm):
    """Every pair of voxels inside and outside that share a face, the crossing worked out from plain distances."""
    padded = np.pad(mask, 1)
    index = np.argwhere(np.ones_like(padded)).reshape(*padded.shape, 3)
    places = index * spacing_mm
    inside, outside = places[padded], places[~padded]

    def signed(at):
        others = outside if padded[tuple(at)] else inside
        nearest = np.sqrt(((others - at * spacing_mm) ** 2).sum(axis=1).min()) - min(spacing_mm) / 2
        return nearest if padded[tuple(at)] else -nearest

    points = []
    for at in np.argwhere(padded):
        for step in (*np.eye(3, dtype=int), *-np.eye(3, dtype=int)):
            if not padded[tuple(at + step)]:
                here, there = signed(at), signed(at + step)
                points.append((at + step * here / (here - there)) * spacing_mm)
    points = np.array(points)
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1).max())


def volume(mask, spacing_mm):
    return Volume(mask, affine_from(spacing_mm))


@settings(deadline=None, max_examples=15)
@given(MASKS, st.sampled_from([(1.0, 1.0, 1.0), (3.0, 0.5, 0.7)]))
def test_every_pair_of_points_gives_the_same(mask, spacing_mm):
    assert long_axis_mm(volume(mask, spacing_mm)) == pytest.approx(slow_long_axis(mask, np.array(spacing_mm)), rel=1e-5)


@settings(deadline=None, max_examples=15)
@given(MASKS)
def test_with_cubic_voxels_it_is_the_feret_diameter_of_the_contour_at_one_half(mask):
    assert long_axis_mm(volume(mask, (0.8,) * 3)) == pytest.approx(maximum_feret_mm(mask, (0.8,) * 3), rel=1e-5)


@settings(deadline=None, max_examples=15)
@given(MASKS, st.sampled_from([0, 1, 2]))
def test_it_does_not_know_left_from_right(mask, axis):
    one, other = (long_axis_mm(volume(array, (3.0, 0.5, 0.7))) for array in (mask, np.flip(mask, axis)))
    assert one == pytest.approx(other, rel=1e-6)


def test_a_voxel_of_thick_slices_tapers_as_its_signed_distance_does():
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    points = surface_points_mm(mask, (3.0, 1.0, 1.0))
    # The centre is 0.5 mm inside, the next slice's voxel 2.5 mm outside: zero after 0.5 of the 3 mm.
    assert np.ptp(points, axis=0) == pytest.approx([2 * 0.5, 1.0, 1.0])


@pytest.mark.parametrize("spacing_mm", [(1.25, 0.47, 0.47), (3.0, 0.9, 0.9)])
def test_a_tilted_body_in_thick_slices_is_not_made_longer(spacing_mm):
    rng = np.random.default_rng(0)
    semi_axes = (6.0, 8.0, 12.0)
    errors = {"signed distance": [], "faces": []}
    for _ in range(5):
        body = ellipsoid(rng.uniform(-2, 2, 3), semi_axes, rotation_about(rng.normal(size=3), 30))
        mask = draw(body, spacing_mm, [-17] * 3, [17] * 3)
        errors["signed distance"].append(long_axis_mm(mask) - 24)
        errors["faces"].append(maximum_feret_mm(mask.array, mask.spacing_mm) - 24)
    assert abs(np.mean(errors["signed distance"])) < 0.15 * spacing_mm[0]
    assert np.mean(errors["faces"]) > 0.3 * spacing_mm[0]  # why the faces are not used
