"""Side and cervical level of a lymph node, estimated from landmarks that thresholds find in the CT.

An estimate, to be edited by the reader: the borders of Som 1999 and Gregoire 2014 (doi:10.1016/j.radonc.2013.10.010)
run along the submandibular gland, the sternocleidomastoid and the jugular vein, which no threshold finds. Bone, air and
skin stand in for them: hyoid, mandible, skull base, shoulder girdle, front of the spine, and the plane of symmetry.
Sublevels of II and V need the jugular vein and are not told apart; VII and retropharyngeal lymph nodes are not named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ece_core.geometry import Array, Volume
from ece_core.preprocessing.neck_region import body_mask
from ece_core.preprocessing.orientation import to_axial
from ece_core.preprocessing.resample import resample

COARSE_MM = 3.0
BONE_HU = 200.0
HALF_NECK_MM = 60.0  # symmetry is looked for this far from the middle: arms and shoulders are seldom symmetric

# Where the borders lie. Millimetres from the landmark; tuned on simulated necks and looked at on real ones (OpenKBP).
MIDLINE_MM = 2.5  # closer to the plane of symmetry than this: "midline"
CHIN_MM = 55.0  # bone this far before the spine is the mandible
HYOID_MM = (18.0, 54.0)  # bone before the spine, near the middle, under the chin
HYOID_UNDER_CHIN_MM = 8.0  # where the hyoid is not seen
HYOID_TO_CLAVICLE_MM = 80.0  # where the shoulders are not in the scan
CRICOID_SHARE = 0.47  # lower border of the cricoid, of the way from hyoid to clavicle
SHOULDER_MM = 70.0  # bone this far to the side, below the hyoid, is the shoulder girdle
CLAVICLE_UNDER_SHOULDER_MM = 13.0
ARM_MM = 85.0  # bone this far to the side is scapula or arm, never skull: the chin is above, the breastbone below
SKULL_MM2 = 3800.0  # a slice with this much bone is at or above the skull base
LEVEL_I_MM = 18.0  # before the front of the spine: stands for the back of the submandibular gland
LEVEL_IA_MM = 11.0  # from the middle: stands for the anterior belly of the digastric
LEVEL_I_BELOW_HYOID_MM = 17.0  # the floor of the mouth sags in front of the hyoid
LEVEL_VI_MM = 18.0  # from the middle: stands for the carotid
LEVEL_V_MM = (-18.0, -15.0, -2.0)  # before the spine, at hyoid, cricoid, clavicle: the back of the sternocleidomastoid
LEVEL_V_ASIDE_MM = 52.0  # from the middle, below the hyoid and behind the front of the spine: lateral to that muscle



@dataclass(frozen=True, eq=False)
class NeckFrame:
    """Landmarks of one neck.

    Attributes
    ----------
    grid
        Coarse axial grid: k superior, j posterior, i left. Heights are millimetres along k from its first slice.
    midline_i, spine_j
        (K,) float, per slice: column of the plane of symmetry and row of the front of the spine.
    hyoid_mm, cricoid_mm, clavicle_mm, skull_base_mm
        Heights, ``None`` if the scan does not show what they follow from.
    """

    grid: Volume
    midline_i: Array
    spine_j: Array
    hyoid_mm: float | None
    cricoid_mm: float | None
    clavicle_mm: float | None
    skull_base_mm: float | None

    @classmethod
    def from_ct(cls, ct: Volume) -> NeckFrame:
        """Find the landmarks in a CT of any orientation.

        Parameters
        ----------
        ct
            (K, J, I) HU.
        """
        axial, _ = to_axial(ct)
        coarse = resample(axial, (COARSE_MM, COARSE_MM, COARSE_MM))
        body = body_mask(coarse)
        bone = (coarse.array > BONE_HU) & body
        midline = _midline(coarse, body)
        spine = _front_of_spine(coarse, bone, midline)
        step = coarse.spacing_mm[0]
        before, aside = _before_spine_and_aside(coarse, midline, spine)
        chin = _chin(bone & (before > CHIN_MM) & (aside < 25), _top(bone & (aside > ARM_MM)))
        hyoid = _hyoid(bone & (before > HYOID_MM[0]) & (before < HYOID_MM[1]) & (aside < 13), chin, step)
        if hyoid is None:
            return cls(coarse, midline, spine, None, None, None, None)
        clavicle = _clavicle(bone & (aside > SHOULDER_MM), hyoid, step)
        skull = _skull_base(bone, hyoid, coarse.spacing_mm)
        cricoid = hyoid + CRICOID_SHARE * (clavicle - hyoid)
        return cls(coarse, midline, spine, hyoid, cricoid, clavicle, skull)

    def coordinates(self, point_lps: tuple[float, float, float]) -> tuple[float, float, float]:
        """Millimetres to the patient's left of the midline, before the front of the spine, and height."""
        k, j, i = self.grid.to_index(np.asarray(point_lps))
        slices = np.arange(len(self.midline_i))
        left = (i - np.interp(k, slices, self.midline_i)) * self.grid.spacing_mm[2]
        before = (np.interp(k, slices, self.spine_j) - j) * self.grid.spacing_mm[1]
        return float(left), float(before), float(k * self.grid.spacing_mm[0])


def side_and_level(frame: NeckFrame, centroid_lps: tuple[float, float, float]) -> tuple[str, str | None]:
    """Side and estimated level of a point.

    Returns
    -------
    side
        ``"left"``, ``"right"`` (the patient's) or ``"midline"`` (within 2.5 mm of the plane of symmetry).
    level
        ``"IA"``, ``"IB"``, ``"II"``, ``"III"``, ``"IV"``, ``"V"``, ``"VI"``, or ``None``: outside of all, or the scan
        does not show the mandible or the hyoid.
    """
    left, before, height = frame.coordinates(centroid_lps)
    side = "midline" if abs(left) < MIDLINE_MM else ("left" if left > 0 else "right")
    return side, _level(frame, abs(left), before, height)


def _level(frame: NeckFrame, aside: float, before: float, height: float) -> str | None:
    if frame.hyoid_mm is None or frame.cricoid_mm is None or frame.clavicle_mm is None:
        return None
    if height < frame.clavicle_mm - 15 or (frame.skull_base_mm is not None and height > frame.skull_base_mm + 5):
        return None
    if before > LEVEL_I_MM and height > frame.hyoid_mm - LEVEL_I_BELOW_HYOID_MM:
        return "IA" if aside < LEVEL_IA_MM else "IB"
    if before > 0 and aside < LEVEL_VI_MM and height < frame.hyoid_mm:
        return "VI"
    if before < np.interp(height, [frame.clavicle_mm, frame.cricoid_mm, frame.hyoid_mm], LEVEL_V_MM[::-1]):
        return "V"
    if before < 0 and aside > LEVEL_V_ASIDE_MM and height < frame.hyoid_mm:
        return "V"
    if height > frame.hyoid_mm:
        return "II"
    return "III" if height > frame.cricoid_mm else "IV"


def theil_sen(x: Array, y: Array) -> tuple[float, float]:
    """Slope and offset of the line by the median of the slopes between all pairs (Theil 1950, Sen 1968).

    As scipy.stats.theilslopes, which takes half a second to import.
    """
    step = x[:, None] - x
    slope = float(np.median((y[:, None] - y)[step > 0] / step[step > 0]))
    return slope, float(np.median(y) - slope * np.median(x))


def _midline(coarse: Volume, body: Array) -> Array:
    """Column of the plane of symmetry, per slice, from the best overlap with the slice's own mirror image."""
    # Air 0, fat 100, soft tissue 250, bone at most 500: the skin's outline counts most, then bone.
    values = np.where(body, np.clip(coarse.array, -200, 300) + 200, 0)
    slices = np.flatnonzero(body.sum(axis=(1, 2)) > 30)
    if slices.size < 2:
        return np.full(body.shape[0], (body.shape[2] - 1) / 2)
    # One shoulder may come into a slice before the other: a line through all slices says where to look again, nearby.
    slope, offset = theil_sen(slices, np.array([_mirror_center(values[k]) for k in slices]))
    columns = np.arange(body.shape[2])
    reach = HALF_NECK_MM / coarse.spacing_mm[2]
    centers = [_mirror_center(values[k] * (np.abs(columns - offset - slope * k) <= reach)) for k in slices]
    smooth = ndimage.median_filter(np.array(centers), 11, mode="nearest")
    smooth = ndimage.gaussian_filter1d(smooth, 4, mode="nearest")
    return np.interp(np.arange(body.shape[0]), slices, smooth)


def _mirror_center(section: Array) -> float:
    """Column about which a section overlaps best with its mirror image (peak of its self-convolution along rows)."""
    size = 2 * section.shape[1]
    spectrum = np.fft.rfft(section, size)
    overlap = np.fft.irfft((spectrum**2).sum(axis=0), size)
    return float(overlap.argmax()) / 2


def _front_of_spine(coarse: Volume, bone: Array, midline: Array) -> Array:
    """Row of the vertebral bodies' front, per slice: where the longest run of bone begins at the middle of the neck."""
    rows = np.full(bone.shape[0], np.nan)
    columns = np.arange(bone.shape[2])
    reach = 0.4 / coarse.spacing_mm[1]
    solid = coarse.array > -300
    for k in range(bone.shape[0]):
        middle = np.abs(columns - midline[k]) <= 10 / coarse.spacing_mm[2]
        spine = bone[k][:, middle].sum(axis=1) >= 2
        filled = np.flatnonzero(solid[k][:, middle].any(axis=1))
        if filled.size == 0:
            continue
        # The front of the spine lies 25 to 75 % of the way from the skin in front to the skin behind.
        low, high = filled[0] + 0.25 * np.ptp(filled), filled[0] + 0.8 * np.ptp(filled)
        found = np.flatnonzero(spine & (np.arange(len(spine)) > low) & (np.arange(len(spine)) < high))
        if found.size:
            rows[k] = _start_of_longest_run(found, gap=1 + int(9 * reach))
    seen = np.flatnonzero(np.isfinite(rows))
    if seen.size == 0:
        return np.full(bone.shape[0], (bone.shape[1] - 1) / 2)
    smooth = ndimage.median_filter(rows[seen], 9, mode="nearest")
    smooth = ndimage.gaussian_filter1d(smooth, 2, mode="nearest")
    return np.interp(np.arange(bone.shape[0]), seen, smooth)


def _start_of_longest_run(rows: Array, gap: int) -> float:
    """First row of the longest run of rows, runs being apart by more than ``gap``."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > gap) + 1)
    return float(max(runs, key=len)[0])


def _before_spine_and_aside(coarse: Volume, midline: Array, spine: Array) -> tuple[Array, Array]:
    """Millimetres before the spine (K, J, 1) and away from the midline (K, 1, I)."""
    _, row_mm, column_mm = coarse.spacing_mm
    before = (spine[:, None] - np.arange(coarse.shape[1])) * row_mm
    aside = np.abs(np.arange(coarse.shape[2]) - midline[:, None]) * column_mm
    return before[:, :, None], aside[:, None, :]


def _top(mask: Array) -> int:
    """First slice above the highest one with at least four voxels."""
    slices = np.flatnonzero(mask.sum(axis=(1, 2)) >= 4)
    return int(slices[-1]) + 1 if slices.size else 0


def _chin(candidates: Array, shoulder_top: int) -> int | None:
    """Lowest slice of the mandible: of bone far before the spine in three slices in a row, above the shoulders."""
    slices = np.flatnonzero(candidates.sum(axis=(1, 2)) >= 4)
    slices = slices[slices >= shoulder_top]
    runs = np.split(slices, np.flatnonzero(np.diff(slices) > 1) + 1)
    return next((int(run[0]) for run in runs if len(run) >= 3), None)


def _hyoid(candidates: Array, chin: int | None, step_mm: float) -> float | None:
    """Height of the hyoid's body: the highest bone before the spine that is under the chin; else by the chin alone."""
    if chin is None:
        return None
    top = chin + round(12 / step_mm)
    under = np.flatnonzero(candidates.sum(axis=(1, 2)) >= 2)
    under = under[(under <= top) & (under >= chin - 40 / step_mm)]
    if under.size == 0:
        return chin * step_mm - HYOID_UNDER_CHIN_MM
    run = np.split(under, np.flatnonzero(np.diff(under) > 1) + 1)[-1]
    return float(run[-3:].mean() * step_mm)  # an ossified thyroid cartilage below may touch it


def _clavicle(aside: Array, hyoid_mm: float, step_mm: float) -> float:
    slices = np.flatnonzero(aside.sum(axis=(1, 2)) >= 4) * step_mm
    slices = slices[slices < hyoid_mm - 30]
    if slices.size == 0:
        return hyoid_mm - HYOID_TO_CLAVICLE_MM
    return float(np.clip(slices.max() - CLAVICLE_UNDER_SHOULDER_MM, hyoid_mm - 120, hyoid_mm - 60))


def _skull_base(bone: Array, hyoid_mm: float, spacing_mm: tuple[float, float, float]) -> float | None:
    area = bone.sum(axis=(1, 2)) * spacing_mm[1] * spacing_mm[2]
    heights = np.flatnonzero(area > SKULL_MM2) * spacing_mm[0]
    heights = heights[heights > hyoid_mm + 35]
    return float(heights.min()) if heights.size else None
