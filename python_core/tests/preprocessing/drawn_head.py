"""A head, a neck and shoulders of boxes: what the rules for nose and acromion see, and nothing else."""

import numpy as np
from ece_core.geometry import Volume, affine_from

SPACING_MM = (4.0, 4.0, 4.0)
SHAPE = (64, 60, 80)  # 256 mm high, 320 mm wide
SHOULDERS, NECK, HEAD = slice(0, 20), slice(20, 32), slice(32, 64)
NOSE = slice(44, 48)
TISSUE, AIR = 40, -1000


def a_body() -> np.ndarray:
    """Nose at slices 44 to 47, shoulders up to slice 19; bool."""
    body = np.zeros(SHAPE, bool)
    body[SHOULDERS, 20:50, 4:76] = True
    body[NECK, 20:46, 27:53] = True
    body[HEAD, 14:52, 22:58] = True
    body[NOSE, 8:14, 37:43] = True
    return body


def a_head_scan(body=None) -> Volume:
    """The body in HU, with a throat of air and a couch that does not touch it."""
    body = a_body() if body is None else body
    hu = np.where(body, TISSUE, AIR).astype(np.int16)
    hu[NECK, 30:34, 38:42] = AIR
    hu[:, 56:58] = 100
    return Volume(hu, affine_from(SPACING_MM, (-158.0, -100.0, -120.0)))
