"""What a lymph node classifier sees: the lymph node and the tissue around its surface, and where that surface is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ece_core.preprocessing.window import window

Array = np.ndarray


def node_block(
    hu: Array,
    mask: Array,
    spacing_mm: tuple[float, float, float],
    windows_hu: Sequence[tuple[float, float]],
    margin_mm: float,
) -> Array:
    """Image in each window, and signed distance to the lymph node's surface.

    Whether the capsule is breached shows in a shell of a few millimeters. Averaged over a whole block the signs drown
    in vessels and muscles that say nothing, so what is farther off than ``margin_mm`` is left out, and the mask comes
    as a distance: with it the first layers can tell the shell from the inside. Strands in fat differ from it by a
    tenth of a window that is wide enough for vessels, so a narrow one for fat stands beside it.

    Parameters
    ----------
    hu
        (K, J, I) HU.
    mask
        (K, J, I), nonzero inside.
    spacing_mm
        Along (k, j, i).
    margin_mm
        Tissue shown around the mask, and the distance at which the second channel saturates.

    Returns
    -------
    Array
        (windows + 1, K, J, I) float32: windowed images in [0, 1], zero beyond the margin; distance / ``margin_mm`` in
        [-1, 1], negative inside.
    """
    inside = mask > 0
    if not inside.any():
        return np.stack([np.zeros(hu.shape, np.float32)] * len(windows_hu) + [np.ones(hu.shape, np.float32)])
    outward = ndimage.distance_transform_edt(~inside, spacing_mm)
    inward = ndimage.distance_transform_edt(inside, spacing_mm)
    distance = np.clip((outward - inward) / margin_mm, -1, 1).astype(np.float32)
    near = (distance < 1).astype(np.float32)
    return np.stack([*(window(hu, each) * near for each in windows_hu), distance])
