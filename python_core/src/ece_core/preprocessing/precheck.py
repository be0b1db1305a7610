"""Whether a scan is one to analyze, told before the run: modality, HU, spacing, neck, orientation, tilt.

Quick enough for a click: everything is looked at on about 4 mm, or on a sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ece_core.errors import ECEError
from ece_core.geometry import Volume
from ece_core.io.plausible_hu import hu_warnings
from ece_core.preprocessing.landmarks import find_landmarks
from ece_core.preprocessing.neck_region import ABOVE_NECK_MM, BELOW_NECK_MM, COARSE_MM, body_mask, neck_region
from ece_core.preprocessing.orientation import to_axial
from ece_core.preprocessing.resample import resample

COARSEST_MM = 3.0  # usual limit for slices of a neck CT; the analysis warns of the same (pipeline.run)
NECK_MM = ABOVE_NECK_MM + BELOW_NECK_MM
LEAST_MM = 100.0  # shorter, and at least one of the neck levels is missing
TILTED_DEGREES = 10.0  # a head that is turned a little is no finding
THINNER = "Analyze a series with thinner slices if there is one."


@dataclass(frozen=True)
class Remark:
    """What was found. ``stops``: the scan cannot be analyzed as it is."""

    words: str
    fix: str
    stops: bool = False


def precheck(ct: Volume, modality: str | None = None) -> list[Remark]:
    """What a user should know before the analysis; an empty list: nothing.

    Parameters
    ----------
    ct
        (K, J, I) HU, any orientation.
    modality
        As DICOM names it; None: not known.
    """
    if modality not in (None, "", "CT"):
        return [Remark(f"The volume is of modality {modality}, not CT.", "Choose the contrast CT of the neck.", True)]
    remarks = [Remark(words, "Choose the CT as it came from the scanner.") for words in hu_warnings(ct.array)]
    return [*remarks, *_spacing(ct), *_direction(ct), *_neck(ct)]


def _spacing(ct: Volume) -> list[Remark]:
    if max(ct.spacing_mm) <= COARSEST_MM + 0.01:
        return []
    found = " x ".join(f"{mm:.1f}" for mm in reversed(ct.spacing_mm))
    return [Remark(f"The voxels measure {found} mm; beyond {COARSEST_MM:g} mm small lymph nodes are missed or "
                   "invented, and an ECE probability means nothing.", THINNER)]  # fmt: skip


def _direction(ct: Volume) -> list[Remark]:
    """Slices that are not axial are turned, not resampled; those that are oblique are taken as they are."""
    axial, orientation = to_axial(ct)
    remarks = []
    if orientation.order != (0, 1, 2):
        words = "The slices are not axial; the analysis turns them."
        remarks.append(Remark(words, "An axial series of the same scan is usually the original one."))
    degrees = float(np.degrees(np.arccos(np.clip(np.diag(axial.direction).min(), -1, 1))))
    if degrees > TILTED_DEGREES:
        words = f"The scan is tilted against the patient's axes by {degrees:.0f} degrees: sides and levels may be off."
        remarks.append(Remark(words, "Check side and level of each lymph node."))
    return remarks


def _neck(ct: Volume) -> list[Remark]:
    coarse, _ = to_axial(_thinned(ct))
    length = coarse.shape[0] * coarse.spacing_mm[0]
    try:
        neck_region(coarse)
    except ECEError as error:
        return [Remark(error.problem, error.fix, True)]
    fix = "What is not in it is not found. Choose a series from the skull base to the clavicles if there is one."
    if length < LEAST_MM:
        return [Remark(f"The scan is {length:.0f} mm long; a neck takes about {NECK_MM:.0f} mm.", fix)]
    even = resample(coarse, (COARSE_MM, COARSE_MM, COARSE_MM))
    try:
        find_landmarks(body_mask(even), even.spacing_mm)
    except ECEError:
        return [Remark("Nose and shoulders are not both in the scan: part of the neck may be missing.", fix)]
    return []


def _thinned(ct: Volume) -> Volume:
    """Every n-th voxel, so that they measure about 4 mm: a view, no interpolation."""
    steps = [max(1, int(COARSE_MM / mm)) for mm in ct.spacing_mm]
    affine = ct.affine.copy()
    affine[:3, :3] *= steps[::-1]
    return Volume(np.ascontiguousarray(ct.array[:: steps[0], :: steps[1], :: steps[2]]), affine)
