"""`ece export` of a result that a reader has worked on: what was accepted, as it is outlined now."""

import csv
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from ece_core.cli.main import main
from ece_core.export.result import RESULT_FILE
from ece_core.export.result_folder import write_result
from ece_core.io import read_ct, write_ct_series
from ece_core.review import open_review

sys.path.insert(0, str(Path(__file__).parents[1] / "review"))
import a_review as drawn


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A whole result folder of a scan that was not DICOM."""
    folder = tmp_path_factory.mktemp("written")
    ct = drawn.ct()
    facts = {"format": "nrrd", "shape_kji": list(ct.shape), "affine_lps": ct.affine.tolist()}
    write_result(folder, replace(drawn.a_result(), input=facts), drawn.instances(), {}, ct)
    return folder


@pytest.fixture
def a_folder(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "result"))


def reviewed(folder, *accepted, edit=False):
    saved = open_review(folder, drawn.ct())
    for name in accepted:
        saved.review.set_status(name, "accepted")
    saved.review.set_status("LN3", "rejected")
    if edit:
        saved.review.edit("LN2", drawn.a_block((5, 8, 8), (3, 4, 4)))
    saved.save()


def export(capsys, folder, *options):
    out = folder.parent / f"out {len(list(folder.parent.iterdir()))}"
    code = main(["export", str(folder), "--out", str(out), *options])
    return code, capsys.readouterr(), out


def table(out):
    with (out / "lymph_nodes.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_the_reader_accepted_is_exported(a_folder, capsys):
    reviewed(a_folder, "LN2", edit=True)
    code, said, out = export(capsys, a_folder, "--to", "csv,html")
    assert code == 0 and "Reviewed: 1 of 3 lymph nodes (accepted)." in said.out
    (row,) = table(out)
    assert (row["id"], row["status"], row["ece_probability"]) == ("LN2", "accepted", "")
    assert "edited, ECE out of date" in (out / "report.html").read_text()
    _, _, out = export(capsys, a_folder, "--to", "csv", "--review", "not-rejected")
    assert [row["id"] for row in table(out)] == ["LN1", "LN2"]
    _, said, out = export(capsys, a_folder, "--to", "csv", "--review", "ignore")
    assert [row["id"] for row in table(out)] == ["LN1", "LN2", "LN3"] and "Reviewed" not in said.out


def test_a_review_that_accepted_nothing_is_said_and_nothing_is_written(a_folder, capsys):
    reviewed(a_folder)
    code, said, out = export(capsys, a_folder, "--to", "csv")
    assert code == 2 and "no lymph node of it is to be exported.\nAccept those" in said.err and not out.exists()


def test_findings_that_are_hidden_are_not_exported(a_folder, capsys):
    saved = open_review(a_folder)
    saved.review.start_read_first()
    saved.save()
    code, said, _ = export(capsys, a_folder, "--to", "csv")
    assert code == 2 and "has not given a first opinion yet" in said.err


def test_a_damaged_review_is_not_taken_for_none(a_folder, capsys):
    (a_folder / "review.json").write_text("{")
    code, said, _ = export(capsys, a_folder, "--to", "csv")
    assert code == 2 and "The saved review is damaged" in said.err


@pytest.mark.slow
def test_seg_sr_and_rtstruct_hold_the_readers_outlines(tmp_path, capsys):
    write_ct_series(drawn.ct(), tmp_path / "series", seed=5)
    scan = read_ct(tmp_path / "series")
    folder = tmp_path / "result"
    folder.mkdir()
    facts = {"format": "dicom", "shape_kji": list(drawn.ct().shape), "affine_lps": drawn.ct().affine.tolist(),
             "series_uid_sha256": scan.series_uid_sha256}  # fmt: skip
    result = replace(drawn.a_result(), input=facts)
    write_result(folder, result, drawn.instances(), {}, drawn.ct(), scan.headers)
    reviewed(folder, "LN2", edit=True)
    code, _, out = export(capsys, folder, "--to", "sr,seg,rtstruct")
    assert code == 0
    seg, structures = pydicom.dcmread(out / "seg.dcm"), pydicom.dcmread(out / "rtstruct.dcm")
    assert [segment.TrackingID for segment in seg.SegmentSequence] == ["LN2"]
    assert int(np.count_nonzero(seg.pixel_array)) == 48
    assert seg.SOPInstanceUID in pydicom.dcmread(out / "sr.dcm").to_json()
    assert len(structures.StructureSetROISequence) == 1
    code, said, _ = export(capsys, folder, "--to", "sr")
    assert code == 2 and "Export both: --to seg,sr" in said.err
    assert (folder / RESULT_FILE).is_file()
