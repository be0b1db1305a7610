"""Feret (caliper) diameters of a mask, from the convex hull of its contour at one half.

The contour at one half runs through the mid-points between a voxel inside and its neighbour outside, so these
mid-points (the centres of the exposed voxel faces, or pixel edges) are the points that the calipers touch. Voxel
centres would measure one voxel too little, voxel corners up to 0.4 voxels too much on a slanted side.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from ece_core.geometry import Array


def contour_points(mask: Array) -> Array:
    """The outermost mid-points between inside and outside on every grid line.

    Parameters
    ----------
    mask
        bool, of any dimension d.

    Returns
    -------
    Array
        (n, d) float64 indices in the order of the array's axes; empty if no element is set.
    """
    points = []
    for axis in range(mask.ndim):
        lines = np.moveaxis(mask, axis, -1)
        occupied = np.argwhere(lines.any(axis=-1))
        line = lines[tuple(occupied.T)]
        first = line.argmax(axis=-1) - 0.5
        last = line.shape[-1] - 0.5 - line[:, ::-1].argmax(axis=-1)
        for end in (first, last):
            points.append(np.insert(occupied.astype(float), axis, end, axis=1))
    return np.concatenate(points)


def minimum_feret_mm(section: Array, spacing_mm: tuple[float, float]) -> float:
    """Smallest distance between two parallel lines that hold a section between them.

    Parameters
    ----------
    section
        (rows, columns) bool with at least one pixel set.
    spacing_mm
        Along (rows, columns).

    References
    ----------
    Rotating calipers: the smallest width has one line on an edge of the hull (Toussaint 1983).
    """
    points = contour_points(section) * spacing_mm
    hull = points[ConvexHull(points).vertices]
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]]) / np.linalg.norm(edges, axis=1)
    return float(np.ptp(hull @ normals, axis=0).min())


def maximum_feret_mm(mask: Array, spacing_mm: tuple[float, ...]) -> float:
    """Largest distance between two points of the contour.

    Parameters
    ----------
    mask
        bool with at least one element set, two or three dimensions.
    spacing_mm
        Along the array's axes.
    """
    points = contour_points(mask) * spacing_mm
    return float(pdist(points[ConvexHull(points).vertices]).max())
