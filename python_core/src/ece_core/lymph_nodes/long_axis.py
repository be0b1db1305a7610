"""Long axis of a lymph node: its largest Feret diameter in 3D, from the zero surface of its signed distance.

The centres of exposed voxel faces, on which the calipers of ``feret`` close, stand half a slice above the outermost
voxels wherever the body is tilted: with 3 mm slices that made ellipsoids 1.2 mm too long, with 1.25 mm slices 0.6 mm
(docs/measures.md). The zero surface of the signed distance tapers between slices as the outline in the slices does.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from ece_core.geometry import Array, Volume
from ece_core.lymph_nodes.signed_distance import signed_distance_mm


def long_axis_mm(mask: Volume) -> float:
    """Largest distance between two points of the surface.

    Parameters
    ----------
    mask
        (K, J, I) bool with at least one voxel set, best cropped to one lymph node.

    References
    ----------
    Shape-based interpolation: Raya and Udupa 1990, doi:10.1109/42.52980
    """
    points = surface_points_mm(mask.array, mask.spacing_mm)
    return float(pdist(points[ConvexHull(points).vertices]).max())


def surface_points_mm(mask: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """(n, 3) where the signed distance crosses zero on the lines between neighbouring voxels, linearly interpolated.

    With cubic voxels these are the mid-points between a voxel inside and its neighbour outside.
    """
    distance = signed_distance_mm(mask, spacing_mm).astype(np.float64)
    points = []
    for axis in range(3):
        lines = np.moveaxis(distance, axis, -1)
        here, next_ = lines[..., :-1], lines[..., 1:]
        crossed = np.nonzero((here > 0) != (next_ > 0))
        share = here[crossed] / (here[crossed] - next_[crossed])
        index = np.stack(crossed, axis=-1).astype(np.float64)
        index[:, -1] += share
        points.append(np.insert(index[:, :-1], axis, index[:, -1], axis=1))
    return np.concatenate(points) * spacing_mm
