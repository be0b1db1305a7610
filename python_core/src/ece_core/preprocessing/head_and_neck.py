"""The scan as GMGENet sees it: head and neck, -400 to 400 HU as 0 to 1, on 150 x 150 x 90 voxels.

References
----------
Wang et al., Med Phys 2024;51:2007 (arXiv 2201.00895), preprocessing.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ece_core.geometry import Volume
from ece_core.preprocessing.landmarks import Landmarks, find_landmarks
from ece_core.preprocessing.neck_region import COARSE_MM, body_mask
from ece_core.preprocessing.orientation import to_axial
from ece_core.preprocessing.resample import resample
from ece_core.preprocessing.window import WINDOW_HU, window

Array = np.ndarray

SHAPE = (90, 150, 150)  # k, j, i; the paper says 150x150x90
ISOTROPIC_MM = (1.0, 1.0, 1.0)
MARGIN_MM = 30.0  # above the nose and below the acromion


def head_and_neck(ct: Volume, shape: tuple[int, int, int] = SHAPE) -> Volume:
    """From 3 cm above the nose to 3 cm below the acromion, scaled and resized.

    Parameters
    ----------
    ct
        (K, J, I) HU, any orientation. Where it ends before these 3 cm do, it is taken to its end.
    shape
        (K, J, I) of the result, whose voxels are as long as that asks for: about 2 mm, and not cubes.

    Returns
    -------
    Volume
        float32 in [0, 1], axial, with its place in the patient.

    Raises
    ------
    InputError
        The scan does not show shoulders, or no nose.
    """
    axial, _ = to_axial(ct)
    coarse = resample(axial, (COARSE_MM, COARSE_MM, COARSE_MM))
    landmarks = find_landmarks(body_mask(coarse), coarse.spacing_mm)
    low, high = slices_of(landmarks, coarse, axial)
    stretch = axial.crop((low, 0, 0), (high, *axial.shape[1:]))
    fine = resample(stretch.with_array(window(stretch.array)), ISOTROPIC_MM)
    wanted = tuple(n * mm / to for n, mm, to in zip(fine.shape, fine.spacing_mm, shape, strict=True))
    return resample(fine, (wanted[0], wanted[1], wanted[2]))


def slices_of(landmarks: Landmarks, coarse: Volume, axial: Volume) -> tuple[int, int]:
    """First slice of ``axial`` and one past the last, of landmarks found on the ``coarse`` grid over the same view."""
    factor = axial.shape[0] / coarse.shape[0]
    margin = MARGIN_MM / axial.spacing_mm[0]
    low = np.floor((landmarks.acromion + 0.5) * factor - margin)
    high = np.ceil((landmarks.nose + 0.5) * factor + margin)
    return int(max(low, 0)), int(min(high, axial.shape[0]))


def inside_head_and_neck(volume: Volume) -> Array:
    """(K, J, I) bool: the body with its airways, without couch and air around it.

    Parameters
    ----------
    volume
        As :func:`head_and_neck` gives it.
    """
    low, high = WINDOW_HU
    body = body_mask(volume.with_array(volume.array * (high - low) + low))
    return np.stack([ndimage.binary_fill_holes(section) for section in body])
