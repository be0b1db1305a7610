"""nnU-Net data sets: imagesTr, labelsTr, imagesTs, labelsTs and dataset.json, of version 2 and of version 1.

Format: github.com/MIC-DKFZ/nnUNet, documentation/dataset_format.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ece_core.errors import InputError
from ece_core.io.datasets.case import Case, Split
from ece_core.io.datasets.dataset import Dataset
from ece_core.io.datasets.labelmaps import LabelName, labelmap_outlines
from ece_core.io.image_files import READERS
from ece_core.io.quiet import library_call
from ece_core.io.reading import read_ct

FOLDERS: tuple[tuple[str, str, Split], ...] = (("imagesTr", "labelsTr", "train"), ("imagesTs", "labelsTs", "test"))
NNUNET_FIX = "See nnU-Net's documentation/dataset_format.md."
IGNORE = "ignore"  # nnU-Net's name for voxels that nobody looked at


def load_nnunet(folder: Path | str) -> Dataset:
    """One case per image of the channel named CT; training images are "train", test images "test".

    Labels named like lymph nodes (GTVn, lymph_nodes ...) or by a class (N, P, ENE) become lymph nodes, one per
    component; all others are structures.

    Raises
    ------
    InputError
        ``dataset.json`` is missing, not nnU-Net's, or names no channel CT; or there are no images.
    """
    folder = Path(folder)
    about = _dataset_json(folder)
    ending, channel, names = _ending(about), _ct_channel(about), _labels(about)
    cases, notes = [], []
    for images, labels, split in FOLDERS:
        found = _cases(folder / images, folder / labels, ending, channel, names, split)
        cases += found
        notes += _about_labels(folder / labels, found, ending, labels)
    if any(name.name.casefold() == IGNORE for name in names):
        notes.append("Voxels labelled ignore were looked at by nobody: no lymph node there does not mean none.")
    return Dataset("nnU-Net data set", cases, notes)


def _cases(
    images: Path, labels: Path, ending: str, channel: int, names: tuple[LabelName, ...], split: Split
) -> list[Case]:
    tail = f"_{channel:04d}{ending}"
    cases = []
    for image in sorted(images.glob(f"*{tail}")):
        case_id = image.name.removesuffix(tail)
        label = labels / f"{case_id}{ending}"
        cases.append(
            Case(
                case_id,
                case_id,
                split,
                read_scan=partial(read_ct, image),
                read_outlines=partial(labelmap_outlines, label, names) if label.is_file() else None,
            )
        )
    return cases


def _about_labels(folder: Path, cases: list[Case], ending: str, name: str) -> list[str]:
    """Labels without image; images without label."""
    if not folder.is_dir():
        return []
    without = sum(not case.has_outlines for case in cases)
    lost = {path.name.removesuffix(ending) for path in folder.glob(f"*{ending}")} - {case.case_id for case in cases}
    notes = [f"{without} images have no file in {name}."] if without else []
    return notes + ([f"{len(lost)} files in {name} have no image."] if lost else [])


def _dataset_json(folder: Path) -> Mapping[str, Any]:
    path = folder / "dataset.json"
    if not path.is_file():
        raise InputError("The folder has no dataset.json of nnU-Net.", NNUNET_FIX)
    with library_call("dataset.json of nnU-Net is damaged.", NNUNET_FIX):
        about = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(about, dict) or not isinstance(about.get("labels"), dict):
        raise InputError("dataset.json of nnU-Net names no labels.", NNUNET_FIX)
    return about


def _ending(about: Mapping[str, Any]) -> str:
    ending = about.get("file_ending", ".nii.gz")  # version 1 knew no other
    if ending not in READERS:
        raise InputError(
            "The files of the nnU-Net data set are of a kind that is not read here.", f"Use {', '.join(READERS)}."
        )
    return ending


def _ct_channel(about: Mapping[str, Any]) -> int:
    """Number of the channel that is CT; version 1 called channels modality."""
    channels = about.get("channel_names", about.get("modality"))
    if isinstance(channels, dict):
        for number, name in channels.items():
            if str(name).strip().casefold() == "ct" and re.fullmatch(r"\d{1,4}", str(number)):
                return int(number)
    raise InputError("dataset.json of nnU-Net names no channel CT.", 'Write "channel_names": {"0": "CT"} if it is CT.')


def _labels(about: Mapping[str, Any]) -> tuple[LabelName, ...]:
    """Version 2: name -> value or values; version 1: value -> name."""
    labels = about["labels"]
    if all(re.fullmatch(r"\d+", key) for key in labels):
        labels = {str(name): int(value) for value, name in labels.items()}
    names = []
    for name, value in labels.items():
        values = tuple(value) if isinstance(value, list) else (value,)
        if not all(isinstance(number, int) for number in values):
            raise InputError("dataset.json of nnU-Net has a label that is no whole number.", NNUNET_FIX)
        names.append(LabelName(name, values))
    return tuple(names)
