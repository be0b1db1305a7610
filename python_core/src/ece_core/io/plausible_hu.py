"""Whether voxel values look like the Hounsfield units of a patient in air."""

from __future__ import annotations

import numpy as np

from ece_core.geometry import Array

AIR_BELOW_HU = -500  # anything that holds air around the patient or in the airway has voxels below
SOFT_TISSUE_HU = (-200, 300)  # fat to enhanced vessels
MIN_SOFT_TISSUE = 0.01  # of the voxels; a neck in a wide field of view still has 10 %
SAMPLES = 1_000_000


def hu_warnings(array: Array) -> list[str]:
    """Warnings about (K, J, I) values that are probably not HU. A sample of about a million voxels is looked at."""
    sample = array.reshape(-1)[:: max(1, array.size // SAMPLES)]
    if not (array if array.size <= SAMPLES else sample).min() < AIR_BELOW_HU:
        return ["No voxel is below -500: the values are probably not Hounsfield units, or the air was masked out."]
    low, high = SOFT_TISSUE_HU
    part = np.count_nonzero((sample >= low) & (sample <= high)) / sample.size
    if part < MIN_SOFT_TISSUE:
        return [f"Only {100 * part:.1f} % of the voxels are in the range of soft tissue: is this a CT of the neck?"]
    return []
