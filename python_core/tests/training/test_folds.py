import pytest
from ece_core.errors import InputError
from ece_core.training.folds import fold_of, parse_fold, split

PATIENTS = [f"p{n // 2}" for n in range(24)]  # two scans each


def test_every_patient_is_kept_out_once_with_all_scans():
    kept = [split(range(24), PATIENTS, str(fold))[1] for fold in range(5)]
    assert sorted(case for fold in kept for case in fold) == list(range(24))
    for fold in kept:
        assert {PATIENTS[case] for case in fold}.isdisjoint({PATIENTS[c] for f in kept if f is not fold for c in f})
        assert len(fold) in (4, 6)


def test_folds_do_not_depend_on_the_order_of_cases():
    forward = dict(zip(PATIENTS, fold_of(PATIENTS), strict=True))
    assert dict(zip(PATIENTS[::-1], fold_of(PATIENTS[::-1]), strict=True)) == forward
    assert [forward[f"p{n}"] for n in range(6)] == [3, 2, 3, 1, 2, 0], "the same on every machine, for good"


def test_all_keeps_nobody_out():
    assert split("ab", ["x", "y"], "all") == (["a", "b"], [])


def test_too_few_patients_and_unknown_folds_are_said():
    with pytest.raises(InputError, match="4 patients cannot be split into 5 folds.*--fold all"):
        fold_of(["a", "b", "c", "d", "d"])
    with pytest.raises(InputError, match="no fold '5'.*0, 1, 2, 3, 4, all"):
        parse_fold("5")
