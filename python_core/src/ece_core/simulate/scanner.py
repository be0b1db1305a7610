"""What the scanner adds: grid, point spread, slice profile, colored noise, streaks, couch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage, special

from ece_core.errors import InputError
from ece_core.geometry import affine_from

Array = np.ndarray


FWHM = 2.3548  # of a Gaussian, in SDs
METAL_REACH_MM = 110.0


@dataclass(frozen=True)
class Kernel:
    """A reconstruction kernel: what sharpens the image also moves its noise to higher frequencies."""

    psf_fwhm_mm: float
    noise_peak_per_mm: float


# Point spread 0.8 to 1.2 mm, noise peak 0.2 to 0.4 lp/mm (clinical reference 5.3).
KERNELS = {"soft": Kernel(1.15, 0.21), "standard": Kernel(0.95, 0.29), "sharp": Kernel(0.8, 0.38)}


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
        Where the noise power peaks, 0.2 to 0.4 lp/mm, as far as the grid can show it.
    streak_hu
        SD of horizontal streaks at the shoulders.
    couch
        Couch and head rest are in the field of view.
    kernel
        The name in ``KERNELS`` from which point spread and noise peak were drawn.
    slice_width
        FWHM of the slice profile over the distance of slices, at least 1; 1 is a box, more is a bell that overlaps
        the neighbors.
    metal_streak_hu
        Amplitude of streaks one radius away from a metal tooth.
    """

    psf_fwhm_mm: float = 0.9
    noise_hu: float = 7.0
    noise_peak_per_mm: float = 0.3
    streak_hu: float = 6.0
    couch: bool = True
    kernel: str = "standard"
    slice_width: float = 1.0
    metal_streak_hu: float = 350.0


def sample_scanner(rng: np.random.Generator, kernel: str | None = None) -> Scanner:
    """Settings of one examination.

    Raises
    ------
    InputError
        ``kernel`` is not soft, standard or sharp.
    """
    name = str(rng.choice(list(KERNELS), p=(0.35, 0.45, 0.2)))
    if kernel is not None:
        if kernel not in KERNELS:
            raise InputError(f"There is no kernel named {kernel!r}.", f"Choose one of {', '.join(KERNELS)}.")
        name = kernel
    between = rng.uniform(0.95, 1.05)  # vendors differ; a sharper one has the finer noise
    return Scanner(
        psf_fwhm_mm=float(KERNELS[name].psf_fwhm_mm * between),
        noise_hu=float(rng.uniform(5.0, 10.0)),
        noise_peak_per_mm=float(KERNELS[name].noise_peak_per_mm / between),
        streak_hu=float(rng.uniform(2.0, 12.0)),
        couch=bool(rng.random() < 0.9),
        kernel=name,
        slice_width=float(rng.uniform(1.0, 1.5)),
        metal_streak_hu=float(rng.uniform(150, 500)),
    )


def neck_grid(
    shape: tuple[int, int, int] = (160, 512, 512),
    spacing_mm: tuple[float, float, float] = (1.25, 0.49, 0.49),
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


def blur(array: Array, spacing_mm: tuple[float, float, float], fwhm_mm: float, slice_width: float = 1.0) -> Array:
    """Point spread in plane and slice profile along k, of (K, J, I) that are means over their voxels."""
    sigma = fwhm_mm / FWHM
    array = ndimage.gaussian_filter(array, (0, sigma / spacing_mm[1], sigma / spacing_mm[2]), truncate=3)
    along = slice_sigma(slice_width)
    return ndimage.gaussian_filter1d(array, along, axis=0, truncate=3, mode="nearest") if along > 0 else array


def slice_sigma(width: float) -> float:
    """SD, in slices, of the Gaussian that makes a box one slice wide a profile with this FWHM; 0 for a box.

    The profile is Phi((x + 1/2) / s) - Phi((x - 1/2) / s); s is found by halving.
    """
    if width <= 1.0:
        return 0.0

    def profile(x: float, s: float) -> float:
        return float(special.ndtr((x + 0.5) / s) - special.ndtr((x - 0.5) / s))

    low, high = 1e-3, width
    for _ in range(40):
        s = (low + high) / 2
        low, high = (s, high) if profile(width / 2, s) < profile(0, s) / 2 else (low, s)
    return (low + high) / 2


def noise_power(frequency_per_mm: Array, peak_per_mm: float) -> Array:
    """Noise power over frequency, not normalized: a ramp that rolls off, and some power at zero.

    After Kijewski and Judy 1987: (f / a + 0.1) exp(-(f / b)^2), with b such that the maximum is at the peak.
    """
    a = peak_per_mm
    # d/df = 0 at f = peak: 1 / a = 2 f / b^2 (f / a + 0.1)
    b_squared = 2 * peak_per_mm * a * (peak_per_mm / a + 0.1)
    return (frequency_per_mm / a + 0.1) * np.exp(-(frequency_per_mm**2) / b_squared)


def colored_noise(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    peak_per_mm: float,
    slice_width: float = 1.0,
) -> Array:
    """Zero-mean noise of SD 1 with the power spectrum of :func:`noise_power` in each slice.

    Slices that overlap (``slice_width`` above 1) share noise.
    """
    slices, rows, columns = shape
    fy = fft.fftfreq(rows, spacing_mm[1])[:, None]
    power = noise_power(np.hypot(fy, fft.fftfreq(columns, spacing_mm[2])[None]), peak_per_mm)
    shaping = np.sqrt(power / power.mean())[:, : columns // 2 + 1].astype(np.float32)
    along = slice_sigma(slice_width)
    shared = np.float32(np.exp(-1 / (4 * along**2)) if along > 0 else 0.0)
    noise = np.empty(shape, np.float32)
    white = rng.standard_normal((rows, columns), dtype=np.float32)
    for k in range(slices):
        noise[k] = fft.irfft2(fft.rfft2(white) * shaping, (rows, columns))
        fresh = rng.standard_normal((rows, columns), dtype=np.float32)
        white = shared * white + np.sqrt(1 - shared**2) * fresh if shared else fresh
    return noise


def noise_profile(z_mm: Array, shoulder_mm: float) -> Array:
    """Relative noise at heights z: 1 at mid-neck, 2 well below the shoulders."""
    return 1 + 1 / (1 + np.exp((z_mm - shoulder_mm + 12) / 7))


def add_noise(
    rng: np.random.Generator,
    hu: Array,
    affine: Array,
    spacing_mm: tuple[float, float, float],
    scanner: Scanner,
    shoulder_mm: float,
) -> None:
    """Noise and shoulder streaks, in place on (K, J, I) HU of an axial grid."""
    z = affine[2, 3] + np.arange(len(hu)) * spacing_mm[0]
    profile = noise_profile(z, shoulder_mm).astype(np.float32)
    noise = colored_noise(rng, hu.shape, spacing_mm, scanner.noise_peak_per_mm, scanner.slice_width)
    noise *= (scanner.noise_hu * profile)[:, None, None]
    hu += noise
    hu += _shoulder_streaks(rng, hu.shape, spacing_mm, scanner.streak_hu * (profile - 1))


def _shoulder_streaks(rng: np.random.Generator, shape, spacing_mm, sd: Array) -> Array:
    """Horizontal lines where X-rays cross both shoulders: about 1 mm thick, waxing and waning from left to right."""
    slices, rows, columns = shape
    lines = rng.standard_normal((2, slices, rows)).astype(np.float32)
    lines = ndimage.gaussian_filter1d(lines, 0.6 / spacing_mm[1], axis=2)
    lines /= max(float(lines.std()), 1e-6)
    lines *= sd.astype(np.float32)[:, None]
    x = np.linspace(-1.2, 1.2, columns, dtype=np.float32)
    # Two sets of lines that are strong at different places, with their squares summing to the envelope's.
    turn = np.pi / 4 + 0.6 * x
    waves = np.cos(x) * np.stack([np.cos(turn), np.sin(turn)])
    out = lines[0][:, :, None] * waves[0]
    out += lines[1][:, :, None] * waves[1]
    return out


def add_metal_streaks(
    hu: Array, affine: Array, metal: Sequence[tuple[Array, float]], scanner: Scanner, rng: np.random.Generator
) -> None:
    """Dental artifact, in place: rays from each metal tooth and dark bands between pairs, in the slices near them."""
    teeth = [(np.asarray(center, float), float(radius)) for center, radius in metal]
    rays = [_ray_pattern(rng) for _ in teeth]
    if not teeth or scanner.metal_streak_hu <= 0:
        return
    x = (affine[0, 3] + np.arange(hu.shape[2]) * affine[0, 0]).astype(np.float32)[None]
    y = (affine[1, 3] + np.arange(hu.shape[1]) * affine[1, 1]).astype(np.float32)[:, None]
    z = affine[2, 3] + np.arange(hu.shape[0]) * affine[2, 2]
    for k in range(hu.shape[0]):
        near = [_nearness(z[k] - center[2], radius) for center, radius in teeth]
        for (center, radius), pattern, share in zip(teeth, rays, near, strict=True):
            if share > 0.01:
                hu[k] += scanner.metal_streak_hu * share * _rays(x - center[0], y - center[1], radius, pattern)
        strong = [tooth for tooth, share in zip(teeth, near, strict=True) if share > 0.3]
        for n, first in enumerate(strong):
            for second in strong[n + 1 :]:
                hu[k] -= 0.35 * scanner.metal_streak_hu * _band(x, y, first, second)


def _nearness(dz: float, radius_mm: float) -> float:
    return float(np.exp(-((dz / (radius_mm + 0.8)) ** 2)))


def _ray_pattern(rng: np.random.Generator, angles: int = 2048) -> Array:
    """Streaks over the angle round a tooth: few, narrow, bright and dark."""
    turn = np.arange(angles) / angles * 2 * np.pi
    waves = rng.uniform(0, 2 * np.pi, 14)
    orders = rng.integers(3, 40, 14)
    pattern = np.cos(orders[:, None] * turn + waves[:, None]).sum(axis=0) / np.sqrt(7)
    return np.asarray(pattern * np.abs(pattern) / np.abs(pattern).mean() / 2, np.float32)


def _rays(dx: Array, dy: Array, radius_mm: float, pattern: Array) -> Array:
    """Falling with the distance from the tooth, nothing inside of it."""
    away = np.hypot(dx, dy)
    bins = ((np.arctan2(dy, dx) / (2 * np.pi) + 0.5) * len(pattern)).astype(np.int32) % len(pattern)
    fall = radius_mm / np.maximum(away, radius_mm) * np.clip((away - radius_mm) / 2, 0, 1)
    return pattern[bins] * fall * np.clip((METAL_REACH_MM - away) / 40, 0, 1)


def _band(x: Array, y: Array, first: tuple[Array, float], second: tuple[Array, float]) -> Array:
    """0 to 1 on the straight band between two teeth (beam hardening, photon starvation)."""
    (start, r1), (end, r2) = first, second
    ax, ay = float(end[0] - start[0]), float(end[1] - start[1])
    length = max(np.hypot(ax, ay), 1e-3)
    along = ((x - start[0]) * ax + (y - start[1]) * ay) / length
    across = ((x - start[0]) * ay - (y - start[1]) * ax) / length
    width = min(r1, r2)
    ends = np.clip(along - r1, 0, 1) * np.clip(length - r2 - along, 0, 1)
    return np.asarray(np.exp(-((across / width) ** 2)) * ends, np.float32)


def couch_hu(x: Array, y: Array, top_mm: float) -> Array:
    """HU of a curved couch with a dense shell, -1000 where there is none. Broadcast coordinates in LPS mm."""
    sag = float(top_mm) - 0.0006 * x * x
    depth = y - sag
    half_width = 240.0
    inside = (depth > 0) & (depth < 42) & (np.abs(x) < half_width)
    shell = inside & ((depth < 3) | (depth > 39))
    return np.where(shell, np.float32(-120), np.where(inside, np.float32(-930), np.float32(-1000)))
