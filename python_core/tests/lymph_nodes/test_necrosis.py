"""Necrosis in lymph nodes that we fill ourselves: solid, necrotic, with a fatty hilum, at several noises."""

import numpy as np
import pytest
from ece_core.lymph_nodes.necrosis import necrosis_fraction
from scipy import ndimage

from .drawn_bodies import draw, ellipsoid

SPACING_MM = (1.25, 0.5, 0.5)
REACH = [13.0] * 3


def a_lymph_node(core_radius_mm, core_hu, noise_hu=0.0, blur_mm=0.0, rim_hu=95.0, spacing_mm=SPACING_MM):
    """HU and mask: a ball of 9 mm radius in fat with a spherical core."""
    mask = draw(ellipsoid((0, 0, 0), [9] * 3), spacing_mm, [-13] * 3, REACH).array
    core = draw(ellipsoid((1, 0, 0), [core_radius_mm] * 3), spacing_mm, [-13] * 3, REACH).array
    hu = np.where(core, core_hu, np.where(mask, rim_hu, -100.0))
    hu = ndimage.gaussian_filter(hu, [blur_mm / step for step in spacing_mm])
    return hu + np.random.default_rng(1).normal(scale=noise_hu, size=hu.shape), mask, core.sum() / mask.sum()


@pytest.mark.parametrize("core_radius_mm", [2.5, 4.0, 6.5])
def test_a_necrotic_core_is_measured_without_noise_or_blur(core_radius_mm):
    hu, mask, truth = a_lymph_node(core_radius_mm, core_hu=10)
    assert necrosis_fraction(hu, mask, SPACING_MM) == pytest.approx(truth, rel=0.25)


@pytest.mark.parametrize("noise_hu", [5, 12])
def test_a_necrotic_core_is_found_in_a_noisy_blurred_scan(noise_hu):
    hu, mask, truth = a_lymph_node(5.0, core_hu=20, noise_hu=noise_hu, blur_mm=0.45)
    assert necrosis_fraction(hu, mask, SPACING_MM) == pytest.approx(truth, rel=0.3)


@pytest.mark.parametrize(
    ("core_hu", "rim_hu"),
    [
        pytest.param(95, 95, id="solid"),
        pytest.param(70, 95, id="a little darker inside"),
        pytest.param(-90, 95, id="a fatty hilum"),
        pytest.param(35, 45, id="dark all over: no rim to stand out from"),
    ],
)
@pytest.mark.parametrize("noise_hu", [0, 12])
def test_what_is_not_necrosis_counts_as_none(core_hu, rim_hu, noise_hu):
    hu, mask, _ = a_lymph_node(4.0, core_hu, noise_hu=noise_hu, blur_mm=0.45, rim_hu=rim_hu)
    assert necrosis_fraction(hu, mask, SPACING_MM) < 0.01


def test_a_core_below_three_millimetres_does_not_count():
    assert necrosis_fraction(*a_lymph_node(1.3, core_hu=0)[:2], SPACING_MM) == 0
    assert necrosis_fraction(*a_lymph_node(2.5, core_hu=0)[:2], SPACING_MM) > 0


def test_a_lymph_node_of_fat_alone_has_no_rim_and_no_necrosis():
    assert necrosis_fraction(np.full((5, 5, 5), -90.0), np.ones((5, 5, 5), bool), (1, 1, 1)) == 0


@pytest.mark.parametrize("spacing_mm", [(2.5, 1.5, 1.5), (3.0, 0.5, 0.5), (5.0, 0.9, 0.9)])
def test_partial_volume_of_large_voxels_is_no_necrosis(spacing_mm):
    hu, mask, _ = a_lymph_node(1.0, core_hu=95, noise_hu=5, blur_mm=1.5, spacing_mm=spacing_mm)
    assert necrosis_fraction(hu, mask, spacing_mm) == 0
    hu, mask, _ = a_lymph_node(6.0, core_hu=10, noise_hu=5, blur_mm=0.5, spacing_mm=spacing_mm)
    assert necrosis_fraction(hu, mask, spacing_mm) > 0.1
