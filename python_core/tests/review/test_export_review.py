"""What a reader accepted, in the files of others; what is missing is said before anything is written."""

import csv
import errno
import hashlib
from dataclasses import replace

import a_review as drawn
import numpy as np
import pydicom
import pytest
from ece_core.errors import InputError, RunError
from ece_core.export.dicom_source import headers_of_files
from ece_core.export.result import RESULT_FILE
from ece_core.export.result_folder import write_result
from ece_core.io import read_ct, write_ct_series
from ece_core.review import (
    NOT_REJECTED,
    Opinion,
    Outline,
    export_review,
    files_source,
    folder_source,
    open_review,
    plan_export,
    reviewed_result,
)

MODEL = {"name": "lymph_node_unet", "version": "1.0.0", "task": "lymph_node_segmentation", "sha256": "a" * 64}


def a_result(**changes):
    ct = drawn.ct()
    facts = {"format": "dicom", "shape_kji": list(ct.shape), "affine_lps": ct.affine.tolist()}
    return replace(drawn.a_result(), models=(MODEL,), input={**facts, **changes})


def reviewed_of(review, result=None, **options):
    return reviewed_result(result or a_result(), review.state, drawn.ct().affine, **options)


@pytest.fixture(scope="session")
def a_series(tmp_path_factory):
    """The drawn scan as DICOM files, and a whole result folder of it."""
    folder = tmp_path_factory.mktemp("dicom")
    write_ct_series(drawn.ct(), folder / "series", seed=5)
    scan = read_ct(folder / "series")
    (folder / "result").mkdir()
    result = a_result(series_uid_sha256=scan.series_uid_sha256)
    write_result(folder / "result", result, drawn.instances(), {}, drawn.ct(), scan.headers)
    return folder


def states(plan):
    return {check.name: check.state for check in plan.checks}


# Which lymph nodes


def test_only_what_was_accepted_is_exported_with_its_outline(review):
    review.set_status("LN1", "accepted")
    review.set_status("LN3", "rejected")
    accepted = reviewed_of(review)
    assert [node.id for node in accepted.result.lymph_nodes] == ["LN1"]
    assert set(np.unique(accepted.instances.array)) == {0, 1}
    assert "accepted lymph nodes only (1 of 3)" in accepted.result.warnings[0]
    assert [row.id for row in reviewed_of(review, choice=NOT_REJECTED).rows] == ["LN1", "LN2"]


def test_an_edited_outline_is_exported_as_it_is_now_and_flagged(review):
    review.set_status("LN2", "accepted")
    review.edit("LN2", drawn.a_block((5, 8, 8), (3, 4, 4)))
    found = reviewed_of(review)
    (node,) = found.result.lymph_nodes
    assert (found.instances.array == 2).sum() == 48 and node.ece_probability is None
    assert node.flags == ("edited, ECE out of date",) and found.out_of_date == ("LN2",)
    assert any("without an ECE probability: LN2" in warning for warning in found.result.warnings)


def test_the_readers_final_call_stands_beside_the_ais_value(review):
    review.set_status("LN2", "accepted")
    review.set_final_call(Opinion("no ene", "75", "a comment that stays in the review"))
    found = reviewed_of(review).result
    assert found.patient["ece_probability"] == 0.87
    assert "The reader's final call of the patient: no ENE (also ECE), about 75 % sure." in found.warnings
    assert "a comment" not in found.to_json() and "Reader A" not in found.to_json()


# The list before the export


def test_nothing_accepted_is_said_with_a_way_out(review):
    plan = plan_export(reviewed_of(review))
    assert plan.possible == ()
    assert plan.reason_not("csv").startswith("No lymph node is accepted. Accept those that are right (key A")


def test_a_scan_that_was_not_dicom_offers_the_rest_and_says_why(review):
    review.set_status("LN1", "accepted")
    plan = plan_export(reviewed_of(review, a_result(format="nrrd")), [lambda: pytest.fail("there is nothing to ask")])
    assert plan.possible == ("csv", "html")
    assert "The scan was not DICOM (NRRD). Load the series through the DICOM module" in plan.reason_not("seg")


def test_the_list_names_what_is_missing_and_how_to_mend_it(review):
    for name in ("LN1", "LN2", "LN3", review.add(drawn.a_block((0, 12, 0)))):
        review.set_status(name, "accepted")
    review.edit("LN2", drawn.a_block((5, 8, 8), (3, 4, 4)))
    emptied = review.state.with_rows(replace(review.state.get("LN3"), outline=Outline((0, 0, 0), np.zeros((1, 1, 1)))))
    result = replace(a_result(), models=())
    plan = plan_export(reviewed_result(result, emptied, drawn.ct().affine))
    assert states(plan) == {"Lymph nodes": "ok", "Reference series": "missing", "Terminology": "warning",
                            "Algorithm": "warning", "Empty segments": "warning", "Edited": "warning"}  # fmt: skip
    said = {check.name: f"{check.found} {check.fix}" for check in plan.checks}
    assert said["Empty segments"].startswith("Skipped, because they hold no voxel: LN3.")
    assert "LN2" in said["Edited"] and "Re-classify them first" in said["Edited"]
    assert "does not say which network drew the outlines" in said["Algorithm"]
    assert "level of LN4 is not known" in said["Terminology"]
    assert "not at hand" in said["Reference series"] and plan.possible == ("csv", "html")


def test_outlines_drawn_by_hand_name_no_algorithm(review):
    name = review.add(drawn.a_block((0, 12, 0)))
    review.set_status(name, "accepted")
    checks = {check.name: check for check in plan_export(reviewed_of(review)).checks}
    assert checks["Algorithm"].found == "None: all outlines were drawn by hand."


@pytest.mark.slow
def test_the_first_source_that_has_the_slices_is_taken(review, a_series):
    review.set_status("LN1", "accepted")
    saved = open_review(a_series / "result")
    files = sorted((a_series / "series").rglob("*.dcm"))
    for sources in ([files_source(files[::-1], saved.result)], [folder_source(a_series / "result", saved.result)],
                    [files_source(files[:3], saved.result), folder_source(a_series / "result", saved.result)]):
        plan = plan_export(reviewed_of(review, saved.result), sources)
        assert len(plan.headers) == 12 and states(plan)["Reference series"] == "ok"


@pytest.mark.slow
def test_another_series_is_refused(a_series):
    files = list((a_series / "series").rglob("*.dcm"))
    other = a_result(series_uid_sha256=hashlib.sha256(b"1.2.3").hexdigest())
    with pytest.raises(InputError, match="another series than the one that was analyzed.*Choose the scan"):
        headers_of_files(files, other)


# What is written


@pytest.fixture
def a_plan(a_series):
    saved = open_review(a_series / "result", drawn.ct())
    saved.review.set_status("LN2", "accepted")
    saved.review.edit("LN2", drawn.a_block((5, 8, 8), (3, 4, 4)))
    reviewed = reviewed_result(saved.result, saved.review.state, drawn.ct().affine)
    return plan_export(reviewed, [folder_source(a_series / "result", saved.result)])


@pytest.mark.slow
def test_seg_sr_table_and_report_say_the_same(a_plan, a_series, tmp_path):
    before = (a_series / "result" / RESULT_FILE).read_bytes()
    exported = export_review(a_plan, ("html", "sr", "csv", "seg"), tmp_path / "out", drawn.ct(), a_series / "result")
    assert (a_series / "result" / RESULT_FILE).read_bytes() == before
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "lymph_nodes.csv", "report.html", "seg.dcm", "sr.dcm",
    ]  # fmt: skip
    seg, sr = pydicom.dcmread(exported.files["seg"]), pydicom.dcmread(exported.files["sr"])
    source = pydicom.dcmread(next((a_series / "series").rglob("*.dcm")))
    (segment,) = seg.SegmentSequence
    assert segment.TrackingID == "LN2" and segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert "accepted by the reader; edited, ECE out of date" in segment.SegmentDescription
    assert int(np.count_nonzero(seg.pixel_array)) == 48
    assert seg.StudyInstanceUID == sr.StudyInstanceUID == source.StudyInstanceUID
    assert exported.series_uids == {"seg": seg.SeriesInstanceUID, "sr": sr.SeriesInstanceUID}
    assert "EDITED" in sr.to_json() and seg.SOPInstanceUID in sr.to_json()
    with exported.files["csv"].open() as file:
        (row,) = csv.DictReader(file)
    assert (row["id"], row["status"], row["flags"].split("; ")[-1]) == ("LN2", "accepted", "edited, ECE out of date")
    page = exported.files["html"].read_text()
    assert "edited, ECE out of date" in page and "Research use only" in page and "data:image" in page


def test_a_format_that_cannot_be_written_writes_nothing(review, tmp_path):
    review.set_status("LN1", "accepted")
    plan = plan_export(reviewed_of(review, a_result(format="nifti")))
    with pytest.raises(InputError, match=r"DICOM SEG cannot be exported\. The scan was not DICOM"):
        export_review(plan, ("csv", "seg"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_sr_goes_with_its_seg(a_plan, tmp_path):
    with pytest.raises(InputError, match=r"SR refers to the outlines of its SEG\. Export the SEG with it"):
        export_review(a_plan, ("sr",), tmp_path / "out")
    with pytest.raises(InputError, match="Nothing was chosen"):
        export_review(a_plan, (), tmp_path / "out")


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(a_plan, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("ece_core.review.export_files.write_lymph_nodes_csv", full)
    with pytest.raises(RunError, match="disk of the output folder is full; nothing was kept"):
        export_review(a_plan, ("seg", "csv"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
