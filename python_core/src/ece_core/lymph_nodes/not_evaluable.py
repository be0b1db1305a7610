"""Why an ECE probability of a lymph node would mean nothing: its border cannot be seen well enough."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ece_core.geometry import Array, Volume

# Own choices, for lack of published ones (reference/clinical.md, feature 16); measured in docs/calibration.md.
LEAST_SHORT_AXIS_MM = 3.0  # the classifier saw none smaller; half a dozen pixels across
LEAST_SLICES = 2  # with one section there is no border above and below
EDGE_MM = 2.0  # most breaches reach no farther than that beyond the capsule (62 %, Apisarnthanarax 2006)
METAL_HU = 2500.0  # above enamel and cortical bone; fillings and crowns reach the scanner's limit
METAL_MM3 = 2.0  # on the lymph node's slices
STREAK_SD_HU = 45.0  # inside, without the outermost pixels; without metal none of 617 simulated ones had that much

TOO_SMALL = f"too small: short axis below {LEAST_SHORT_AXIS_MM:g} mm, or on one slice only"
CUT_OFF = f"cut off: less than {EDGE_MM:g} mm from the edge of the scan"
METAL_STREAKS = "metal streaks cross it"
TOO_LARGE = "larger than the block that the classifier sees"


def not_evaluable(ct: Volume, instances: Volume, label: int, short_axis_mm: float, box: tuple) -> tuple[str, ...]:
    """Reasons why the probability of ENE (also ECE) of one lymph node is not to be given; empty: it is evaluable.

    Parameters
    ----------
    ct, instances
        (K, J, I) HU and labels on one grid.
    short_axis_mm, box
        Of this lymph node, as :func:`~ece_core.lymph_nodes.measures.measure` gives them (the box half open).

    Notes
    -----
    What makes a contrast neck CT hard to judge was listed for readers, without limits (reference/clinical.md): slice
    thickness, missing contrast, dental streaks, motion. The limits here are ours.
    """
    start, stop = np.array(box[0]), np.array(box[1])
    reasons = []
    if short_axis_mm < LEAST_SHORT_AXIS_MM or _slices(instances, start, stop) < LEAST_SLICES:
        reasons.append(TOO_SMALL)
    if (_to_the_edge_mm(instances, start, stop) < EDGE_MM).any():
        reasons.append(CUT_OFF)
    if _crossed_by_streaks(ct, instances, label, start, stop):
        reasons.append(METAL_STREAKS)
    return tuple(reasons)


def exceeds(block_mm: tuple[float, float, float], instances: Volume, box: tuple) -> bool:
    """Whether a box is larger than a block of so many millimeters along (S, A, L), whatever the scan's orientation."""
    extent = (np.array(box[1]) - np.array(box[0])) * instances.spacing_mm
    axes = [int(np.abs(instances.affine[2 - n, :3]).argmax()) for n in range(3)]  # rows z, y, x of the affine
    along = np.array([extent[2 - axis] for axis in axes])  # columns are i, j, k
    return bool((along > np.array(block_mm)).any())


def _axial_axis(volume: Volume) -> int:
    """Array axis that runs most nearly from foot to head."""
    return 2 - int(np.abs(volume.affine[2, :3]).argmax())


def _slices(volume: Volume, start: Array, stop: Array) -> int:
    axis = _axial_axis(volume)
    return int(stop[axis] - start[axis])


def _to_the_edge_mm(volume: Volume, start: Array, stop: Array) -> Array:
    """(6,): tissue between the box and each face of the scan."""
    spacing = np.array(volume.spacing_mm)
    return np.concatenate([start * spacing, (np.array(volume.shape) - stop) * spacing])


def _crossed_by_streaks(ct: Volume, instances: Volume, label: int, start: Array, stop: Array) -> bool:
    axis = _axial_axis(ct)
    slab = [slice(None)] * 3
    slab[axis] = slice(int(start[axis]), int(stop[axis]))
    if (ct.array[tuple(slab)] >= METAL_HU).sum() * ct.voxel_volume_mm3 < METAL_MM3:
        return False
    inside = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    mask = instances.array[inside] == label
    across = np.ones([1 if n == axis else 3 for n in range(3)])
    core = ndimage.binary_erosion(mask, across)  # the rim is mixed with fat: that is no streak
    values = ct.array[inside][core if core.any() else mask]
    return bool(values.std() >= STREAK_SD_HU)
