"""Who teaches what: the extractor's own patients, and five folds of all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ece_core.errors import InputError
from ece_core.training.folds import NUMBERED, split
from ece_core.training.gmgenet.patients import Patient


@dataclass(frozen=True)
class Fold:
    """Four fifths of the patients to learn from, and the fifth to be judged by."""

    train: list[Patient]
    test: list[Patient]


@dataclass(frozen=True)
class Split:
    extractor: list[Patient]
    folds: list[Fold]

    @property
    def rest(self) -> list[Patient]:
        """All whom the extractor has not seen."""
        return [patient for fold in self.folds for patient in fold.test]


def split_patients(patients: Sequence[Patient], extractor_patients: int) -> Split:
    """The first ``extractor_patients`` teach the extractor and appear nowhere else; five folds of the others.

    Raises
    ------
    InputError
        A patient is there twice, so that somebody would be judged who was learned from.
    """
    own, rest = list(patients[:extractor_patients]), list(patients[extractor_patients:])
    names = [patient.name for patient in rest]
    folds = [Fold(*split(rest, names, number)) for number in NUMBERED]
    for fold in folds:
        refuse_leakage(own, fold.train, "learned the volumes of interest", "teach the classifiers")
        refuse_leakage(own, fold.test, "learned the volumes of interest", "judge them")
        refuse_leakage(fold.train, fold.test, "teach a fold", "judge it")
    return Split(own, folds)


def refuse_leakage(some: Sequence[Patient], others: Sequence[Patient], role: str, other_role: str) -> None:
    """Two groups have nobody in common, neither by name nor by the scan itself.

    Raises
    ------
    InputError
        They have.
    """
    names, scans = {patient.name for patient in some}, {patient.digest for patient in some}
    common = [patient for patient in others if patient.name in names or patient.digest in scans]
    if common:
        raise InputError(
            f"Leakage: {len(common)} of the patients who {role} are among those who {other_role}.",
            "Give each patient once, and start in another folder (--out) if the numbers of patients were changed.",
        )
