"""Where the neck is: robust to couch, head rest, and scans that reach from vertex to chest."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.preprocessing.orientation import to_axial
from ece_core.preprocessing.resample import resample

COARSE_MM = 4.0
BODY_HU = -250.0
ABOVE_NECK_MM = 125.0  # narrowest slice (near the larynx) to above the skull base and the parotids
BELOW_NECK_MM = 110.0  # to below the clavicles
MARGIN_MM = 12.0
LEAST_BODY_ML = 100.0


def body_mask(coarse: Volume) -> np.ndarray:
    """(K, J, I) bool: the patient without couch, head rest and cables, on a grid of about 4 mm.

    Opening cuts the thin bridges to the couch; of what is left, components of at least a tenth of the largest stay
    (a neck can come apart from a head where a scan is masked).
    """
    solid = ndimage.binary_opening(coarse.array > BODY_HU, iterations=1)
    labels, count = ndimage.label(solid)
    if count == 0:
        return solid
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    keep = sizes >= 0.1 * sizes.max()
    return ndimage.binary_dilation(keep[labels], iterations=1) & (coarse.array > BODY_HU)


def neck_region(volume: Volume) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The box (start, stop) in (k, j, i) of the volume's grid that holds the neck.

    The neck is the narrowest stretch of the body between head and shoulders; a scan too short to show one is taken
    whole. Works on any orientation.

    Raises
    ------
    InputError
        There is less than 0.1 liter of body in the scan.
    """
    axial, orientation = to_axial(volume)
    coarse = resample(axial, (COARSE_MM, COARSE_MM, COARSE_MM))
    mask = body_mask(coarse)
    if mask.sum() * coarse.voxel_volume_mm3 / 1000 < LEAST_BODY_ML:
        raise InputError(
            "There is no body in this scan (less than 0.1 liter of tissue).",
            "Check that the scan is a CT of the neck in Hounsfield units.",
        )
    k0, k1 = _axial_range(mask, coarse.spacing_mm[0])
    rows = np.flatnonzero(mask[k0:k1].any(axis=(0, 2)))
    columns = np.flatnonzero(mask[k0:k1].any(axis=(0, 1)))
    low = np.array([k0, rows[0], columns[0]], float)
    high = np.array([k1, rows[-1] + 1, columns[-1] + 1], float)
    factor = np.array(axial.shape) / np.array(coarse.shape)
    margin = MARGIN_MM / np.array(axial.spacing_mm)
    start = np.clip(np.floor(low * factor - margin), 0, axial.shape).astype(int)
    stop = np.clip(np.ceil(high * factor + margin), 0, axial.shape).astype(int)
    return _undo_box(start, stop, axial.shape, orientation)


def _axial_range(mask: np.ndarray, spacing_mm: float) -> tuple[int, int]:
    """Slices [k0, k1) of the neck: around the narrowest slice that has a wider one above and below."""
    filled = np.flatnonzero(mask.any(axis=(1, 2)))
    k0, k1 = int(filled[0]), int(filled[-1]) + 1
    width = np.array([_width(mask[k]) for k in range(k0, k1)], float)
    smooth = ndimage.uniform_filter1d(width, max(1, round(16 / spacing_mm)), mode="nearest")
    shoulders = int(smooth.argmax())
    upward = smooth[shoulders:]
    if len(upward) < 10 or upward.min() > 0.75 * smooth.max():
        return k0, k1
    # A vertex is narrow too: the neck is the first deep minimum above the shoulders.
    head = int(upward[3:].argmin()) + 3
    deep = np.flatnonzero(upward < 0.55 * upward[0] + 0.45 * np.median(upward))
    neck = shoulders + _first_minimum(upward, int(deep[0]) if len(deep) else head)
    center, below, above = k0 + neck, round(BELOW_NECK_MM / spacing_mm), round(ABOVE_NECK_MM / spacing_mm)
    return max(k0, center - below), min(k1, center + above)


def _first_minimum(values: np.ndarray, start: int) -> int:
    for n in range(start, len(values) - 1):
        if values[n + 1] > values[n]:
            return n
    return len(values) - 1


def _width(section: np.ndarray) -> int:
    """Voxels from the first to the last column with at least three filled voxels."""
    columns = np.flatnonzero(section.sum(axis=0) >= 3)
    return int(columns[-1] - columns[0] + 1) if len(columns) else 0


def _undo_box(start, stop, axial_shape, orientation):
    low, high = np.zeros(3, int), np.zeros(3, int)
    for new_axis, old_axis in enumerate(orientation.order):
        a, b = int(start[new_axis]), int(stop[new_axis])
        if orientation.flipped[new_axis]:
            a, b = axial_shape[new_axis] - b, axial_shape[new_axis] - a
        low[old_axis], high[old_axis] = a, b
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))
