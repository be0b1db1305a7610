"""Nose and acromion on the outline of the body: where a scan's head and neck begins and ends.

Both are read off the thresholded scan, as GMGENet does (Wang et al., Med Phys 2024;51:2007). The paper does not say
how; these rules are ours. Heights are of slices; a scan is expected to be axial, k to superior, j to posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ece_core.errors import InputError

Array = np.ndarray

BESIDE_NOSE_MM = 25.0  # there the face has receded from the tip of a nose by all of its height
MIDDLE_MM = 10.0  # half the width in which the tip is looked for: heads are turned
LEAST_NOSE_MM = 10.0  # the round front of a neck or a chin recedes by 6 to 8 mm in 25, a nose by 20 [own choice]
# Of the greatest width, arms and all. In fields of 26 to 44 cm the slice found is that of the bone within 2 cm in
# simulated patients (a test has the figures) [own choice].
SHOULDER_SHARE = 0.75
LEAST_SHOULDERS = 1.35  # widths of the neck: narrower than that, shoulders are not in the scan
SMOOTH_MM = 12.0
HEAD_MM = 170.0  # from the narrowest neck to above a nose


@dataclass(frozen=True)
class Landmarks:
    """Slices (k, from inferior) of the tip of the nose, and of the acromion, the top of the shoulder."""

    nose: int
    acromion: int


def find_landmarks(body: Array, spacing_mm: tuple[float, float, float]) -> Landmarks:
    """Where nose and acromion are.

    Parameters
    ----------
    body
        (K, J, I) bool: the patient without couch, on axial slices, k to superior, j to posterior.
    spacing_mm
        Along (k, j, i).

    Raises
    ------
    InputError
        The scan does not show shoulders, or no nose.
    """
    width = _widths(body, spacing_mm)
    neck, acromion = _neck_and_acromion(width, spacing_mm[0])
    return Landmarks(_nose(body, spacing_mm, neck), acromion)


def _widths(body: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """(K,) mm from the first to the last filled column, smoothed along k."""
    columns: Array = np.asarray(body.any(axis=1))
    first, last = columns.argmax(axis=1), columns.shape[1] - columns[:, ::-1].argmax(axis=1)
    width = np.where(columns.any(axis=1), last - first, 0) * spacing_mm[2]
    return np.asarray(ndimage.uniform_filter1d(width.astype(float), _slices(SMOOTH_MM, spacing_mm[0]), mode="nearest"))


def _neck_and_acromion(width: Array, slice_mm: float) -> tuple[int, int]:
    """The narrowest slice above the shoulders, and the highest slice below it that is as wide as they are."""
    filled = np.flatnonzero(width > 0)
    if len(filled) < 3:
        raise _absent("shoulders")
    shoulders = int(width.argmax())
    above = width[shoulders : min(filled[-1] + 1, shoulders + _slices(HEAD_MM, slice_mm))]
    neck = shoulders + _first_deep_minimum(above)
    if width[shoulders] < LEAST_SHOULDERS * width[neck]:
        raise _absent("shoulders")
    wide = np.flatnonzero(width[: neck + 1] >= SHOULDER_SHARE * width[shoulders])
    return neck, int(wide[-1])


def _first_deep_minimum(width: Array) -> int:
    """The narrowest slice before it widens to a head again: a vertex can be narrower than a neck."""
    lowest = 0
    for n, value in enumerate(width):
        if value < width[lowest]:
            lowest = n
        elif value > 1.12 * width[lowest] and width[lowest] < 0.75 * width[0]:
            break
    return lowest


def _nose(body: Array, spacing_mm: tuple[float, float, float], neck: int) -> int:
    """The slice above the neck whose middle stands out most from the face beside it."""
    top = min(body.shape[0], neck + _slices(HEAD_MM, spacing_mm[0]))
    if top - neck < 3:
        raise _absent("a nose")
    prominence = np.array([_prominence(body[k], spacing_mm) for k in range(neck, top)])
    best = int(prominence.argmax())
    if prominence[best] < LEAST_NOSE_MM or best == len(prominence) - 1:
        raise _absent("a nose")
    return neck + best


def _prominence(section: Array, spacing_mm: tuple[float, float, float]) -> float:
    """mm by which the front of the middle lies before that of both sides; 0 for an empty slice."""
    filled = section.any(axis=0)
    columns = np.flatnonzero(filled)
    if len(columns) == 0:
        return 0.0
    front = np.where(filled, section.argmax(axis=0), section.shape[0]).astype(float)
    middle = (columns[0] + columns[-1]) / 2
    beside, near = (round(mm / spacing_mm[2]) for mm in (BESIDE_NOSE_MM, MIDDLE_MM))
    place = np.arange(round(middle) - near, round(middle) + near + 1)
    place = place[(place - beside >= 0) & (place + beside < len(front))]
    if len(place) == 0:
        return 0.0
    sides = np.minimum(front[place - beside], front[place + beside])
    return float((np.minimum(sides, front[place] + 60 / spacing_mm[1]) - front[place]).max() * spacing_mm[1])


def _slices(mm: float, slice_mm: float) -> int:
    return max(1, round(mm / slice_mm))


def _absent(what: str) -> InputError:
    return InputError(
        f"The scan does not show {what}, so the head and neck cannot be cut out as GMGENet does.",
        "Choose a scan from the nose to the shoulders, or leave GMGENet out.",
    )
