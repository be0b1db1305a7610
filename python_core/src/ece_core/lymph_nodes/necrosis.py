"""How much of a lymph node looks necrotic on contrast CT."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ece_core.geometry import Array

# clinical criterion 7 ("central low attenuation with irregular enhancing rim"): 10 to 40 HU, at least 30 HU below
# the rim, at least 3 mm, not fat. Source of the 40 and 30 HU: this project's proposal (reference/clinical.md).
MAXIMUM_CORE_HU = 40.0
MINIMUM_BELOW_RIM_HU = 30.0
FAT_BELOW_HU = -20.0
MINIMUM_CORE_DIAMETER_MM = 3.0
# Within this depth a voxel holds part of the tissue outside: any HU between fat and rim says nothing there.
PARTIAL_VOLUME_MM = 1.0
FAT_EDGE_MM = 1.5  # the same around a fatty hilum, where the smoothing below adds to the scanner's blur
RIM_DEPTH_MM = 3.0
NOISE_FILTER_MM = 0.7  # standard deviation of the filter, inside the node only
FULL = np.ones((3, 3, 3), dtype=bool)


def necrosis_fraction(hu: Array, mask: Array, spacing_mm: tuple[float, float, float]) -> float:
    """Share of a lymph node's voxels in a connected core of low attenuation.

    Parameters
    ----------
    hu
        (K, J, I), a box around the lymph node.
    mask
        (K, J, I) bool, the lymph node.
    spacing_mm
        Along (k, j, i).

    Returns
    -------
    float
        0 to 1. Seeds are voxels deeper than 1 mm, not on the mask's outermost layer, that after smoothing inside the
        mask are 40 HU or less and at least 30 HU below the rim (the upper quartile of the outer 3 mm), and neither fat
        (< -20 HU) nor within 1.5 mm of it (the edge of a fatty hilum). The core is what hangs together with a seed and
        lies below the half height between seeds and rim; a piece counts if a ball of 3 mm fits into it. With voxels
        above 1 mm the outermost layer is a large part of the node, and the fraction is too low rather than too high.

    References
    ----------
    Yousem et al.; thresholds: reference/clinical.md, feature 7 (a proposal of this project, not a published cut).
    """
    smooth = _smoothed_inside(hu, mask, spacing_mm)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    fat = mask & (smooth < FAT_BELOW_HU)
    rim = mask & (depth <= RIM_DEPTH_MM) & ~fat
    if not rim.any():
        return 0.0
    rim_hu = float(np.percentile(smooth[rim], 75))
    limit = min(MAXIMUM_CORE_HU, rim_hu - MINIMUM_BELOW_RIM_HU)
    # A voxel larger than 1 mm holds part of the outside however deep its centre is.
    possible = ndimage.binary_erosion(mask) & (depth > PARTIAL_VOLUME_MM) & ~fat
    if fat.any():
        possible &= ndimage.distance_transform_edt(~fat, sampling=spacing_mm) > FAT_EDGE_MM
    seeds = possible & (smooth <= limit)
    if not seeds.any():
        return 0.0
    half_height = (float(np.median(smooth[seeds])) + rim_hu) / 2
    core = ndimage.binary_propagation(seeds, structure=FULL, mask=possible & (smooth <= max(limit, half_height)))
    return float(np.count_nonzero(_thick_pieces(core, spacing_mm)) / np.count_nonzero(mask))


def _thick_pieces(core: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """The connected pieces into which a ball of 3 mm fits."""
    pieces, number = ndimage.label(core, structure=FULL)
    depth = ndimage.distance_transform_edt(np.pad(core, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    deepest = ndimage.maximum(depth, pieces, np.arange(1, number + 1))
    # Depth runs to the centre of the next voxel outside: half a voxel too far on both sides.
    thick = 2 * deepest - min(spacing_mm) >= MINIMUM_CORE_DIAMETER_MM
    return np.append(False, thick)[pieces]


def _smoothed_inside(hu: Array, mask: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """Gaussian mean over the mask's voxels only, so that fat outside does not darken the rim."""
    sigma = [NOISE_FILTER_MM / step for step in spacing_mm]
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="constant")
    total = ndimage.gaussian_filter(np.where(mask, hu, 0).astype(np.float32), sigma, mode="constant")
    return np.where(mask, total / np.maximum(weight, 1e-6), 0)
