"""Sections in the patient's axial planes for axial, sagittal, coronal and oblique scans."""

import numpy as np
import pytest
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.axial_sections import axial_sections, largest_piece

from .drawn_bodies import draw, ellipsoid, rotation_about


@pytest.mark.parametrize(
    ("columns", "axis"),
    [
        pytest.param(np.eye(3), 0, id="axial"),
        pytest.param(np.diag([-1, -1, -1]), 0, id="axial, all axes reversed"),
        pytest.param(np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]]), 1, id="sagittal: rows run inferior"),
        pytest.param(rotation_about([1, 0, 0], 4), 0, id="axial, head tilted by 4 degrees"),
    ],
)
def test_planes_of_the_grid_serve_where_they_are_axial(columns, axis):
    array = np.random.default_rng(0).random((4, 5, 6)) > 0.5
    sections, spacing_mm = axial_sections(Volume(array, affine_from((3, 2, 1), (0, 0, 0), columns)))
    assert np.array_equal(sections, np.moveaxis(array, axis, 0))
    assert spacing_mm == pytest.approx(tuple(s for a, s in enumerate((3, 2, 1)) if a != axis))


@pytest.mark.parametrize("degrees", [10, 20, 35, 45])
def test_an_oblique_scan_is_cut_in_axial_planes(degrees):
    semi_axes = (4.0, 7.0, 12.0)  # along L, P, S: axial sections are ellipses of at most 8 by 14 mm
    mask = draw(ellipsoid((0, 0, 0), semi_axes), (0.8,) * 3, [-15] * 3, [15] * 3, rotation_about([1, 0.4, 0], degrees))
    sections, spacing_mm = axial_sections(mask)
    assert spacing_mm == pytest.approx((0.8, 0.8))
    area = sections.sum(axis=(1, 2)).max() * 0.8**2
    assert area == pytest.approx(np.pi * 4 * 7, rel=0.05)
    assert sections.any(axis=(1, 2)).sum() * 0.8 == pytest.approx(24, abs=1.7)


def test_a_section_in_two_pieces_is_measured_by_the_larger():
    section = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]], bool)
    assert largest_piece(section).tolist() == [[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
