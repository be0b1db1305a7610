"""A block of fixed size around the middle of the neck, for networks that look at the patient as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.preprocessing.neck_region import COARSE_MM, body_mask, neck_region
from ece_core.preprocessing.resample import resample, sample_block

AIR_HU = -1000.0


def neck_block(
    ct: Volume, shape: Sequence[int], spacing_mm: Sequence[float], offset_mm: Sequence[float] = (0.0, 0.0, 0.0)
) -> Volume:
    """(K, J, I) HU, float32, with the CT's own axes; what lies outside of the CT is air.

    Parameters
    ----------
    ct
        Axial, as :func:`~ece_core.preprocessing.to_axial` gives it.
    shape, spacing_mm
        Of the block, along (k, j, i).
    offset_mm
        How far from the middle of the neck the block's middle lies, along LPS.

    Raises
    ------
    InputError
        There is no body in the scan.
    """
    center = neck_center(ct) + np.array(offset_mm)
    k, j, i = shape
    dk, dj, di = spacing_mm
    return sample_block(ct, center, (int(k), int(j), int(i)), (float(dk), float(dj), float(di)), AIR_HU)


def neck_center(ct: Volume) -> np.ndarray:
    """(3,) LPS: the center of the box that holds the neck, and in plane that of the body in its middle third.

    Shoulders and head rest pull the whole body's center back and to a side; the middle third is neck.
    """
    start, stop = neck_region(ct)
    coarse = resample(ct.crop(start, stop), (COARSE_MM, COARSE_MM, COARSE_MM))
    mask = body_mask(coarse)
    third = max(1, mask.shape[0] // 3)
    middle = np.argwhere(mask[third : max(third + 1, mask.shape[0] - third)])
    if not len(middle):
        raise InputError(
            "There is no body in the middle of this scan.",
            "Check that the scan is a CT of the neck in Hounsfield units.",
        )
    _, j, i = middle.mean(axis=0)
    return np.asarray(coarse.to_lps(np.array([(mask.shape[0] - 1) / 2, j, i])))
