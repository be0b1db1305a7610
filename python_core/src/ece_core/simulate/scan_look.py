"""What a scan looks like, measured in it: resolution, noise, its grain, and how much its tissue enhances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage, special

from ece_core.geometry import Volume

Array = np.ndarray
FWHM = 2.3548  # of a Gaussian, in SDs
FAT_HU, SOFT_HU = (-150.0, -50.0), (0.0, 140.0)
LARGEST_BLOCK = 96  # voxels along each axis that the measurements look at
DEFAULT_NOISE_HU = 7.0  # mid-neck (clinical reference 5.3); only where a scan has no uniform tissue at all
MUSCLE_SLOPE_HU_PER_MM = 5.0
FLAT_SLOPE = 8.0  # HU per mm; a border of fat and muscle has 20 and more
PLAIN_MUSCLE_HU = 55.0  # clinical reference 5.2; where a patch holds no muscle
LAGS = 4  # voxels over which noise is correlated


@dataclass(frozen=True, eq=False)
class ScanLook:
    """Measurements of one scan.

    Attributes
    ----------
    fwhm_mm
        Resolution along (k, j, i), the voxel's own width included.
    noise_hu
        SD of the noise in uniform tissue.
    correlation
        (9, 9, 9) autocorrelation of the noise over lags of -4 to 4 voxels, 1 in the middle.
    muscle_hu
        The commonest attenuation of soft tissue.
    enhancement
        0 plain to 1 venous phase: how far the brightest vessels and glands stand above muscle.
    """

    fwhm_mm: tuple[float, float, float]
    noise_hu: float
    correlation: Array
    muscle_hu: float
    enhancement: float


def look_of(ct: Volume) -> ScanLook:
    """Measure a scan, or a patch of one (HU, 48 voxels along each axis suffice)."""
    block = _middle(ct)
    hu = block.array.astype(np.float32)
    residual, uniform = uniform_residual(hu, block.spacing_mm)
    muscle = muscle_hu(hu, block.spacing_mm)
    return ScanLook(
        resolution_mm(block),
        robust_sd(residual[uniform], DEFAULT_NOISE_HU),
        _correlation(residual, uniform),
        muscle,
        _enhancement(hu, muscle, block.spacing_mm),
    )


def _middle(ct: Volume) -> Volume:
    """At most 96 voxels along each axis around the middle of the body."""
    if max(ct.shape) <= LARGEST_BLOCK:
        return ct
    steps = (max(1, ct.shape[0] // 32), 4, 4)
    body = np.argwhere(ct.array[:: steps[0], ::4, ::4] > -300)
    middle = body.mean(axis=0) * steps if len(body) else np.array(ct.shape) / 2
    size = np.minimum(ct.shape, LARGEST_BLOCK)
    start = np.clip(middle.astype(int) - size // 2, 0, np.array(ct.shape) - size)
    return ct.crop(tuple(start), tuple(start + size))


def uniform_residual(hu: Array, spacing_mm: tuple[float, float, float]) -> tuple[Array, Array]:
    """Deviation from the local mean of the same tissue, and where that means noise: flat inside fat or soft tissue."""
    smooth = ndimage.gaussian_filter(hu, [1.5 / s for s in spacing_mm], truncate=2.5)
    flat = _slope(ndimage.gaussian_filter(smooth, [2.0 / s for s in spacing_mm], truncate=2), spacing_mm) < FLAT_SLOPE
    sigma = [min(6.0 / s, 6.0) for s in spacing_mm]
    residual, uniform = np.zeros_like(hu), np.zeros(hu.shape, bool)
    for low, high in (FAT_HU, SOFT_HU):
        tissue = flat & ndimage.binary_erosion((smooth > low) & (smooth < high), np.ones((3, 3, 3)))
        if not tissue.any():
            continue
        weight = ndimage.gaussian_filter(tissue.astype(np.float32), sigma, truncate=2)
        mean = ndimage.gaussian_filter(np.where(tissue, hu, 0), sigma, truncate=2)
        residual[tissue] = hu[tissue] - mean[tissue] / weight[tissue]
        uniform |= tissue
    return residual, uniform


def _slope(hu: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """HU per mm; an axis of one voxel has none."""
    steps = [np.gradient(hu, s, axis=n) for n, s in enumerate(spacing_mm) if hu.shape[n] > 1]
    return np.asarray(np.sqrt(sum(g * g for g in steps)))


def robust_sd(values: Array, default: float, least: int = 60) -> float:
    """SD from the median absolute deviation: a vessel or septum left in the sample does not count."""
    if values.size < least:
        return default
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _correlation(residual: Array, uniform: Array) -> Array:
    """Autocorrelation over the uniform voxels only: sums over pairs, by FFT, divided by the number of pairs."""
    side = 2 * LAGS + 1
    white = np.zeros((side, side, side))
    white[LAGS, LAGS, LAGS] = 1
    if uniform.sum() < 200:
        return white
    limit = 3 * robust_sd(residual[uniform], DEFAULT_NOISE_HU)
    kept = uniform & (np.abs(residual) < limit)
    shape = [fft.next_fast_len(n + LAGS, real=True) for n in residual.shape]
    power = np.abs(fft.rfftn(np.where(kept, residual, 0), shape)) ** 2
    count = np.abs(fft.rfftn(kept.astype(np.float32), shape)) ** 2
    lags = np.ix_(*[np.arange(-LAGS, LAGS + 1) % n for n in shape])
    pairs = fft.irfftn(count, shape)[lags]
    covariance = fft.irfftn(power, shape)[lags] / np.maximum(pairs, 1)
    covariance[pairs < 100] = 0
    return covariance / max(covariance[LAGS, LAGS, LAGS], 1e-6)


def matched_noise(rng: np.random.Generator, shape: tuple[int, ...], correlation: Array) -> Array:
    """Gaussian noise of SD 1 with this autocorrelation."""
    padded = [fft.next_fast_len(n + 2 * LAGS, real=True) for n in shape]
    # Down to 0.4 at the last lag only: a steeper taper would make the grain finer than it is.
    taper = np.cos(np.linspace(-1.16, 1.16, 2 * LAGS + 1))
    kernel = np.zeros(padded)
    kernel[: 2 * LAGS + 1, : 2 * LAGS + 1, : 2 * LAGS + 1] = np.einsum(
        "abc,a,b,c->abc", correlation, taper, taper, taper
    )
    kernel = np.roll(kernel, (-LAGS, -LAGS, -LAGS), axis=(0, 1, 2))
    power = np.maximum(fft.fftn(kernel).real, 0)
    power /= power.mean()
    white = rng.standard_normal(padded)
    noise = fft.ifftn(fft.fftn(white) * np.sqrt(power)).real
    return noise[tuple(slice(0, n) for n in shape)].astype(np.float32)


def resolution_mm(ct: Volume) -> tuple[float, float, float]:
    """FWHM along (k, j, i) from the steepest edges: air to skin and to bone; the voxel's width where there is none,
    and never less than that.

    Over an edge of Gaussian spread s, the largest step between neighbors a distance h apart is the share
    erf(h / (2 sqrt(2) s)) of the whole step.
    """
    hu = np.clip(ct.array.astype(np.float32), -1000, 1200)
    rows = ct.spacing_mm[1], ct.spacing_mm[2]
    across = _edge_fwhm(hu, 1, rows[0]), _edge_fwhm(hu, 2, rows[1])
    known = [value for value in across if value is not None]
    in_plane = float(np.mean(known)) if known else max(rows)
    along = _edge_fwhm(hu, 0, ct.spacing_mm[0])
    return (along if along is not None else ct.spacing_mm[0]), in_plane, in_plane


def _edge_fwhm(hu: Array, axis: int, step_mm: float, least_edges: int = 40) -> float | None:
    width = int(np.clip(np.ceil(6.0 / step_mm), 3, 9)) // 2 * 2 + 1
    if hu.shape[axis] < width + 2:
        return None
    hu = np.moveaxis(hu, axis, -1)
    steps = np.abs(np.diff(hu, axis=-1))
    top = ndimage.maximum_filter1d(hu, width, axis=-1)[..., :-1]
    bottom = ndimage.minimum_filter1d(hu, width, axis=-1)[..., :-1]
    height = top - bottom
    steepest = (steps > 150 * min(1.0, step_mm)) & (steps >= ndimage.maximum_filter1d(steps, width, axis=-1))
    edges = steepest & (height > 600)
    if edges.sum() < least_edges:
        return None
    share = float(np.clip(np.percentile(steps[edges] / height[edges], 85), 0.02, 0.98))
    spread = step_mm / (2 * np.sqrt(2) * special.erfinv(share))
    return float(np.clip(FWHM * spread, step_mm, 8.0))


def muscle_hu(hu: Array, spacing_mm) -> float:
    """Mode of the soft tissue that is flat over a few mm: borders with fat lie anywhere between the two.

    Planning CT is not always calibrated to the HU of textbooks: muscle is at 5 to 75 HU in OpenKBP.
    """
    smooth = ndimage.gaussian_filter(hu, [2.0 / s for s in spacing_mm], truncate=2)
    values = smooth[(_slope(smooth, spacing_mm) < MUSCLE_SLOPE_HU_PER_MM) & (smooth > -20) & (smooth < 100)]
    if values.size < 100:
        return PLAIN_MUSCLE_HU
    counts, edges = np.histogram(values, bins=np.arange(-20, 101))
    return float(edges[int(np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 4)))] + 0.5)


def _enhancement(hu: Array, muscle: float, spacing_mm) -> float:
    """From the brightest 2 % of soft tissue away from bone: 35 HU above muscle is plain, 105 is venous."""
    smooth = ndimage.gaussian_filter(hu, [1.0 / s for s in spacing_mm], truncate=2)
    near_bone = ndimage.maximum_filter(smooth, [max(3, int(8 / s) * 2 + 1) for s in spacing_mm]) > 280
    soft = smooth[(smooth > muscle - 40) & ~near_bone]
    if soft.size < 200:
        return 1.0
    return float(np.clip((np.percentile(soft, 98) - muscle - 35) / 70, 0, 1))
