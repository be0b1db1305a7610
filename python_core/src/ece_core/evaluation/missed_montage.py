"""The lymph nodes that were not found, the largest first, as axial CT slices with their true outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from ece_core.classes import CLASS_COLORS
from ece_core.errors import GeometryError
from ece_core.evaluation.cohort import EvaluatedCase
from ece_core.geometry import Array, Volume

SHOWN, COLUMNS = 24, 6
PIXELS, CAPTION = 220, 34  # of a tile
FIELD_MM = 60.0
LARGEST_SHARE = 0.7  # a lymph node wider than this share of the field gets a larger one
WINDOW_HU = (-160.0, 240.0)  # soft tissue: width 400, level 40
PREDICTED_COLOR = (255, 255, 255)
UNKNOWN_COLOR = (255, 255, 0)


@dataclass(frozen=True, eq=False)
class Missed:
    """A true lymph node with which no prediction shares a voxel."""

    case: EvaluatedCase
    label: int

    @property
    def row(self) -> dict:
        return self.case.truth[self.label]


def missed_lymph_nodes(cases: Sequence[EvaluatedCase]) -> list[Missed]:
    """All of them, the largest short axis first; of equal ones in the order of cases and labels."""
    missed = [
        Missed(case, int(label))
        for case in cases
        for label, covered in zip(case.overlap.true_labels, case.overlap.covered(), strict=True)
        if covered == 0
    ]
    return sorted(missed, key=lambda one: -one.row["short_axis_mm"])


def missed_montage(missed: Sequence[Missed]) -> Image.Image | None:
    """A tile each, in rows of six; outline of the truth in the color of its class, predictions nearby in white.

    Parameters
    ----------
    missed
        As they shall stand; those without a CT are left out.

    Returns
    -------
    Image or None
        None if there is no CT for any of them.

    Raises
    ------
    GeometryError
        A CT is not on the grid of its label map.
    """
    tiles: dict[int, Image.Image] = {}
    for case in {id(one.case): one.case for one in missed}.values():
        if case.read_ct is None:
            continue
        ct = _on_its_grid(case, case.read_ct())
        tiles |= {n: _tile(one, ct) for n, one in enumerate(missed) if one.case is case}
    if not tiles:
        return None
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * PIXELS, rows * (PIXELS + CAPTION)), "black")
    for place, n in enumerate(sorted(tiles)):
        sheet.paste(tiles[n], (place % columns * PIXELS, place // columns * (PIXELS + CAPTION)))
    return sheet


def _on_its_grid(case: EvaluatedCase, ct: Volume) -> Volume:
    if ct.array.size != case.voxels.voxels or (case.voxels.index_kji >= ct.shape).any():
        raise GeometryError(
            f"{case.name}: the CT ({ct.shape} voxels) is not on the grid of its lymph node map.",
            "Make the cohort again with `ece simulate`.",
        )
    return ct


def _tile(missed: Missed, ct: Volume) -> Image.Image:
    index = missed.case.voxels.index_kji[missed.case.voxels.truth == missed.label]
    slices = np.bincount(index[:, 0])
    section = index[index[:, 0] == slices.argmax()]  # the slice on which it is largest
    extent = (np.ptp(section, axis=0) + 1) * ct.spacing_mm
    points = _points(ct.to_lps(section.mean(axis=0)), max(FIELD_MM, float(extent.max()) / LARGEST_SHARE))
    hu = _sample(ct.array, ct.to_index(points), order=1, outside=-1024.0)
    gray = np.clip((hu - WINDOW_HU[0]) / (WINDOW_HU[1] - WINDOW_HU[0]), 0, 1) * 255
    pixels = np.repeat(np.rint(gray).astype(np.uint8)[..., None], 3, axis=-1)
    pixels[_outline(missed.case, "predicted", None, ct, points, 1)] = PREDICTED_COLOR
    color = CLASS_COLORS.get(missed.row["class"], UNKNOWN_COLOR)
    pixels[_outline(missed.case, "truth", missed.label, ct, points, 2)] = color
    tile = Image.new("RGB", (PIXELS, PIXELS + CAPTION), "black")
    tile.paste(Image.fromarray(pixels), (0, CAPTION))
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(12)
    for line, words in enumerate(_caption(missed)):
        draw.text((6, 2 + 15 * line), words, "white", font)
    return tile


def _caption(missed: Missed) -> tuple[str, str]:
    row = missed.row
    place = " ".join(str(row[key]) for key in ("side", "level") if row.get(key))
    return f"{missed.case.name}, {missed.label}", f"{row['class']} {row['short_axis_mm']:.1f} mm {place}".rstrip()


def _points(center_lps: Array, field_mm: float) -> Array:
    """(PIXELS, PIXELS, 3) LPS mm of an axial plane, the patient's left on the right as radiologists hang it."""
    offsets = (np.arange(PIXELS) + 0.5) / PIXELS * field_mm - field_mm / 2
    return center_lps + offsets[:, None, None] * np.array([0, 1, 0]) + offsets[None, :, None] * np.array([1, 0, 0])


def _outline(case: EvaluatedCase, of: str, label: int | None, ct: Volume, points: Array, width: int) -> Array:
    """(PIXELS, PIXELS) bool: the pixels just outside, of one label or of all."""
    voxels = case.voxels
    labels = getattr(voxels, of)
    chosen = voxels.index_kji[(labels > 0) if label is None else (labels == label)]
    low, high = (edge(ct.to_index(points).reshape(-1, 3), axis=0).astype(int) for edge in (np.min, np.max))
    low, high = low - 2, high + 3
    near = chosen[((chosen >= low) & (chosen < high)).all(axis=1)] - low
    block = np.zeros(high - low, np.float32)
    block[tuple(near.T)] = 1
    inside = _sample(block, ct.to_index(points) - low, order=1, outside=0.0) >= 0.5
    return ndimage.binary_dilation(inside, iterations=width) & ~inside


def _sample(array: Array, index: Array, order: int, outside: float) -> Array:
    return ndimage.map_coordinates(
        array, np.moveaxis(index, -1, 0), output=np.float32, order=order, mode="constant", cval=outside
    )
