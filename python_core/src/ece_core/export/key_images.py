"""Key images of one lymph node: axial, coronal and sagittal, as radiologists hang them.

Planes are those of the patient, whatever the orientation of the scan: sampled from the CT in LPS millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ece_core.classes import CLASS_COLORS
from ece_core.geometry import Array, Volume
from ece_core.lymph_nodes.lymph_node import LymphNode

PIXELS = 256
WINDOW_HU = (-110.0, 240.0)  # soft tissue: width 350, level 65
GRAY_LEVELS = 64  # 5.5 HU a step at this window: below the noise of a neck CT, and half the file size
SMALLEST_FIELD_MM, LARGEST_FIELD_MM = 60.0, 160.0
FIELD_PER_LENGTH = 2.5  # the lymph node fills 40 % of the image, the rest shows where it lies
TRANSPARENT_BELOW = 0.17  # the project's display rule, papers.md: "colour map transparent below 17 %"
HEAT_OPACITY = 0.6
# Five stops of the "plasma" color map (matplotlib, CC0): even in lightness, readable without color vision.
HEAT_COLORS = ((13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33))


@dataclass(frozen=True)
class Plane:
    """A view: which way of the patient (LPS) its columns and rows run, and the letters at its edges."""

    name: str
    right: tuple[float, float, float]
    down: tuple[float, float, float]
    letters: dict[str, str]


PLANES = (
    Plane("axial", (1, 0, 0), (0, 1, 0), {"left": "R", "right": "L", "top": "A", "bottom": "P"}),
    Plane("coronal", (1, 0, 0), (0, 0, -1), {"left": "R", "right": "L", "top": "H", "bottom": "F"}),
    Plane("sagittal", (0, 1, 0), (0, 0, -1), {"left": "A", "right": "P", "top": "H", "bottom": "F"}),
)


@dataclass(frozen=True)
class KeyImage:
    """One picture of one lymph node.

    Attributes
    ----------
    plane
        Where it was cut, through the lymph node's centre.
    pixels
        (PIXELS, PIXELS, 3) uint8, red, green, blue.
    field_mm
        Side of the square.
    """

    plane: Plane
    pixels: Array
    field_mm: float


@dataclass(frozen=True, eq=False)
class Place:
    """Where one lymph node lies, and what its images show.

    Attributes
    ----------
    center_lps
        The lymph node's voxel nearest to its centroid (of a bent one the centroid may lie outside).
    field_mm
        Side of the images.
    mask
        float32, 1 inside; only the block that the images can touch.
    color
        Of its class.
    """

    center_lps: Array
    field_mm: float
    mask: Volume
    color: tuple[int, int, int]


def places(instances: Volume, lymph_nodes: Sequence[LymphNode]) -> dict[str, Place]:
    """Where the lymph nodes lie in the instance map, by their ids.

    Raises
    ------
    ValueError
        The instance map does not hold one of them.
    """
    voxels = np.flatnonzero(instances.array)  # all at once: one pass over the CT grid instead of one per lymph node
    labels = instances.array.ravel()[voxels]
    index_kji = np.stack(np.unravel_index(voxels, instances.shape), axis=-1)
    return {node.id: _place(instances, node, index_kji[labels == node.label]) for node in lymph_nodes}


def key_images(ct: Volume, place: Place, heatmaps: Sequence[Volume] = ()) -> list[list[KeyImage]]:
    """Rows of images: the CT alone, then with each heatmap over it; in each row one image per plane.

    The CT has a soft-tissue window, the outline the color of the class.

    Parameters
    ----------
    ct
        (K, J, I) HU.
    heatmaps
        (K, J, I) in [0, 1] on grids of their own; transparent below 17 %.
    """
    columns = [_images(plane, ct, place, heatmaps) for plane in PLANES]
    return [list(row) for row in zip(*columns, strict=True)]


def heat_color(heat: Array) -> Array:
    """Values 0 to 1 of any shape to red, green, blue (0 to 255) in a last axis; the scale begins at 17 %."""
    position = (np.clip(heat, TRANSPARENT_BELOW, 1) - TRANSPARENT_BELOW) / (1 - TRANSPARENT_BELOW)
    stops = np.linspace(0, 1, len(HEAT_COLORS))
    return np.stack([np.interp(position, stops, channel) for channel in np.array(HEAT_COLORS, float).T], axis=-1)


def _place(instances: Volume, lymph_node: LymphNode, index_kji: Array) -> Place:
    if len(index_kji) == 0:
        raise ValueError(f"the instance map does not hold {lymph_node.id}")
    points = instances.to_lps(index_kji)
    center = points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    field_mm = _field((np.ptp(index_kji, axis=0) + 1) * instances.spacing_mm)
    near = _near(instances, center, field_mm)
    mask = near.with_array((near.array == lymph_node.label).astype(np.float32))
    return Place(center, field_mm, mask, CLASS_COLORS[lymph_node.class_name])


def _images(plane: Plane, ct: Volume, place: Place, heatmaps: Sequence[Volume]) -> list[KeyImage]:
    points = _points(plane, place.center_lps, place.field_mm)
    gray = _gray(_sample(ct, points, outside=-1024.0))
    pictures = [gray, *(_with_heat(gray, _sample(heatmap, points, outside=0.0)) for heatmap in heatmaps)]
    outline = _outline(_sample(place.mask, points, outside=0.0) >= 0.5)
    for pixels in pictures:
        pixels[outline] = place.color
    return [KeyImage(plane, pixels, place.field_mm) for pixels in pictures]


def _points(plane: Plane, center: Array, field_mm: float) -> Array:
    """(PIXELS, PIXELS, 3) LPS mm of the pixels' centres."""
    offsets = (np.arange(PIXELS) + 0.5) / PIXELS * field_mm - field_mm / 2
    return center + offsets[:, None, None] * np.array(plane.down) + offsets[None, :, None] * np.array(plane.right)


def _sample(volume: Volume, points: Array, outside: float) -> Array:
    """Linear between voxel centres; ``outside`` beyond them."""
    index = np.moveaxis(volume.to_index(points), -1, 0)
    return ndimage.map_coordinates(volume.array, index, output=np.float32, order=1, mode="constant", cval=outside)


def _gray(hu: Array) -> Array:
    low, high = WINDOW_HU
    levels = np.rint(np.clip((hu - low) / (high - low), 0, 1) * (GRAY_LEVELS - 1))
    return np.repeat(np.rint(levels * 255 / (GRAY_LEVELS - 1)).astype(np.uint8)[..., None], 3, axis=-1)


def _with_heat(pixels: Array, heat: Array) -> Array:
    mixed = (1 - HEAT_OPACITY) * pixels + HEAT_OPACITY * heat_color(heat)
    return np.where((heat >= TRANSPARENT_BELOW)[..., None], np.rint(mixed), pixels).astype(np.uint8)


def _outline(inside: Array) -> Array:
    """The two pixels just outside the mask: what lies within stays visible."""
    return ndimage.binary_dilation(inside, iterations=2) & ~inside


def _field(extent_mm: Array) -> float:
    return float(np.clip(FIELD_PER_LENGTH * extent_mm.max(), SMALLEST_FIELD_MM, LARGEST_FIELD_MM))


def _near(volume: Volume, center: Array, field_mm: float) -> Volume:
    """The block that any of the three planes can touch."""
    reach = np.sqrt(2) * field_mm / 2 / np.array(volume.spacing_mm) + 2
    middle = volume.to_index(center)
    start = np.clip(np.floor(middle - reach), 0, None).astype(int)
    stop = np.clip(np.ceil(middle + reach) + 1, None, volume.shape).astype(int)
    return volume.crop(tuple(start), tuple(stop))
