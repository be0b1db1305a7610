"""What the scanner adds: grid, point spread, slice profile, colored noise, couch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from ece_core.geometry import affine_from

Array = np.ndarray


@dataclass(frozen=True)
class Scanner:
    """Acquisition settings.

    Attributes
    ----------
    psf_fwhm_mm
        In-plane point spread, 0.8 to 1.2 mm.
    noise_hu
        SD at mid-neck, 5.6 to 9.1 HU; rises about twofold below the shoulders (clinical reference 5.3).
    noise_peak_per_mm
        Frequency at which the noise power peaks, 0.2 to 0.4 lp/mm for soft kernels.
    streak_hu
        SD of horizontal streaks at the shoulders.
    couch
        Couch and head rest are in the field of view.
    """

    psf_fwhm_mm: float = 0.9
    noise_hu: float = 7.0
    noise_peak_per_mm: float = 0.3
    streak_hu: float = 6.0
    couch: bool = True


def sample_scanner(rng: np.random.Generator) -> Scanner:
    """Settings of one examination."""
    return Scanner(
        psf_fwhm_mm=float(rng.uniform(0.75, 1.25)),
        noise_hu=float(rng.uniform(5.0, 10.0)),
        noise_peak_per_mm=float(rng.uniform(0.2, 0.4)),
        streak_hu=float(rng.uniform(2.0, 12.0)),
        couch=bool(rng.random() < 0.9),
    )


def neck_grid(
    shape: tuple[int, int, int] = (160, 512, 512), spacing_mm: tuple[float, float, float] = (1.25, 0.49, 0.49),
    bottom_mm: float = -112.0,
) -> tuple[tuple[int, int, int], Array]:
    """Shape and affine of an axial scan centered on the neck, from ``bottom_mm`` upwards (hyoid at 0)."""
    _, rows, columns = shape
    origin = (-(columns - 1) / 2 * spacing_mm[2], 28 - (rows - 1) / 2 * spacing_mm[1], bottom_mm)
    return shape, affine_from(spacing_mm, origin)


def patch_grid(
    center_lps: Array, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]
) -> tuple[tuple[int, int, int], Array]:
    """Shape (K, J, I) and affine of a block centered on a point."""
    half = (np.array(shape) - 1) / 2 * np.array(spacing_mm)
    return (shape[0], shape[1], shape[2]), affine_from(spacing_mm, np.asarray(center_lps) - half[::-1])


def blur(array: Array, spacing_mm: tuple[float, float, float], fwhm_mm: float) -> Array:
    """In-plane point spread, (K, J, I)."""
    sigma = fwhm_mm / 2.355
    return ndimage.gaussian_filter(array, (0, sigma / spacing_mm[1], sigma / spacing_mm[2]), truncate=3)


def colored_noise(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], peak_per_mm: float
) -> Array:
    """Zero-mean noise of SD 1 with a ramp-like power spectrum that rolls off, and some power at zero.

    After Kijewski and Judy 1987: amplitude ~ sqrt(f) * exp(-(f / f0)^2), plus a floor.
    """
    slices, rows, columns = shape
    fy = fft.fftfreq(rows, spacing_mm[1])[:, None]
    fx = fft.rfftfreq(columns, spacing_mm[2])[None]
    frequency = np.hypot(fy, fx)
    power = (frequency / peak_per_mm + 0.1) * np.exp(-((frequency / (peak_per_mm * 1.6)) ** 2))
    shaping = np.sqrt(power).astype(np.float32)
    noise = np.empty(shape, np.float32)
    for k in range(slices):
        white = rng.standard_normal((rows, columns), dtype=np.float32)
        noise[k] = fft.irfft2(fft.rfft2(white) * shaping, (rows, columns))
    noise /= noise.std() + 1e-9
    return noise


def noise_profile(z_mm: Array, shoulder_mm: float) -> Array:
    """Relative noise at heights z: 1 at mid-neck, 2 well below the shoulders."""
    return 1 + 1 / (1 + np.exp((z_mm - shoulder_mm + 12) / 7))


def add_noise(
    rng: np.random.Generator, hu: Array, affine: Array, spacing_mm: tuple[float, float, float], scanner: Scanner,
    shoulder_mm: float,
) -> None:
    """Noise and shoulder streaks, in place on (K, J, I) HU of an axial grid."""
    slices, rows, columns = hu.shape
    z = affine[2, 3] + np.arange(slices) * spacing_mm[0]
    profile = noise_profile(z, shoulder_mm).astype(np.float32)
    noise = colored_noise(rng, hu.shape, spacing_mm, scanner.noise_peak_per_mm)
    noise *= (scanner.noise_hu * profile)[:, None, None]
    hu += noise
    lines = ndimage.gaussian_filter1d(rng.standard_normal((slices, rows)).astype(np.float32), 1.2, axis=1)
    lines *= (scanner.streak_hu * (profile - 1))[:, None]
    wave = np.cos(np.linspace(-1.2, 1.2, columns, dtype=np.float32))
    hu += lines[:, :, None] * wave


def couch_hu(x: Array, y: Array, top_mm: float) -> Array:
    """HU of a curved couch with a dense shell, -1000 where there is none. Broadcast coordinates in LPS mm."""
    sag = float(top_mm) - 0.0006 * x * x
    depth = y - sag
    half_width = 240.0
    inside = (depth > 0) & (depth < 42) & (np.abs(x) < half_width)
    shell = inside & ((depth < 3) | (depth > 39))
    return np.where(shell, np.float32(-120), np.where(inside, np.float32(-930), np.float32(-1000)))
