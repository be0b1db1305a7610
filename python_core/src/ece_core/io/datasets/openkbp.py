"""OpenKBP as arrays: one .npz a patient (HU, organ labels, spacing), and labels.json. No lymph nodes.

The public set is CSV; these arrays are the same voxels, 128 x 128 x 128, inferior to superior, anterior to posterior,
right to left. Babier et al. 2021, doi:10.1002/mp.14845.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np

from ece_core.errors import InputError
from ece_core.geometry import Volume, affine_from
from ece_core.io.datasets.case import Case, Outlines
from ece_core.io.datasets.dataset import Dataset
from ece_core.io.limits import AIR_HU
from ece_core.io.quiet import library_call
from ece_core.io.scan import Scan

ARRAYS = ("hu", "labels", "spacing_zyx_mm")
OPENKBP_FIX = "Choose the folder with pt_*.npz and labels.json."


def load_openkbp(folder: Path | str) -> Dataset:
    """One case per ``pt_*.npz``; structures are organs and planning targets (PTV: margins, never lymph nodes).

    Raises
    ------
    InputError
        There is no ``labels.json`` or no patient.
    """
    folder = Path(folder)
    if not (folder / "labels.json").is_file():
        raise InputError("The folder has no labels.json of OpenKBP.", OPENKBP_FIX)
    with library_call("labels.json of OpenKBP is damaged.", OPENKBP_FIX):
        names = {
            int(value): str(name) for value, name in json.loads((folder / "labels.json").read_text("utf-8")).items()
        }
    cases = [
        Case(path.stem, path.stem, read_scan=partial(_scan, path), read_outlines=partial(_outlines, path, names))
        for path in sorted(folder.glob("pt_*.npz"))
    ]
    return Dataset("OpenKBP", cases, ["Coarse voxels (about 2.5 x 3.9 x 3.9 mm), outside the body -1000."])


def _scan(path: Path) -> Scan:
    hu, spacing = _array(path, "hu"), _array(path, "spacing_zyx_mm")
    if hu.ndim != 3 or spacing.shape != (3,):
        raise InputError("A patient of OpenKBP has arrays of another shape.", OPENKBP_FIX)
    k, j, i = (float(mm) for mm in spacing)
    return Scan(Volume(np.maximum(hu, AIR_HU).astype(np.int16), affine_from((k, j, i))), "npz", modality="CT")


def _outlines(path: Path, names: dict[int, str], ct: Scan) -> Outlines:
    present = set(np.unique(_array(path, "labels")).tolist())
    readers = {name: partial(_mask, path, value, ct) for value, name in names.items() if value in present}
    return Outlines(readers=readers)


def _mask(path: Path, value: int, ct: Scan) -> Volume:
    return ct.volume.with_array(_array(path, "labels") == value)


def _array(path: Path, name: str) -> np.ndarray:
    with library_call("A patient of OpenKBP cannot be read.", OPENKBP_FIX), np.load(path, allow_pickle=False) as arrays:
        return arrays[name]
