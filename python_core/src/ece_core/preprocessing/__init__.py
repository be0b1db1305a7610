"""From HU on the scanner's grid to what a network sees, and back."""

from ece_core.preprocessing.neck_region import neck_region
from ece_core.preprocessing.node_block import tight_block
from ece_core.preprocessing.orientation import Orientation, to_axial
from ece_core.preprocessing.resample import resample, resample_onto, sample_block
from ece_core.preprocessing.window import window

__all__ = [
    "Orientation",
    "neck_region",
    "resample",
    "resample_onto",
    "sample_block",
    "tight_block",
    "to_axial",
    "window",
]
