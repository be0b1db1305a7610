"""From one mask of all lymph node tissue to one label per lymph node."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from ece_core.geometry import Array, Volume
from ece_core.lymph_nodes.signed_distance import on_isotropic_grid, signed_distance_mm

MINIMUM_VOLUME_MM3 = 30.0  # a sphere of 3.9 mm: below every published cut for a visible cervical lymph node
# Two peaks of the distance transform are two lymph nodes when the neck between them is narrower than this fraction
# of the thinner one. A convex body has no neck at all, however long it is. The grid rounds necks off: on 100 ragged
# ellipsoids of aspect 1 to 2.5 at four spacings, 0.8 cut none; of 100 ragged pairs whose contact is 0.4, 0.5, 0.6
# times as wide as the smaller ball it split 96, 89 and 51 % (0.85 cut a smooth ellipsoid at 2.5 mm slices).
NECK_FRACTION = 0.8
NOISE_MM = 0.25  # added to distances before they are compared, so that single voxels of a small node do not count
WORKING_SPACING_MM = 0.5  # the split is looked for on this grid: fine enough for a 4 mm node
SURFACE_MM = 1e-4  # a working voxel on the surface itself is outside, in whichever direction it was rounded
MAXIMUM_WORKING_VOXELS = 3_000_000  # beyond this (a mask that leaked) the working grid becomes coarser
FULL = np.ones((3, 3, 3), dtype=bool)


def split_instances(mask: Volume, *, minimum_volume_mm3: float = MINIMUM_VOLUME_MM3) -> Volume:
    """One label per lymph node; lymph nodes that touch are split where they are narrowest.

    Pieces that touch by a face, an edge or a corner belong together. Each is then cut by the watershed of its
    Euclidean distance transform in millimetres, from markers that are the transform's h-maxima, with h relative
    to the height of the peak (the dynamics of the logarithm). Holes count as filled while the cut is looked for
    (a necrotic core left out by a network is no neck), but no voxel is added to the mask.

    Parameters
    ----------
    mask
        (K, J, I) bool, all lymph nodes.
    minimum_volume_mm3
        Pieces smaller than this are dropped. A part below it is never cut off a larger lymph node.

    Returns
    -------
    Volume
        (K, J, I) uint16 on the same grid: 0 background, 1..n from superior to inferior, then right to left.

    Raises
    ------
    ValueError
        ``minimum_volume_mm3`` is negative, or there are more than 65535 pieces.

    References
    ----------
    Watershed: Beucher and Meyer 1993 (in Mathematical Morphology in Image Processing, Dougherty ed.); dynamics and
    h-maxima: Grimaud 1992, doi:10.1117/12.60650; Soille, Morphological Image Analysis, chapters 6 and 9.
    """
    if minimum_volume_mm3 < 0:
        raise ValueError(f"minimum_volume_mm3 must be >= 0, got {minimum_volume_mm3}")
    labels = np.zeros(mask.shape, dtype=np.uint16)
    box = _bounding_box(mask.array)
    if box is None:
        return mask.with_array(labels)
    minimum_voxels = max(1.0, minimum_volume_mm3 / mask.voxel_volume_mm3)
    pieces: list[tuple[tuple[slice, ...], Array]] = []
    components, _ = ndimage.label(mask.array[box] != 0, structure=FULL)
    for number, inner in enumerate(ndimage.find_objects(components), start=1):
        component = components[inner] == number
        if np.count_nonzero(component) < minimum_voxels:
            continue
        where = tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(box, inner, strict=True))
        parts = _split_component(component, mask.spacing_mm, minimum_voxels)
        pieces += [(where, parts == part) for part in range(1, int(parts.max()) + 1)]
    if len(pieces) > np.iinfo(np.uint16).max:
        raise ValueError(f"{len(pieces)} pieces do not fit into 16 bits; raise minimum_volume_mm3")
    for label, (where, piece) in enumerate(sorted(pieces, key=lambda item: _reading_order(mask, *item)), start=1):
        labels[where][piece] = label
    return mask.with_array(labels)


def _bounding_box(mask: Array) -> tuple[slice, ...] | None:
    box = []
    for axis in range(3):
        set_along = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if set_along.size == 0:
            return None
        box.append(slice(int(set_along[0]), int(set_along[-1]) + 1))
    return tuple(box)


def _reading_order(mask: Volume, where: tuple[slice, ...], piece: Array) -> tuple[float, float, float]:
    """Superior first, then the patient's right (the left of the screen), then anterior."""
    index = np.argwhere(piece).mean(axis=0) + [part.start for part in where]
    x, y, z = np.round(mask.to_lps(index), 6)
    return -z, x, y


def _split_component(component: Array, spacing_mm: tuple[float, float, float], minimum_voxels: float) -> Array:
    """(K, J, I) int32 labels 1..n of one connected component, cropped to its box."""
    whole = component.astype(np.int32)
    filled = ndimage.binary_fill_holes(component)
    working_mm = _working_spacing(component.shape, spacing_mm)
    fine, first_and_step = on_isotropic_grid(signed_distance_mm(filled, spacing_mm), spacing_mm, working_mm)
    inside = fine > SURFACE_MM
    to_outside = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1]
    depth_mm = np.maximum(to_outside - 0.5, 0) * working_mm  # to the surface, not to the next voxel's centre
    markers, number = ndimage.label(_h_maxima(depth_mm), structure=FULL)
    while number > 1:
        parts = watershed(-depth_mm, markers, mask=inside)
        labels = _to_voxels(parts, component, *first_and_step)
        volumes = np.bincount(labels.ravel(), minlength=number + 1)[1:]
        if volumes.min() >= minimum_voxels:
            return labels
        # The smallest part goes back to its neighbour: without its marker the watershed gives it away.
        markers[markers == volumes.argmin() + 1] = 0
        markers, number = ndimage.label(markers > 0, structure=FULL)
    return whole


def _working_spacing(shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> float:
    volume_mm3 = float(np.prod(np.array(shape) + 2) * np.prod(spacing_mm))
    return max(WORKING_SPACING_MM, (volume_mm3 / MAXIMUM_WORKING_VOXELS) ** (1 / 3))


def _h_maxima(depth_mm: Array) -> Array:
    """Peaks that stand out of their surroundings by more than the neck fraction, as a mask."""
    height = np.log(depth_mm + NOISE_MM)
    flattened = reconstruction(height + np.log(NECK_FRACTION), height, method="dilation", footprint=FULL)
    return local_maxima(flattened, connectivity=3) & (depth_mm > 0)


def _to_voxels(parts: Array, component: Array, first: Array, step: Array) -> Array:
    """Labels of the working grid at the voxels of the component; unlabelled voxels take the nearest label."""
    nearest = ndimage.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
    everywhere = parts[tuple(nearest)]
    index = np.argwhere(component)
    at = np.rint((index - first) / step).astype(int)
    at = np.clip(at, 0, np.array(parts.shape) - 1)
    labels = np.zeros(component.shape, dtype=np.int32)
    labels[tuple(index.T)] = everywhere[tuple(at.T)]
    return labels
