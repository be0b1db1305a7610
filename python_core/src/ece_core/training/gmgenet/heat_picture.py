"""What the extractor looked at: Grad-CAM, the volume of interest and the true contours on a slice per patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from ece_core.explain.display import opacity
from ece_core.explain.hottest_region import VolumeOfInterest

Array = np.ndarray
COLUMNS, SCALE, GAP = 4, 2, 4  # tiles in a row, pixels of a voxel, pixels between tiles
GRAY_FROM, GRAY_TO = 0.3, 0.8  # of the volume's 0 to 1: -160 to 240 HU
MOST = 0.7  # how red the hottest voxel is
HEAT, BOX, CONTOUR = np.array([214, 39, 40.0]), (255, 204, 51), (0, 255, 255)
Shown = tuple[Array, VolumeOfInterest, Array]


def heat_picture(patients: Sequence[Shown]) -> Image.Image:
    """A tile per patient: the axial slice on which the contours are largest, heat red, box yellow, contours cyan.

    Parameters
    ----------
    patients
        Volume (K, J, I) in [0, 1], where the network looked, and contours (K, J, I) bool with at least one voxel.
        A box is drawn only if it reaches the slice.
    """
    tiles = [_tile(*patient) for patient in patients]
    height, width = tiles[0].shape[:2]
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return Image.fromarray(sheet)


def _tile(volume: Array, voi: VolumeOfInterest, contours: Array) -> Array:
    """(j, i, 3) uint8, anterior up, the patient's right on the left."""
    k = int(contours.sum(axis=(1, 2)).argmax())
    gray = np.clip((volume[k] - GRAY_FROM) / (GRAY_TO - GRAY_FROM), 0, 1)[..., None] * 255
    heat = voi.heat / max(float(voi.heat.max()), 1e-12)
    red = (opacity(heat[k], MOST) * heat[k])[..., None]
    tile = gray * (1 - red) + HEAT * red
    tile = tile.astype(np.uint8).repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    inside = contours[k].repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    tile[ndimage.binary_dilation(inside) & ~inside] = CONTOUR
    first, last = voi.box[0].start, voi.box[0].stop
    if first <= k < last:
        rows, columns = (slice(a.start * SCALE, a.stop * SCALE) for a in voi.box[1:])
        tile[rows, [columns.start, columns.stop - 1]] = BOX
        tile[[rows.start, rows.stop - 1], columns] = BOX
    return tile
