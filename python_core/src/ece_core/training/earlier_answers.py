"""What a trained low-resolution network says of prepared cases, kept for the training of the full resolution."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ece_core.models.bundle import load_bundle
from ece_core.models.cascade import earlier_labels
from ece_core.preprocessing import to_axial
from ece_core.training.prepared_cases import Prepared
from ece_core.training.training_case import EARLIER, IMAGE


def answer_for_next_stage(bundle: Path, cases: Sequence[Prepared], name: str, device: str, report=None) -> None:
    """Write the labels of each case on the full resolution's grid, once.

    Parameters
    ----------
    name
        Under which the next training finds them: "folds" or "all".
    """
    missing = [each for each in cases if not (each.folder / EARLIER.format(name)).exists()]
    low = load_bundle(bundle, device) if missing else None
    for done, each in enumerate(missing, start=1):
        assert low is not None
        shape = np.load(each.folder / IMAGE, mmap_mode="r").shape
        axial, _ = to_axial(each.case.ct.volume)
        labels = earlier_labels(low, axial, (shape[0], shape[1], shape[2]), device)
        part = each.folder / f".earlier.{os.getpid()}.npy"
        np.save(part, labels)
        part.replace(each.folder / EARLIER.format(name))
        if report is not None:
            report("predict", done / len(missing))
