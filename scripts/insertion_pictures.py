"""Simulated lymph nodes in real CT, before and after, to look for the border of what was changed.

    python scripts/insertion_pictures.py OUT CT [CT ...] [--seed 7]

CT: patients of OpenKBP (pt_*.npz; lymph nodes go near their target volumes) or any CT that `ece analyze` reads.
OUT gets one picture a scan, not for publication where the scan is not: a row for each lymph node, from left the CT
before, after, after with the outline of the lymph node, and the difference (gray is none, white and black 150 HU).
Prints by how much steps over the border of what was changed exceed those that were there before.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from ece_core.geometry import Volume, affine_from
from ece_core.io import read_ct
from ece_core.simulate.insertion import Insertion, insert, placed
from ece_core.simulate.population import DIFFICULTIES, sample_lymph_node
from PIL import Image
from scipy import ndimage

Array = np.ndarray
CLASSES = ("ENE", "P", "N", "P", "ENE", "N")
LEAST_SHORT_AXIS_MM = {"N": 6.0, "P": 10.0, "ENE": 12.0}  # smaller ones are hardly seen in voxels of 4 mm
TARGET_LABEL, NEAR_TARGET_MM = 8, 30.0  # OpenKBP: 8 to 10 are target volumes, which hold the levels at risk
WINDOW_HU, DIFFERENCE_HU = (-160, 240), 150
HALF_MM, TILE = 45.0, 260


def main() -> int:
    asked = _arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(asked.ct):
        ct, where = load(path)
        rng = np.random.default_rng((asked.seed, number))
        done = insert(ct, placed(ct, [_drawn(rng, name) for name in CLASSES], rng, where=where), rng)
        rows = [_row(ct, done, label) for label in range(1, len(done.lymph_nodes) + 1)]
        picture = asked.out / f"inserted_{number}.png"
        Image.fromarray(np.concatenate(rows)).save(picture, optimize=True)
        after, before = seam_steps_hu(ct, done)
        print(
            f"{picture.name}: {len(rows)} of {len(CLASSES)} lymph nodes had a place; mean step over the border "
            f"{after:.1f} HU, there before {before:.1f} HU; noise {done.look.noise_hu:.1f} HU"
        )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("ct", type=Path, nargs="+", metavar="CT")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def load(path: Path) -> tuple[Volume, Volume | None]:
    """The CT, and where lymph nodes may go if its target volumes say so."""
    if path.suffix != ".npz":
        return read_ct(path).volume, None
    with np.load(path, allow_pickle=False) as archive:
        ct = Volume(archive["hu"].astype(np.int16), affine_from(tuple(map(float, archive["spacing_zyx_mm"]))))
        targets = archive["labels"] >= TARGET_LABEL
    return ct, ct.with_array(ndimage.distance_transform_edt(~targets, ct.spacing_mm) < NEAR_TARGET_MM)


def _drawn(rng: np.random.Generator, name: str):
    while True:
        node = sample_lymph_node(rng, name, DIFFICULTIES["medium"])
        if LEAST_SHORT_AXIS_MM[name] <= node.short_axis_mm <= 25.0:
            return node


def seam_steps_hu(before: Volume, done: Insertion) -> tuple[float, float]:
    """Mean absolute step between neighbors of which exactly one was changed: after, and before."""
    after, was = [], []
    for axis in range(3):
        seam = np.diff(done.changed.array.astype(np.int8), axis=axis) != 0
        after.append(np.abs(np.diff(done.ct.array.astype(float), axis=axis))[seam])
        was.append(np.abs(np.diff(before.array.astype(float), axis=axis))[seam])
    return float(np.concatenate(after).mean()), float(np.concatenate(was).mean())


def _row(before: Volume, done: Insertion, label: int) -> Array:
    """Axial tiles through the middle of a lymph node, side by side."""
    k, j, i = np.rint(before.to_index(done.lymph_nodes[label - 1].center_lps)).astype(int)
    part = (
        k,
        *(
            _span(c, int(HALF_MM / mm), n)
            for c, mm, n in zip((j, i), before.spacing_mm[1:], before.shape[1:], strict=True)
        ),
    )
    old, new = before.array[part].astype(float), done.ct.array[part].astype(float)
    low, high = WINDOW_HU
    outlined = _tile((new - low) / (high - low))
    inside = _tile((done.instances.array[part] == label).astype(float)) > 127
    outlined[inside & ~ndimage.binary_erosion(inside)] = 255
    difference = 0.5 + (new - old) / (2 * DIFFERENCE_HU)
    tiles = [_tile((old - low) / (high - low)), _tile((new - low) / (high - low)), outlined, _tile(difference)]
    return np.pad(np.concatenate([np.pad(tile, 1, constant_values=90) for tile in tiles], axis=1), 1)


def _span(center: int, half: int, size: int) -> slice:
    """Twice ``half`` voxels around the center, moved to lie in the scan."""
    start = int(np.clip(center - half, 0, max(size - 2 * half, 0)))
    return slice(start, start + 2 * half)


def _tile(share: Array) -> Array:
    picture = Image.fromarray((np.clip(share, 0, 1) * 255).astype(np.uint8))
    return np.array(picture.resize((TILE, TILE), Image.Resampling.BICUBIC))


if __name__ == "__main__":
    sys.exit(main())
