"""Grow a contour into the soft tissue around it, so that a model does not hang on how tightly someone drew."""

from __future__ import annotations

import numpy as np

from ece_core.errors import EmptyMaskError, GeometryError
from ece_core.geometry import Volume

# Fat to enhanced tissue; air, bone and dense contrast stay out. Used with SwinUNETR and masked-autoencoder
# pretraining, AAPM 2026 abstract 1550 (reference/papers.md section 3 has what it says of the method).
SOFT_TISSUE_HU = (-160.0, 240.0)
FULL = np.ones((3, 3, 3), dtype=bool)


def dilate_in_soft_tissue(
    mask: Volume, ct: Volume, distance_mm: float, window_hu: tuple[float, float] = SOFT_TISSUE_HU
) -> Volume:
    """The mask and the soft tissue around it.

    Parameters
    ----------
    mask
        (K, J, I) bool, one lymph node or target.
    ct
        (K, J, I) HU on the same grid.
    distance_mm
        >= 0, measured between voxel centers in patient space: a 3 mm slice gap counts as 3 mm.
    window_hu
        Lowest and highest HU that the mask grows into, both included.

    Returns
    -------
    Volume
        (K, J, I) bool: every voxel of ``mask``, whatever its HU, and the voxels of the window that lie within
        ``distance_mm`` of it and are joined to it by such voxels. So it does not jump across bone or an airway.

    Raises
    ------
    EmptyMaskError
        No voxel is set.
    GeometryError
        The two are not on one grid.
    ValueError
        ``distance_mm`` is negative.
    """
    from scipy import ndimage

    if distance_mm < 0:
        raise ValueError(f"distance_mm must be >= 0, got {distance_mm}")
    if not mask.same_grid(ct):
        raise GeometryError("The mask is not on the grid of the CT.", "Resample the mask to the CT first.")
    box = _box_around(mask, distance_mm)
    inside = mask.array[box].astype(bool)
    hu = ct.array[box]
    near = ndimage.distance_transform_edt(~inside, sampling=mask.spacing_mm) <= distance_mm * (1 + 1e-9)
    allowed = inside | (near & (hu >= window_hu[0]) & (hu <= window_hu[1]))
    pieces, _ = ndimage.label(allowed, FULL)
    grown = np.zeros(mask.shape, bool)
    grown[box] = np.isin(pieces, np.unique(pieces[inside]))
    return mask.with_array(grown)


def _box_around(mask: Volume, margin_mm: float) -> tuple[slice, ...]:
    """The mask's bounding box and a margin, cut off at the edge of the grid."""
    box = []
    for axis, (voxels, spacing) in enumerate(zip(mask.shape, mask.spacing_mm, strict=True)):
        filled = np.flatnonzero(mask.array.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(filled):
            raise EmptyMaskError("The mask is empty: there is no contour to grow.", "Outline the lymph node again.")
        margin = int(np.ceil(margin_mm / spacing))
        box.append(slice(max(0, int(filled[0]) - margin), min(voxels, int(filled[-1]) + 1 + margin)))
    return tuple(box)
