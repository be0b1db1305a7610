"""The whole study: patients, extractor, volumes of interest, classifiers and comparators on the same five folds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ece_core.training.gmgenet.batches import Start
from ece_core.training.gmgenet.extraction import extract, starts_of
from ece_core.training.gmgenet.one_number import log_size, mean_hu, probabilities_by
from ece_core.training.gmgenet.patients import Patient, cohort
from ece_core.training.gmgenet.settings import CLASSIFIER, EXTRACTOR, ONE_STEP, Config
from ece_core.training.gmgenet.split import Fold, refuse_leakage, split_patients
from ece_core.training.gmgenet.train import probabilities, read_json, train_network, write_json

Array = np.ndarray
Scores = tuple[Array, Array]

GMGENET, DENSENET, PLAIN_CNN = "GMGENet", "3D DenseNet", "plain 3D CNN"
SIZE, HU = "size of the largest lymph node", "mean HU of the largest lymph node"
METHODS = {CLASSIFIER: GMGENET, "densenet": DENSENET, "cnn": PLAIN_CNN}  # in the order of the table
Say = Callable[[str], None]


@dataclass(frozen=True)
class Study:
    """What came out.

    Attributes
    ----------
    results
        Per method and fold: scores (n,) and labels (n,) of the patients kept out, in one order for all methods.
    volumes_of_interest
        Per patient, as :func:`ece_core.training.gmgenet.extraction.extract` gives them.
    taught, judged
        How many patients taught the extractor, and how many were judged; ``left_out`` scans were not usable.
    """

    results: dict[str, list[Scores]]
    volumes_of_interest: dict[str, dict[str, Any]]
    taught: int
    judged: int
    left_out: int


def study(config: Config, work: Path, device: str = "cpu", say: Say = lambda _: None) -> Study:
    """Do all of it in ``work``, going on where an earlier run was stopped.

    Raises
    ------
    InputError
        The folder holds a study with other settings, or a patient would be judged who was learned from.
    """
    say(f"{config['patients']} simulated patients ...")
    patients = cohort(config, work / "data")
    groups = split_patients(patients, config["extractor_patients"])
    with _pool(config["jobs"], device) as pool:
        say(f"Extractor ({len(groups.extractor)} patients) and one-step networks on five folds ...")
        extractor = _submit(pool, _train_extractor, config, work, groups.extractor, device)
        waiting = [
            (name, number, _submit(pool, _fold_scores, config, name, work, number, fold, None, device))
            for name in ONE_STEP
            for number, fold in enumerate(groups.folds)
        ]
        extractor.result()
        say(f"Volumes of interest of {len(groups.rest)} patients, then classifiers on five folds ...")
        found = _submit(pool, _extract, config, work, groups.extractor, groups.rest, device).result()
        refuse_leakage(groups.extractor, groups.rest, "learned the volumes of interest", "teach or judge")
        starts = starts_of(found)
        waiting += [
            (CLASSIFIER, number, _submit(pool, _fold_scores, config, CLASSIFIER, work, number, fold, starts, device))
            for number, fold in enumerate(groups.folds)
        ]
        scores: dict[str, list[dict[str, float]]] = {name: [] for name in METHODS}
        for name, number, future in waiting:
            scores[name].append(future.result())
            say(f"{METHODS[name]}, fold {number}: done")
    results = {METHODS[name]: _paired(groups.folds, of) for name, of in scores.items()}
    for name, alone in {SIZE: log_size, HU: mean_hu}.items():
        results[name] = _paired(groups.folds, [probabilities_by(alone, f.train, f.test) for f in groups.folds])
    left_out = config["patients"] - len(patients)
    return Study(results, found, len(groups.extractor), len(groups.rest), left_out)


def _paired(folds: list[Fold], scores: list[dict[str, float]]) -> list[Scores]:
    return [
        (np.array([of[patient.name] for patient in fold.test]), np.array([int(p.has_ene) for p in fold.test]))
        for fold, of in zip(folds, scores, strict=True)
    ]


def _pool(jobs: int, device: str) -> ProcessPoolExecutor | nullcontext[None]:
    """Processes of one thread each: these networks are too small to share one among cores. A GPU takes one by one."""
    if jobs <= 1 or not device.startswith("cpu"):
        return nullcontext()
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,))


def _submit(pool: ProcessPoolExecutor | None, work: Callable[..., Any], *arguments: Any) -> Future:
    if pool is not None:
        return pool.submit(work, *arguments)
    done: Future = Future()
    done.set_result(work(*arguments))
    return done


def _train_extractor(config: Config, work: Path, patients: list[Patient], device: str) -> None:
    train_network(config, EXTRACTOR, work / EXTRACTOR, patients, device=device)


def _extract(
    config: Config, work: Path, taught: list[Patient], patients: list[Patient], device: str
) -> dict[str, dict[str, Any]]:
    extractor = train_network(config, EXTRACTOR, work / EXTRACTOR, taught, device=device)  # is trained: only loads
    return extract(config, extractor, taught, patients, work / EXTRACTOR)


def _fold_scores(
    config: Config, name: str, work: Path, number: int, fold: Fold, starts: dict[str, Start] | None, device: str
) -> dict[str, float]:
    """Probabilities of the patients that the fold keeps out, kept in a file beside the checkpoint."""
    folder = work / name / f"fold_{number}"
    network = train_network(config, name, folder, fold.train, starts, device)
    path, names = folder / "probabilities.json", [patient.name for patient in fold.test]
    kept = read_json(path)
    if kept is None or list(kept) != names:
        shape = None if starts is None else tuple(config["voi_shape"])
        kept = probabilities(network, fold.test, starts, shape, device)
        write_json(path, kept)
    return kept
