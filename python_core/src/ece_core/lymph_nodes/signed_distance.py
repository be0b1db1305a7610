"""Signed distance to a mask's surface: the way a mask is carried to another grid without steps."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ece_core.geometry import Array


def signed_distance_mm(mask: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """Distance to the surface, positive inside, with one voxel of background added on every side.

    Parameters
    ----------
    mask
        (K, J, I) bool.
    spacing_mm
        Along (k, j, i).

    Returns
    -------
    Array
        (K + 2, J + 2, I + 2) float32, millimetres. Zero lies half way between a voxel inside and its neighbour
        outside; no voxel centre is zero.

    References
    ----------
    Shape-based interpolation: Raya and Udupa 1990, doi:10.1109/42.52980
    """
    padded = np.pad(np.asarray(mask, dtype=bool), 1)
    # Both distances run from centre to centre; half the smallest step belongs to the other side of the surface.
    half_step = 0.5 * min(spacing_mm)
    inside = ndimage.distance_transform_edt(padded, sampling=spacing_mm) - half_step
    outside = ndimage.distance_transform_edt(~padded, sampling=spacing_mm) - half_step
    return np.where(padded, inside, -outside).astype(np.float32)


def on_isotropic_grid(
    distance_mm: Array, spacing_mm: tuple[float, float, float], to_spacing_mm: float
) -> tuple[Array, Array]:
    """A signed distance on cubic voxels, by linear interpolation.

    Parameters
    ----------
    distance_mm
        (K + 2, J + 2, I + 2), as :func:`signed_distance_mm` returns it.
    spacing_mm
        Of the (K, J, I) grid it came from.
    to_spacing_mm
        Edge of the new voxels.

    Returns
    -------
    distance_mm, first_and_step
        The new array, and (2, 3): the index on the (K, J, I) grid, before padding, of its first voxel and the
        step of one of its voxels. The new grid is centred on the old one, so that a flipped mask gives a flipped
        result.
    """
    spacing = np.asarray(spacing_mm)
    extent = (np.array(distance_mm.shape) - 1) * spacing
    count = np.floor(extent / to_spacing_mm + 1e-6).astype(int) + 1
    step = to_spacing_mm / spacing
    first = (np.array(distance_mm.shape) - 1 - (count - 1) * step) / 2
    result = ndimage.affine_transform(
        distance_mm, step, offset=first, output_shape=tuple(count), order=1, mode="nearest", output=np.float32
    )
    return result, np.stack([first - 1, step])
