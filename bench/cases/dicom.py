"""Reading a DICOM series from a folder: ours, which checks every header first, against SimpleITK's bare reader."""

from __future__ import annotations

import tempfile
from pathlib import Path

from registry import Row, case
from timing import in_turns, median, spread

SEED, THREADS = 20261121, 2


@case("dicom_read", threads=THREADS, goal="at most 1.5 times the bare reader's time")
def dicom_read(tiny: bool) -> list[Row]:
    """Folder to int16 HU array and geometry, files in the disk cache."""
    import numpy as np
    from ece_core.geometry import Volume, affine_from
    from ece_core.io import read_ct, write_ct_series

    shape, spacing_mm = ((8, 32, 32) if tiny else (200, 512, 512)), (1.25, 0.49, 0.49)
    hu = np.random.default_rng(SEED).integers(-1000, 2000, shape, dtype=np.int16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_ct_series(Volume(hu, affine_from(spacing_mm)), folder, seed=SEED)
        if not all(np.array_equal(read, hu) for read in (read_ct(folder).volume.array, _bare_reader(folder))):
            raise RuntimeError("the readers do not agree with what was written")
        seconds = in_turns(
            {"ours": lambda: read_ct(folder), "peer": lambda: _bare_reader(folder)}, rounds=2 if tiny else 9
        )
    settings = {
        "shape_kji": shape,
        "transfer_syntax": "uncompressed",
        "seconds": {k: spread(v) for k, v in seconds.items()},
    }
    peer = "SimpleITK ImageSeriesReader"
    return [Row(median(seconds["ours"]), peer=median(seconds["peer"]), peer_name=peer, settings=settings)]


def _bare_reader(folder: Path):
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return SimpleITK.GetArrayFromImage(reader.Execute())
