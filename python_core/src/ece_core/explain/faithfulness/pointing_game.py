"""Pointing game: does the hottest voxel lie where it should?"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

Array = np.ndarray


def pointing_game(
    heatmap: Array, region: Array, spacing_mm: tuple[float, float, float], tolerance_mm: float = 0.0
) -> float:
    """Share of the hottest voxels (one, unless several are equally hot) that lie in the region or near it.

    Parameters
    ----------
    heatmap
        (K, J, I), >= 0. A map that is zero everywhere points nowhere: 0.
    region
        (K, J, I) bool.
    tolerance_mm
        How far from the region still counts as a hit.

    References
    ----------
    Zhang et al. 2018, Int J Comput Vis 126:1084, arXiv:1608.00507, section 4.2.
    """
    hottest = heatmap.max()
    if hottest <= 0 or not region.any():
        return 0.0
    near = region
    if tolerance_mm > 0:
        near = ndimage.distance_transform_edt(~region, spacing_mm) <= tolerance_mm
    return float(near[heatmap == hottest].mean())
