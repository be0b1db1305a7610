"""Repeatability: the same lymph node scanned again has other noise; its map should be the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ece_core.explain.faithfulness.correlation import map_correlation

Array = np.ndarray

NOISE_HU = 10.0  # of a usual neck CT in soft tissue, after resampling to the classifier's voxels
NOISE_WIDTH = 0.6  # voxels; noise of CT is not white
SCANS = 3
SEED = 20261122


def scan_noise(shape: tuple[int, ...], seed: int, noise_hu: float = NOISE_HU) -> Array:
    """(K, J, I) HU with the standard deviation ``noise_hu``, a little smooth, the same for the same seed."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), NOISE_WIDTH)
    return np.asarray(noise * (noise_hu / noise.std()))


def repeatability(
    heatmap_of: Callable[[Array], Array], hu: Array, heatmap: Array, seen: Array, scans: int = SCANS
) -> float | None:
    """Mean correlation of the map with those of the same CT with more noise: 1 is good.

    Parameters
    ----------
    heatmap_of
        The method: (K, J, I) of a CT (K, J, I) in HU.
    heatmap
        (K, J, I), that of ``hu``.

    Returns
    -------
    float or None
        None where a map is constant.

    References
    ----------
    Arun et al. 2021, doi:10.1148/ryai.2021200267: repeatability as one of four criteria (there of two trainings).
    """
    maps = (heatmap_of(hu + scan_noise(hu.shape, SEED + scan)) for scan in range(scans))
    found = [map_correlation(heatmap, other, seen) for other in maps]
    kept = [each for each in found if each is not None]
    return float(np.mean(kept)) if len(kept) == len(found) else None
