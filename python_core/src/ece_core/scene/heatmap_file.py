"""Reads `heatmaps/<method>.nrrd`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ece_core.errors import InputError
from ece_core.geometry import Volume


def read_heatmap(path: Path) -> Volume:
    """A heatmap on its own grid, (K, J, I) float32 in [0, 1].

    Raises
    ------
    InputError
        The file is missing, damaged, or holds something other than values from 0 to 1.
    """
    if not path.is_file():
        raise InputError("A heatmap file is missing from the result.", "Run the analysis again.")
    try:
        image = sitk.ReadImage(str(path), imageIO="NrrdImageIO")
    except RuntimeError:
        raise _damaged() from None  # ITK's message holds the path, which may hold a name
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise _damaged()
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    if not (array.min() >= 0 and array.max() <= 1):  # written so that NaN is refused too
        raise _damaged()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(array, affine)


def _damaged() -> InputError:
    return InputError("A heatmap file is damaged or does not hold values from 0 to 1.", "Run the analysis again.")
