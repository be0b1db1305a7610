"""Point spread, slice profile, noise and streaks against their formulas."""

from dataclasses import replace

import numpy as np
import pytest
from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.simulate import Scanner, patch_grid, render, sample_scanner
from ece_core.simulate.matte import box_of, matte_of
from ece_core.simulate.population import DIFFICULTIES, sample_lymph_node
from ece_core.simulate.scanner import (
    KERNELS,
    add_metal_streaks,
    add_noise,
    blur,
    colored_noise,
    noise_power,
    noise_profile,
    slice_sigma,
)

QUIET = Scanner(noise_hu=0.0, streak_hu=0.0, couch=False, metal_streak_hu=0.0)


def width_at_half(profile, step):
    """FWHM of a peak, by straight lines between samples."""
    half = profile.max() / 2
    above = np.flatnonzero(profile >= half)
    left, right = above[0], above[-1]
    ends = [
        left - (profile[left] - half) / (profile[left] - profile[left - 1]),
        right + (profile[right] - half) / (profile[right] - profile[right + 1]),
    ]
    return (ends[1] - ends[0]) * step


@pytest.mark.parametrize("fwhm_mm", [0.8, 1.15])
def test_a_point_is_spread_to_the_width_that_the_scanner_says(fwhm_mm):
    point = np.zeros((1, 81, 81), np.float32)
    point[0, 40, 40] = 1
    spread = blur(point, (1.0, 0.1, 0.1), fwhm_mm)
    assert width_at_half(spread[0, 40], 0.1) == pytest.approx(fwhm_mm, abs=0.04)
    assert width_at_half(spread[0, :, 40], 0.1) == pytest.approx(fwhm_mm, abs=0.04)
    assert spread.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("width", [1.2, 1.5, 2.0])
def test_the_slice_profile_is_as_wide_as_said(width):
    box = np.zeros(400)
    box[175:225] = 1  # one slice of 50 samples
    from scipy.ndimage import gaussian_filter1d

    assert width_at_half(gaussian_filter1d(box, slice_sigma(width) * 50), 1 / 50) == pytest.approx(width, abs=0.05)


def test_a_slice_of_width_one_is_a_box():
    one = np.zeros((5, 3, 3), np.float32)
    one[2] = 1
    assert slice_sigma(1.0) == 0
    assert (np.flatnonzero(blur(one, (1.0, 1.0, 1.0), 0.01, 1.0)[:, 1, 1]) == [2]).all()
    wide = blur(one, (1.0, 1.0, 1.0), 0.01, 1.4)[:, 1, 1]
    assert 0.05 < wide[1] < wide[2] < 1
    assert wide.sum() == pytest.approx(1, abs=1e-3)


def test_uniform_tissue_keeps_its_hu_exactly():
    assert blur(np.full((6, 20, 20), 63.0, np.float32), (2.0, 0.5, 0.5), 1.15, 1.5) == pytest.approx(63.0, abs=1e-3)


@pytest.mark.parametrize("peak", [0.21, 0.38])
def test_the_noise_spectrum_follows_the_formula(peak):
    shape, step = (40, 128, 128), 0.5
    noise = colored_noise(np.random.default_rng(0), shape, (1.0, step, step), peak)
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert abs(noise.mean()) < 0.02
    measured = (np.abs(np.fft.fft2(noise)) ** 2).mean(axis=0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128, step), np.fft.fftfreq(128, step)))
    expected = noise_power(frequency, peak)
    for low in np.arange(0.05, 0.7, 0.05):
        ring = (frequency >= low) & (frequency < low + 0.05)
        share = measured[ring].mean() / measured.mean(), expected[ring].mean() / expected.mean()
        assert share[0] == pytest.approx(share[1], rel=0.12, abs=0.02)
    fine = np.linspace(0, 1, 2001)
    assert fine[np.argmax(noise_power(fine, peak))] == pytest.approx(peak, abs=0.002)


def test_slices_share_noise_only_where_they_overlap():
    def alike(slice_width):
        noise = colored_noise(np.random.default_rng(0), (30, 64, 64), (1.0, 0.5, 0.5), 0.3, slice_width)
        return float((noise[1:] * noise[:-1]).mean())

    assert abs(alike(1.0)) < 0.02
    sigma = slice_sigma(1.5)
    assert alike(1.5) == pytest.approx(np.exp(-1 / (4 * sigma**2)), abs=0.03)


def test_noise_has_the_scanners_sd_at_mid_neck_and_twice_that_below_the_shoulders():
    hu = np.zeros((80, 64, 64), np.float32)
    affine = affine_from((3.0, 1.0, 1.0), (0.0, 0.0, -160.0))
    add_noise(np.random.default_rng(0), hu, affine, (3.0, 1.0, 1.0), Scanner(noise_hu=7.0, streak_hu=0.0), -60.0)
    assert hu[-25:].std() == pytest.approx(7.0, rel=0.03)
    assert hu[:15].std() == pytest.approx(14.0, rel=0.03)
    assert noise_profile(np.array([40.0, -160.0]), -60.0) == pytest.approx([1, 2], abs=0.01)


def test_streaks_at_the_shoulders_are_horizontal_and_absent_from_the_neck():
    hu = np.zeros((60, 96, 96), np.float32)
    affine = affine_from((3.0, 1.0, 1.0), (0.0, 0.0, -140.0))
    add_noise(np.random.default_rng(0), hu, affine, (3.0, 1.0, 1.0), Scanner(noise_hu=0.0, streak_hu=10.0), -60.0)
    shoulders, neck = hu[:15], hu[-8:]
    assert neck.std() < 0.1
    middle = shoulders[:, :, 40:56]
    assert 5 < middle.std() < 12
    along, across = np.abs(np.diff(middle, axis=2)).mean(), np.abs(np.diff(middle, axis=1)).mean()
    assert along < across / 8


def test_a_sharper_kernel_has_finer_points_and_finer_noise():
    order = [KERNELS[name] for name in ("soft", "standard", "sharp")]
    assert [k.psf_fwhm_mm for k in order] == sorted([k.psf_fwhm_mm for k in order], reverse=True)
    assert [k.noise_peak_per_mm for k in order] == sorted(k.noise_peak_per_mm for k in order)
    drawn = [sample_scanner(np.random.default_rng(n)) for n in range(200)]
    assert {s.kernel for s in drawn} == set(KERNELS)
    assert np.corrcoef([s.psf_fwhm_mm for s in drawn], [s.noise_peak_per_mm for s in drawn])[0, 1] < -0.8
    assert all(0.7 < s.psf_fwhm_mm < 1.25 and 0.18 < s.noise_peak_per_mm < 0.42 for s in drawn)
    assert sample_scanner(np.random.default_rng(1), "sharp").kernel == "sharp"
    with pytest.raises(InputError, match="no kernel named 'bone'.*soft, standard, sharp"):
        sample_scanner(np.random.default_rng(1), "bone")


def test_metal_throws_streaks_in_its_own_slices_only():
    hu = np.zeros((21, 80, 80), np.float32)
    affine = affine_from((2.0, 1.0, 1.0), (-39.5, -39.5, -20.0))
    teeth = ((np.array([-15.0, -10.0, 0.0]), 2.0), (np.array([15.0, -10.0, 0.0]), 2.0))
    add_metal_streaks(hu, affine, teeth, Scanner(), np.random.default_rng(0))
    assert hu[10].std() > 20
    assert not hu[:5].any() and not hu[-5:].any()
    near, far = hu[10, 25:35, 20:30], hu[10, 70:, 70:]
    assert near.std() > 2 * far.std()
    between = []
    for seed in range(12):  # the rays have no mean over seeds, the band has
        hu[:] = 0
        add_metal_streaks(hu, affine, teeth, Scanner(), np.random.default_rng(seed))
        between.append(hu[10, 29:31, 34:46].mean())
    assert np.mean(between) == pytest.approx(-0.35 * 350, rel=0.3)
    without = np.zeros_like(hu)
    add_metal_streaks(without, affine, (), Scanner(), np.random.default_rng(0))
    assert not without.any()


def a_breached_node(extent_mm):
    node = sample_lymph_node(np.random.default_rng(3), "ENE", DIFFICULTIES["medium"])
    node = replace(node, radii_mm=node.radii_mm * 6 / node.radii_mm.min(), inflammation=0.0)
    return replace(node, breach=replace(node.breach, extent_mm=extent_mm, stranding=0.0))


@pytest.mark.parametrize("extent_mm", [0.6, 1.0])
def test_a_breach_thinner_than_a_voxel_fills_its_share_of_it(extent_mm):
    node = a_breached_node(extent_mm)

    def volume(spacing_mm, part):
        shape, affine = patch_grid(node.center_lps, [int(44 / s) for s in spacing_mm], spacing_mm)
        grid = Volume(np.zeros(shape, np.float32), affine)
        return float(matte_of(part, grid, box_of(part, grid)).cover.sum() * np.prod(spacing_mm))

    sharp = replace(node, blur_mm=0.0, breach=replace(node.breach, blur_mm=0.0))
    fine, coarse = (volume(s, sharp) - volume(s, sharp.repaired()) for s in ((0.4, 0.4, 0.4), (2.0, 1.0, 1.0)))
    assert fine > 5
    assert coarse == pytest.approx(fine, rel=0.08)


def test_the_truth_map_is_the_sign_of_the_distance_at_voxel_centers(the_patient):
    patient = the_patient((56, 3))
    node = patient.lymph_nodes[0]
    alone = replace(patient, lymph_nodes=(node,))
    scan = render(alone, patch_grid(node.center_lps, (20, 30, 30), (1.7, 0.9, 0.9)), QUIET)
    points = scan.ct.to_lps(np.moveaxis(np.indices(scan.ct.shape), 0, -1))
    outer = node.field(*(points[..., n] for n in range(3)))[1]
    certain = np.abs(outer) > 1e-3
    assert ((scan.instances.array > 0) == (outer < 0))[certain].all()
