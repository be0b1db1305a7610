"""A folder of results, case after case: real clicks and keys, real MRML."""

import errno
import json
import os
import shutil
from collections import Counter
from unittest import mock

import panel_host
import pytest
from panel_host import click, clickRow, column, press

NAME, STATUS = 1, 8


@pytest.fixture
def cohort(a_result_folder, tmp_path):
    """Five cases as a batch leaves them; the first has a final call, the fourth a damaged result."""
    folder = tmp_path / "cohort"
    for number in range(1, 6):
        case = shutil.copytree(a_result_folder, folder / f"case_{number:04d}")
        content = json.loads((case / "result.json").read_text())
        content["seconds"]["read"] = float(number)  # no two results are the same
        (case / "result.json").write_text(json.dumps(content))
    (folder / "case_0004" / "result.json").write_text("{")
    (folder / "cases.csv").write_text("case,source\n")
    return folder


@pytest.fixture
def reading(detector, cohort, open_folder):
    from ece_core.review import Opinion, open_review

    saved = open_review(cohort / "case_0001")
    saved.review.set_final_call(Opinion("no ene", "75"))
    saved.save()
    open_folder(detector, cohort)
    return detector


@pytest.fixture
def open_folder():
    def open_(panel, folder) -> None:
        import qt

        with mock.patch.object(qt.QFileDialog, "getExistingDirectory", lambda *_: str(folder)):
            click(panel.ui.openResultButton)

    return open_


@pytest.fixture
def red(scene):
    import slicer

    composite = scene.AddNode(slicer.vtkMRMLSliceCompositeNode())
    composite.SetLayoutName("Red")
    return composite


def table(panel):
    return panel.ui.lymphNodeTable


def nodes_in_scene() -> Counter:
    import slicer

    return Counter(node.GetClassName() for node in slicer.util.getNodesByClass("vtkMRMLNode"))


def test_the_list_begins_at_the_first_case_without_a_final_call(reading):
    assert reading.run.problem == "" and reading.ui.caseLabel.text == "Case 2 of 5"
    assert reading.ui.caseWidget.visible and reading.parameters.resultFolder.endswith("case_0002")
    assert column(table(reading), NAME) == ["LN2", "LN3", "LN1"]


def test_keys_and_buttons_go_on_and_back_and_the_review_is_saved(reading, cohort):
    clickRow(table(reading), 0)
    press(table(reading), "a")
    press(table(reading), "Right", control=True)
    assert reading.ui.caseLabel.text == "Case 3 of 5" and column(table(reading), STATUS) == ["", "", ""]
    saved = json.loads((cohort / "case_0002" / "review.json").read_text())
    assert [row["lymph_node"]["status"] for row in saved["lymph_nodes"]] == ["new", "accepted", "new"]
    press(table(reading), "Left", control=True)
    assert reading.ui.caseLabel.text == "Case 2 of 5" and column(table(reading), STATUS) == ["accepted", "", ""]
    click(reading.ui.previousCaseButton)
    assert reading.ui.caseLabel.text == "Case 1 of 5" and "no ENE" in reading.ui.callLabel.text
    assert not reading.ui.previousCaseButton.enabled
    assert reading.ui.previousCaseButton.toolTip == "This is the first case."
    press(table(reading), "Left", control=True)
    assert reading.ui.caseLabel.text == "Case 1 of 5" and reading.run.problem == ""
    click(reading.ui.nextCaseButton)
    click(reading.ui.nextCaseButton)
    assert reading.ui.caseLabel.text == "Case 3 of 5"
    assert not (cohort / "case_0003" / "review.json").exists(), "looked at only"


def test_a_case_that_cannot_be_opened_is_said_and_the_list_goes_on(reading, cohort):
    press(table(reading), "Right", control=True)
    press(table(reading), "Right", control=True)
    assert reading.ui.caseLabel.text == "Case 4 of 5" and reading.result is None and table(reading).rowCount == 0
    assert "Case 4 of 5 cannot be opened. result.json" in reading.run.problem
    assert "The list goes on with the next case." in reading.run.fix and str(cohort) not in reading.run.problem
    press(table(reading), "Right", control=True)
    assert reading.ui.caseLabel.text == "Case 5 of 5" and reading.run.problem == "" and table(reading).rowCount == 3
    assert reading.ui.nextCaseButton.toolTip == "This is the last case."


def test_no_case_leaves_anything_for_the_next_not_even_its_scan(reading, a_neck_ct, red):
    red.SetBackgroundVolumeID(a_neck_ct.GetID())
    press(table(reading), "Right", control=True)
    assert a_neck_ct.GetScene() is not None and reading.parameters.inputVolume is None
    assert not red.GetBackgroundVolumeID()
    assert "case_0003. Load its scan and choose it as input volume" in reading.run.note
    reading.enter()
    assert reading.parameters.inputVolume is None, "the scan of the former case is not offered"
    first = nodes_in_scene()
    press(table(reading), "Left", control=True)
    press(table(reading), "Right", control=True)
    assert nodes_in_scene() == first
    reading.ui.inputSelector.setCurrentNode(a_neck_ct)
    panel_host.processEvents()
    assert reading.reviewPart.review.measure is not None, "the chosen scan measures"


def test_a_review_that_cannot_be_saved_keeps_the_case(reading, cohort, monkeypatch):
    clickRow(table(reading), 0)
    press(table(reading), "a")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        press(table(reading), "Right", control=True)
    assert reading.ui.caseLabel.text == "Case 2 of 5" and column(table(reading), STATUS)[0] == "accepted"
    assert "disk of the result folder is full" in reading.run.problem
    (cohort / "case_0002").rename(cohort.parent / "moved")
    press(table(reading), "Right", control=True)
    assert reading.ui.caseLabel.text == "Case 2 of 5" and column(table(reading), STATUS)[0] == "accepted"
    assert "The result folder is not there any more; the scene alone has the review." in reading.run.problem


def test_a_single_result_ends_the_list(reading, a_result_folder, open_folder):
    open_folder(reading, a_result_folder)
    assert reading.casePart.cases is None and not reading.ui.caseWidget.visible
    assert reading.run.problem == "" and table(reading).rowCount == 3


def test_ctrl_and_an_arrow_in_the_comment_move_the_cursor(reading):
    clickRow(table(reading), 0)
    press(reading.ui.commentLineEdit, "Right", control=True)
    assert reading.ui.caseLabel.text == "Case 2 of 5"


def test_each_case_is_read_first_when_the_reader_wants_that(reading):
    reading.ui.advancedCollapsibleButton.collapsed = False
    click(reading.ui.readFirstCheckBox)
    press(table(reading), "Right", control=True)
    assert reading.ui.caseLabel.text == "Case 3 of 5" and reading.ui.patientLabel.text == "Findings are hidden"
    assert table(reading).rowCount == 0
    press(table(reading), "Left", control=True)
    press(table(reading), "Right", control=True)
    assert reading.ui.patientLabel.text == "Findings are hidden", "going away and back reveals nothing"
