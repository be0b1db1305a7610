"""A folder of scans: what counts as one, that numbers stay, and that names of scans reach no name of a result."""

import csv

import pytest
from ece_core.errors import InputError
from ece_core.export.batch import batch_cases, write_batch_table
from ece_core.export.lymph_nodes_csv import COLUMNS


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    for name in ("DOE_JANE", "empty", "notes"):
        (folder / name / "deep").mkdir(parents=True)
    (folder / "DOE_JANE" / "deep" / "1").write_bytes(bytes(128) + b"DICM")
    (folder / "notes" / "deep" / "a.txt").write_text("no scan")
    for name in ("b.nii.gz", "a.nrrd", "table.csv", ".hidden.nrrd"):
        (folder / name).write_bytes(b"x")
    return folder


def finish(case, ids=("LN1",)):
    case.out.mkdir(parents=True)
    (case.out / "result.json").write_text("{}")
    with (case.out / "lymph_nodes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *([name, *[""] * (len(COLUMNS) - 1)] for name in ids)])


def test_image_files_and_dicom_folders_are_scans_and_results_are_numbered(scans, tmp_path):
    cases = batch_cases(scans, tmp_path / "out")
    assert [(case.name, case.source) for case in cases] == [
        ("case_0001", "DOE_JANE"), ("case_0002", "a.nrrd"), ("case_0003", "b.nii.gz"),
    ]  # fmt: skip
    assert [case.out.name for case in cases] == ["case_0001", "case_0002", "case_0003"]
    assert not any(case.done for case in cases)


def test_a_scan_keeps_its_number_when_others_come_and_go(scans, tmp_path):
    finish(batch_cases(scans, tmp_path / "out")[1])
    (scans / "a.nrrd").rename(scans / "z.nrrd")
    (scans / "00.nrrd").write_bytes(b"x")
    cases = {case.source: case for case in batch_cases(scans, tmp_path / "out")}
    assert {source: case.name for source, case in cases.items()} == {
        "00.nrrd": "case_0004", "DOE_JANE": "case_0001", "b.nii.gz": "case_0003", "z.nrrd": "case_0005",
    }  # fmt: skip
    assert not any(case.done for case in cases.values()), "the result of a scan that is gone is not another's"


def test_one_table_of_all_that_is_done(scans, tmp_path):
    cases = batch_cases(scans, tmp_path / "out")
    finish(cases[0], ("LN1", "LN2"))
    finish(cases[2], ())
    assert write_batch_table(tmp_path / "out", cases) == 2
    with (tmp_path / "out" / "all_lymph_nodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["id"]) for row in rows] == [("case_0001", "LN1"), ("case_0001", "LN2")]


@pytest.mark.parametrize(
    ("folder", "out", "words"),
    [
        pytest.param("nothing", "out", "folder of scans does not exist", id="no folder"),
        pytest.param("scans/empty", "out", "no scan in this folder.*folder of its own", id="no scan"),
        pytest.param("scans", "scans/out", "results would lie among the scans", id="inside"),
        pytest.param("scans", "scans", "results would lie among the scans", id="the same"),
    ],
)
def test_what_cannot_be_a_batch_is_refused_in_words(folder, out, words, scans, tmp_path):
    with pytest.raises(InputError, match=words):
        batch_cases(tmp_path / folder, tmp_path / out)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["not,ours\n", "case,source\n../x,a.nrrd\n", "\x00"])
def test_a_key_that_is_not_ours_is_left_alone(text, scans, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cases.csv").write_text(text)
    with pytest.raises(InputError, match=r"cases\.csv in the folder of results cannot be read"):
        batch_cases(scans, tmp_path / "out")
    assert (tmp_path / "out" / "cases.csv").read_text() == text
