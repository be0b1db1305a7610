"""Five folds, split by patient: the same for every training of a data set, on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ece_core.errors import InputError

FOLDS = 5
NUMBERED = tuple(map(str, range(FOLDS)))
ALL = "all"
SEED = 12345  # nnU-Net's


def parse_fold(text: str) -> str:
    """The fold that the command line names: "0" to "4", or "all".

    Raises
    ------
    InputError
        It is none of these.
    """
    known = (*NUMBERED, ALL)
    if text not in known:
        raise InputError(f"There is no fold {text!r}.", f"Choose one of {', '.join(known)}.")
    return text


def fold_of(patients: Sequence[str]) -> list[int]:
    """Per case the fold that keeps it out of training; all cases of a patient have the same.

    Raises
    ------
    InputError
        There are fewer patients than folds.
    """
    names = sorted(set(patients))
    if len(names) < FOLDS:
        raise InputError(
            f"{len(names)} patients cannot be split into {FOLDS} folds.", "Train on all of them: --fold all."
        )
    order = np.random.default_rng(SEED).permutation(len(names))
    folds = {names[int(at)]: n % FOLDS for n, at in enumerate(order)}
    return [folds[patient] for patient in patients]


def split(cases: Sequence, patients: Sequence[str], fold: str) -> tuple[list, list]:
    """Cases to train on, and those that are kept out; of "all" none is."""
    if fold == ALL:
        return list(cases), []
    out = [number == int(fold) for number in fold_of(patients)]
    kept = [case for case, is_out in zip(cases, out, strict=True) if not is_out]
    return kept, [case for case, is_out in zip(cases, out, strict=True) if is_out]
