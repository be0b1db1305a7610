"""Bodies that can be drawn with a pencil, on grids of any spacing and direction."""

from __future__ import annotations

import numpy as np
from ece_core.geometry import Volume, affine_from


def draw(inside, spacing_mm, low_lps, high_lps, direction=None) -> Volume:
    """Bool volume of ``inside(points (..., 3) in LPS) -> bool`` on a grid that covers a box of patient space."""
    direction = np.eye(3) if direction is None else np.asarray(direction)
    corners = np.array(np.meshgrid(*zip(low_lps, high_lps, strict=True), indexing="ij")).reshape(3, -1).T @ direction
    first, last = corners.min(axis=0), corners.max(axis=0)
    counts = np.ceil((last - first) / np.asarray(spacing_mm)[::-1]).astype(int) + 1  # along i, j, k
    grid = Volume(np.zeros(counts[::-1], bool), affine_from(spacing_mm, direction @ first, direction))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    return grid.with_array(inside(grid.to_lps(index)))


def ellipsoid(center, semi_axes, rotation=None):
    """Membership test of a solid ellipsoid; the columns of ``rotation`` are its axes in LPS."""
    rotation = np.eye(3) if rotation is None else np.asarray(rotation)
    return lambda points: (((points - np.asarray(center)) @ rotation / np.asarray(semi_axes)) ** 2).sum(axis=-1) <= 1


def rotation_about(axis, degrees):
    """Right-handed rotation matrix about an axis of patient space."""
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.cross(np.eye(3), -axis)
    angle = np.radians(degrees)
    return np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)


def a_ball(radius_mm, spacing_mm=(1.0, 1.0, 1.0), center=(0.0, 0.0, 0.0), direction=None) -> Volume:
    """A solid ball in a box with some room around it."""
    margin = radius_mm + 2 * max(spacing_mm)
    center = np.asarray(center, float)
    return draw(ellipsoid(center, [radius_mm] * 3), spacing_mm, center - margin, center + margin, direction)
