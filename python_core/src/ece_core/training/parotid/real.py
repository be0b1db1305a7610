"""Single parotids of real planning CT (OpenKBP arrays), cut out around a place near each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.io.datasets.openkbp import load_openkbp
from ece_core.preprocessing.resample import sample_block
from ece_core.preprocessing.window import window
from ece_core.training.parotid.cases import ParotidCase

PAROTIDS = ("RightParotid", "LeftParotid")
PARTS = ("train", "validation", "test")
AIR_HU = -1000.0
_FIX = "Take configs/parotid_split.json."


def read_split(path: Path) -> dict[str, list[str]]:
    """{train, validation, test: names of patients}.

    Raises
    ------
    InputError
        It cannot be read, a part is missing or empty, or a patient is in two parts.
    """
    try:
        split = json.loads(Path(path).read_text(encoding="utf-8"))
        parts = {part: [str(name) for name in split[part]] for part in PARTS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("The split does not name patients for train, validation and test.", _FIX) from error
    if not all(parts.values()):
        raise InputError("A part of the split has no patient.", _FIX)
    everybody = [name for names in parts.values() for name in names]
    if len(set(everybody)) < len(everybody):
        raise InputError("A patient is in the split twice; what was trained on would be tested on.", _FIX)
    return parts


def read_parotids(
    folder: Path, patients: Sequence[str], edge: int, spacing_mm: float, window_hu: Sequence[float], jitter_mm: float,
    seed: int,
) -> list[ParotidCase]:  # fmt: skip
    """Right and left parotid of each patient: a cube of ``edge`` voxels around a place off its center.

    Parameters
    ----------
    jitter_mm
        How far the cube's center may be off the gland's, per axis: else its place would tell where the gland is.
        Drawn by seed, patient and side.

    Raises
    ------
    InputError
        A patient is not in the folder.
    """
    known = {case.case_id: case for case in load_openkbp(folder)}
    missing = [name for name in patients if name not in known]
    if missing:
        raise InputError(f"{len(missing)} patients of the split are not in the folder.", "Choose OpenKBP's arrays.")
    found = []
    for name in patients:
        ct, outlines = known[name].ct.volume, known[name].outlines
        for organ in PAROTIDS:
            if organ in outlines.structures:
                mask, label = outlines.structure(organ), f"{name}_{organ}"
                found.append(_cut(label, name, ct, mask, edge, spacing_mm, window_hu, jitter_mm, seed))
        del known[name]  # with its voxels, which a data set keeps
    return found


def _cut(
    name: str, patient: str, ct: Volume, mask: Volume, edge: int, spacing_mm: float, window_hu: Sequence[float],
    jitter_mm: float, seed: int,
) -> ParotidCase:  # fmt: skip
    center = mask.to_lps(np.argwhere(mask.array).mean(axis=0))
    center = center + _generator(seed, name).uniform(-jitter_mm, jitter_mm, 3)
    shape, spacing = (edge,) * 3, (spacing_mm,) * 3
    image = sample_block(ct, center, shape, spacing, AIR_HU).array
    inside = sample_block(mask.with_array(mask.array.astype(np.float32)), center, shape, spacing, 0.0).array >= 0.5
    return ParotidCase(name, patient, window(image, (window_hu[0], window_hu[1])), inside)


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)])
