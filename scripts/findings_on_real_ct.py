"""How many lymph nodes the shipped models report on real CT, and how many of them are but a voxel or two.

    python scripts/findings_on_real_ct.py OUT FOLDER/pt_99.npz ...     # patients of OpenKBP

OUT keeps CT and results, to be looked at. There is no truth to compare with.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ece_core.geometry import Volume, affine_from
from ece_core.io import write_image
from ece_core.pipeline import AnalyzeOptions, analyze

FEW_VOXELS = 2


def main(out: Path, files: list[Path]) -> None:
    options = AnalyzeOptions(device="cpu", explain=())
    for file in files:
        with np.load(file, allow_pickle=False) as archive:
            ct = Volume(archive["hu"], affine_from(tuple(float(mm) for mm in archive["spacing_zyx_mm"])))
        folder = out / file.stem
        folder.mkdir(parents=True)
        write_image(ct, folder / "ct.nii.gz")
        result = analyze(folder / "ct.nii.gz", folder / "result", options)
        few = sum(node.volume_mm3 < (FEW_VOXELS + 0.5) * ct.voxel_volume_mm3 for node in result.lymph_nodes)
        voxel = " x ".join(f"{mm:.1f}" for mm in reversed(ct.spacing_mm))
        print(f"{file.stem}: {len(result.lymph_nodes)} lymph nodes, {few} of at most {FEW_VOXELS} voxels of {voxel} mm")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
