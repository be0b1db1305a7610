"""The list of cases: in order, at the first that nobody has called, and on to the next whatever a case is like."""

import os
import shutil

import pytest
from ece_core.errors import InputError
from ece_core.review import Opinion, has_final_call, is_case_list, open_case_list, open_review


@pytest.fixture
def cohort(result_folder, tmp_path):
    """As a batch leaves it, with 12 cases, the key and what else may lie there."""
    folder = tmp_path / "results"
    for name in [f"case_{number}" for number in range(1, 13)] + [".case_0.partial"]:
        shutil.copytree(result_folder, folder / name)
    (folder / "case_99").mkdir()  # its analysis failed
    (folder / "cases.csv").write_text("case,source\n")
    return folder


def call(folder, verdict="ene") -> None:
    saved = open_review(folder)
    saved.review.set_final_call(Opinion(verdict, "75") if verdict else None)
    saved.save()


def test_cases_are_in_the_order_of_their_numbers_and_end_at_both_ends(cohort):
    cases = open_case_list(cohort)
    assert [folder.name for folder in cases.folders] == [f"case_{number}" for number in range(1, 13)]
    assert cases.words == "case 1 of 12" and cases.beside(-1) is None
    second = cases.beside(1)
    assert second.words == "case 2 of 12" and second.folder.name == "case_2" and second.beside(-1) == cases
    for _ in range(10):
        second = second.beside(1)
    assert second.words == "case 12 of 12" and second.beside(1) is None


def test_the_list_begins_at_the_first_case_without_a_final_call(cohort):
    call(cohort / "case_1")
    saved = open_review(cohort / "case_2")
    saved.review.set_status("LN1", "accepted")  # begun, not called
    saved.save()
    call(cohort / "case_3")
    assert open_case_list(cohort).words == "case 2 of 12"
    call(cohort / "case_2")
    assert open_case_list(cohort).words == "case 4 of 12"
    call(cohort / "case_2", None)  # taken back
    assert open_case_list(cohort).words == "case 2 of 12"


def test_where_each_case_has_a_call_the_list_begins_with_the_first(cohort):
    for number in range(1, 13):
        (cohort / f"case_{number}" / "review.json").write_text('{"final_call": {"verdict": "ene"}}')
    assert open_case_list(cohort).position == 0


@pytest.mark.parametrize("text", ["{", "[]", "\udcff", "[" * 100_000])
def test_a_damaged_review_is_no_call(cohort, text):
    (cohort / "case_1" / "review.json").write_bytes(os.fsencode(text))
    assert not has_final_call(cohort / "case_1") and open_case_list(cohort).position == 0


def test_a_result_and_a_folder_without_one_are_no_lists(cohort, tmp_path):
    assert is_case_list(cohort)
    (tmp_path / "empty").mkdir()
    assert not any(map(is_case_list, (cohort / "case_1", tmp_path / "empty", tmp_path / "missing")))
    with pytest.raises(InputError, match=r"There is no result in this folder\..*holds result\.json.*several of them"):
        open_case_list(tmp_path / "empty")
    with pytest.raises(InputError, match=r"folder of results cannot be read \(FileNotFoundError\)"):
        open_case_list(tmp_path / "missing")
