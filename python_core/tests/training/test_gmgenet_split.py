"""Nobody is judged who was learned from: the split, and the check that refuses leakage."""

import pytest
from ece_core.errors import InputError
from ece_core.training.gmgenet.extraction import extract
from ece_core.training.gmgenet.split import refuse_leakage, split_patients
from tiny_gmgenet import CONFIG, a_patient

PATIENTS = [a_patient(f"p{n}") for n in range(26)]


def names(patients):
    return {patient.name for patient in patients}


def test_the_extractors_patients_appear_nowhere_else():
    groups = split_patients(PATIENTS, 6)
    assert names(groups.extractor) == {f"p{n}" for n in range(6)}
    for fold in groups.folds:
        assert not names(groups.extractor) & (names(fold.train) | names(fold.test))


def test_five_folds_of_80_to_20_judge_everybody_else_once():
    groups = split_patients(PATIENTS, 6)
    assert [(len(fold.train), len(fold.test)) for fold in groups.folds] == [(16, 4)] * 5
    for fold in groups.folds:
        assert not names(fold.train) & names(fold.test)
    assert sorted(patient.name for patient in groups.rest) == sorted(f"p{n}" for n in range(6, 26))


@pytest.mark.parametrize(
    "twice",
    [
        pytest.param(a_patient("p2", "another scan"), id="by name"),
        pytest.param(a_patient("somebody else", "scan of p2"), id="the same scan under another name"),
    ],
)
def test_a_patient_of_the_extractor_among_the_others_is_refused(twice):
    with pytest.raises(InputError, match="Leakage: 1 of the patients who learned the volumes of interest.*once"):
        split_patients([*PATIENTS, twice], 6)


def test_a_scan_that_teaches_and_judges_a_fold_is_refused():
    again = [a_patient(f"again {n}", f"scan of p{n}") for n in range(6, 26)]  # some of them fall into other folds
    with pytest.raises(InputError, match=r"Leakage: \d+ of the patients who teach a fold are among those who judge it"):
        split_patients([*PATIENTS, *again], 6)


def test_groups_with_nobody_in_common_pass():
    refuse_leakage(PATIENTS[:3], PATIENTS[3:], "teach", "judge")


def test_no_volume_of_interest_for_whom_the_extractor_learned_from(tmp_path):
    with pytest.raises(InputError, match="Leakage: 2 of the patients"):
        extract(CONFIG, None, PATIENTS[:4], PATIENTS[2:], tmp_path)
    assert not list(tmp_path.iterdir()), "refused before anything is done"
