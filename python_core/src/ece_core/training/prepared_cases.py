"""The cases of a data set on a network's grid, normalized, on disk, each once: as inference will prepare them."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ece_core.classes import LABEL_VALUES
from ece_core.errors import InputError
from ece_core.geometry import Volume
from ece_core.io.datasets import Case, load_dataset
from ece_core.models.recipe import recipe_of
from ece_core.preprocessing import to_axial
from ece_core.preprocessing.resample_labels import resample_labels
from ece_core.training.labels import UNKNOWN, labels_of, value_of_class
from ece_core.training.model_input import model_input
from ece_core.training.planning.fingerprint import training_cases
from ece_core.training.training_case import CLASSES, IMAGE, VOXELS

Array = np.ndarray

MOST_VOXELS = 10_000  # of each class are kept to draw from, as in nnU-Net
IGNORE = "ignore"  # nnU-Net's label of voxels that nobody looked at
MADE_FOR = "made_for.json"
LEFT_OUT = ".left_out"  # marks a case without outlined lymph nodes, so that it is read once


@dataclass(frozen=True)
class Prepared:
    """A case of the data set and where it lies prepared."""

    folder: Path
    patient: str
    case: Case


def prepare(config: dict[str, Any], folder: Path, report=None) -> list[Prepared]:
    """Every training case with outlined lymph nodes, made where it is not there yet.

    The folders are numbered: no name of the data set is written.

    Raises
    ------
    InputError
        The data set cannot be read, no case can be used, no lymph node has one of the labels, or the folder holds
        cases that were prepared in another way.
    """
    dataset = load_dataset(Path(config["dataset"]), config.get("layout"))
    cases, _ = training_cases(dataset)
    _expect_same(config, len(cases), folder)
    prepared = []
    for number, case in enumerate(cases):
        target = folder / f"case_{number:04d}"
        left_out = target.with_suffix(LEFT_OUT)
        if not (target / VOXELS).exists() and not left_out.exists() and not _prepare(case, config, target):
            left_out.touch()
        if not left_out.exists():
            prepared.append(Prepared(target, case.patient, case))
        if report is not None:
            report("prepare", (number + 1) / len(cases))
    _expect_labels(config, prepared)
    return prepared


def _expect_same(config: dict[str, Any], cases: int, folder: Path) -> None:
    wanted = {
        "cases": cases, "spacing_mm": config["spacing_mm"], "recipe": config["recipe"],
        "normalization": config["normalization"],
    }  # fmt: skip
    path = folder / MADE_FOR
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != wanted:
        raise InputError(
            "The folder holds cases that were prepared for another plan or another data set.",
            "Train in another folder (--out).",
        )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(wanted), encoding="utf-8")


def _prepare(case: Case, config: dict[str, Any], target: Path) -> bool:
    """Whole or not at all; False if nobody outlined lymph nodes in it."""
    classes = classes_of(case)
    if classes is None:
        return False
    recipe = recipe_of(model_input(config))
    axial, orientation = to_axial(case.ct.volume, recipe.toward)
    working = recipe.working(axial)
    labels = resample_labels(orientation.apply(classes.array), axial.spacing_mm, recipe.spacing_mm, working.shape)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    np.save(part / IMAGE, working.array.astype(np.float32))
    np.save(part / CLASSES, labels)
    np.savez(part / VOXELS, **_voxels(labels))  # type: ignore[arg-type]
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return True


def classes_of(case: Case) -> Volume | None:
    """(K, J, I) uint8 on the CT's grid: LABEL_VALUES of each lymph node's class, 5 where its class is not known, 255
    where nobody looked; None if lymph nodes were not outlined at all."""
    outlines = case.outlines
    if outlines.instances is None:
        return None
    values = np.zeros(int(outlines.instances.array.max()) + 1, np.uint8)
    values[1:] = LABEL_VALUES["lymph_node"]
    for node in outlines.lymph_nodes:
        if node.class_name is not None:
            values[node.label] = LABEL_VALUES[node.class_name]
    classes = values[outlines.instances.array]
    for name in outlines.structures:
        if name.casefold() == IGNORE:
            classes[outlines.structure(name).array] = UNKNOWN
    return Volume(classes, case.ct.volume.affine)


def _voxels(labels: Array) -> dict[str, Array]:
    """Where each class lies: all voxels, or as many at random as are enough to draw from."""
    rng = np.random.default_rng(0)
    found = {}
    for value in np.unique(labels[(labels > 0) & (labels != UNKNOWN)]):
        where = np.argwhere(labels == value).astype(np.int16)
        if len(where) > MOST_VOXELS:
            where = where[np.sort(rng.choice(len(where), MOST_VOXELS, replace=False))]
        found[str(value)] = where
    return found


def _expect_labels(config: dict[str, Any], prepared: list[Prepared]) -> None:
    labels, seen = labels_of(config), set[int]()
    for each in prepared:
        with np.load(each.folder / VOXELS) as archive:
            seen |= {int(name) for name in archive.files}
    values = value_of_class(labels)
    missing = [name for n, name in enumerate(labels, 1) if not any(values[value] == n for value in seen)]
    if missing:
        joined = [f'"{name}"' for name in ("metastatic_joined", "all_joined")]
        raise InputError(
            f"No outlined lymph node of the {len(prepared)} training cases is {' or '.join(missing)}.",
            f'Name the classes in the data set (docs/datasets.md), or join labels ("labels": {" or ".join(joined)}).'
            if "lymph_node" not in labels
            else "Choose a data set with outlined lymph nodes (docs/datasets.md).",
        )
