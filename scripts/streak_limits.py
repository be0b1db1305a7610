"""How restless lymph nodes are inside, with and without metal on their slices: for STREAK_SD_HU.

    python scripts/streak_limits.py COHORT [--every 4]

True outlines of a cohort of `ece simulate`; standard deviation of the HU without the outermost pixels of each slice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ece_core.io import read_ct, read_labelmap
from ece_core.lymph_nodes.not_evaluable import METAL_HU, METAL_MM3, STREAK_SD_HU
from scipy import ndimage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--every", type=int, default=4, help="patients are taken (default: each fourth)")
    asked = parser.parse_args()
    cases = sorted(asked.cohort.glob("case_*"))[:: asked.every]
    rows = np.array([row for case in cases for row in spreads(case)])
    for words, chosen in (("without metal", rows[:, 0] < METAL_MM3), ("with metal", rows[:, 0] >= METAL_MM3)):
        sd = rows[chosen, 1]
        if len(sd):
            middle, high, most = np.percentile(sd, [50, 99, 100])
            print(f"{words}: {len(sd)} lymph nodes, SD {middle:.1f} HU (median), {high:.1f} (99 %), {most:.1f} (most); "
                  f"{(sd >= STREAK_SD_HU).sum()} of {STREAK_SD_HU:g} HU and more")  # fmt: skip


def spreads(case: Path) -> list[tuple[float, float]]:
    """Metal on its slices (mm3) and SD inside (HU) of each lymph node; the cohort's scans are axial."""
    ct = read_ct(case / "ct.nii.gz").volume
    labels = read_labelmap(case / "instances.nii.gz").array
    rows = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            mask = labels[box] == label
            core = ndimage.binary_erosion(mask, np.ones((1, 3, 3)))
            metal = (ct.array[box[0]] >= METAL_HU).sum() * ct.voxel_volume_mm3
            rows.append((float(metal), float(ct.array[box][core if core.any() else mask].std())))
    return rows


if __name__ == "__main__":
    main()
