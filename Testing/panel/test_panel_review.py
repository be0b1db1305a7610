"""The review in the panel: real clicks and keys, real MRML, a fake worker in a real process."""

import errno
import json
import os
import shutil

import numpy as np
import panel_host
import pytest
from make_screenshots import erase
from panel_host import click, clickHeader, clickRow, column, press, release, waitFor, write

VISIBLE, NAME, PROBABILITY, PLACE, SHORT_AXIS, VOLUME, CLASS, CONTOUR, STATUS, COMMENT = range(10)


@pytest.fixture
def own_result(a_result_folder, tmp_path):
    """A result folder that the test may write to."""
    return shutil.copytree(a_result_folder, tmp_path / "own result")


@pytest.fixture
def reading(detector, own_result):
    detector.openResult(str(own_result))
    panel_host.processEvents()
    write(detector.ui.reviewerLineEdit, "AB")
    return detector


@pytest.fixture
def red(scene):
    """A slice view of the application's layout."""
    import slicer

    node = scene.AddNode(slicer.vtkMRMLSliceNode())
    node.SetLayoutName("Red")
    composite = scene.AddNode(slicer.vtkMRMLSliceCompositeNode())
    composite.SetLayoutName("Red")
    return node, composite


def table(panel):
    return panel.ui.lymphNodeTable


def state(panel):
    return panel.reviewPart.state


def segment(panel, name):
    return panel.parameters.segmentation.GetSegmentation().GetSegment(name)


def edit(panel, name: str, slices: int = 2) -> None:
    erase(panel, name, slices)
    waitFor(lambda: state(panel).get(name).out_of_date, "the edit to settle")


# The views


def test_a_single_click_centers_the_views_when_the_user_wants_it(reading, red):
    import slicer
    from ece_core.scene.jump import lymph_node_center_ras

    camera = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode", "Camera")
    clickRow(table(reading), 0)
    before = red[0].GetSliceToRAS().GetElement(2, 3)
    center = lymph_node_center_ras(reading.parameters.segmentation, "LN2")
    assert not reading.ui.centerOnClickCheckBox.checked and before != pytest.approx(center[2])
    reading.ui.advancedCollapsibleButton.collapsed = False
    click(reading.ui.centerOnClickCheckBox)
    assert slicer.app.userSettings().values["ECEDetector/centerOnClick"] == "true"
    clickRow(table(reading), 0)
    assert red[0].GetSliceToRAS().GetElement(2, 3) == pytest.approx(center[2])
    assert camera.GetFocalPoint() == pytest.approx(center)
    slicer.mrmlScene.Clear(False)
    assert reading.ui.centerOnClickCheckBox.checked, "kept by Slicer, not by the scene"


# Status, comment, visibility


@pytest.mark.parametrize(
    ("key", "button", "status", "slicers"),
    [
        ("a", "acceptButton", "accepted", "completed"),
        ("r", "rejectButton", "rejected", "completed"),
        ("f", "flagButton", "flagged", "flagged"),
    ],
)
@pytest.mark.parametrize("by", ["key", "button"])
def test_a_lymph_node_is_judged_by_key_and_by_button(reading, own_result, key, button, status, slicers, by):
    import slicer

    clickRow(table(reading), 0)
    press(table(reading), key) if by == "key" else click(getattr(reading.ui, button))
    assert column(table(reading), STATUS)[0] == status
    row = state(reading).get("LN2")
    assert (row.status, row.reviewer) == (status, "AB")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    shown = logic.GetSegmentStatusAsMachineReadableString(logic.GetSegmentStatus(segment(reading, "LN2")))
    assert shown == slicers
    assert reading.parameters.segmentation.GetDisplayNode().GetSegmentVisibility("LN2") == (status != "rejected")
    saved = json.loads((own_result / "review.json").read_text())
    assert [one["lymph_node"]["status"] for one in saved["lymph_nodes"]] == ["new", status, "new"]
    assert "Saved in the result folder." in reading.ui.reviewLabel.text
    click(reading.ui.clearStatusButton)
    assert state(reading).get("LN2").status == "new" and state(reading).get("LN2").visible


def test_several_rows_are_judged_at_once(reading):
    clickRow(table(reading), 0)
    clickRow(table(reading), 2, control=True)
    press(table(reading), "f")
    assert column(table(reading), STATUS) == ["flagged", "", "flagged"]
    assert [row.id for row in reading.table.selectedAll()] == ["LN2", "LN1"]


def test_a_key_without_a_selection_or_in_a_text_field_does_nothing(reading):
    from PySide6 import QtTest

    press(table(reading), "a")
    assert column(table(reading), STATUS) == ["", "", ""]
    clickRow(table(reading), 0)
    QtTest.QTest.keyClicks(reading.ui.filterLineEdit, "far")
    assert reading.ui.filterLineEdit.text == "far" and state(reading).get("LN2").status == "new"


def test_a_comment_is_kept_with_its_lymph_node(reading):
    clickRow(table(reading), 0)
    write(reading.ui.commentLineEdit, "touches the carotid")
    assert column(table(reading), COMMENT)[0] == "touches the carotid"
    clickRow(table(reading), 1)
    assert reading.ui.commentLineEdit.text == ""
    clickRow(table(reading), 0)
    assert reading.ui.commentLineEdit.text == "touches the carotid"


def test_the_first_cell_hides_and_shows(reading):
    display = reading.parameters.segmentation.GetDisplayNode()
    clickRow(table(reading), 0, column=VISIBLE)
    assert column(table(reading), VISIBLE)[0] == "○" and not display.GetSegmentVisibility("LN2")
    clickRow(table(reading), 0, column=VISIBLE)
    assert column(table(reading), VISIBLE)[0] == "●" and display.GetSegmentVisibility("LN2")


# Filters, sorting, next


def test_filters_list_fewer_and_say_so(reading):
    write(reading.ui.filterLineEdit, "LEFT")
    assert column(table(reading), NAME) == ["LN2", "LN3"]
    assert "2 of 3 listed." in reading.ui.reviewLabel.text
    reading.ui.probabilityFilterSpinBox.value = 0.5
    assert column(table(reading), NAME) == ["LN2"]
    reading.ui.filterLineEdit.clear()
    reading.ui.probabilityFilterSpinBox.value = 0.0
    clickRow(table(reading), 1)
    press(table(reading), "f")
    reading.ui.statusFilterComboBox.setCurrentIndex(4)
    assert column(table(reading), NAME) == ["LN3"]


def test_sorting_by_number_stays_after_an_action(reading):
    clickHeader(table(reading), SHORT_AXIS)
    clickHeader(table(reading), SHORT_AXIS)
    clickRow(table(reading), 0)
    press(table(reading), "a")
    assert column(table(reading), SHORT_AXIS) == ["6.2", "9.5", "21.4"]
    assert reading.table.selected().id == "LN3"


@pytest.mark.parametrize("by", ["key", "button"])
def test_next_and_previous_suspicious_select_and_center(reading, red, by):
    press(table(reading), "n") if by == "key" else click(reading.ui.nextButton)
    assert reading.table.selected().id == "LN2"
    matrix = red[0].GetSliceToRAS()
    np.testing.assert_allclose([matrix.GetElement(axis, 3) for axis in range(3)], (-24.0, -12.0, 4.0), atol=0.1)
    press(table(reading), "p") if by == "key" else click(reading.ui.previousButton)
    assert reading.table.selected().id == "LN2", "it is the only one"
    press(table(reading), "r")
    assert not reading.ui.nextButton.enabled
    assert reading.ui.nextButton.toolTip == "No suspicious lymph node is listed."


def test_holding_h_shows_the_scan_without_the_heatmap(detector, own_result, red):
    detector.openResult(str(own_result))
    shown = detector.heatmaps["gradcam"].GetID()
    assert red[1].GetForegroundVolumeID() == shown
    press(table(detector), "h", hold=True)
    assert not red[1].GetForegroundVolumeID()
    release(table(detector), "h")
    assert red[1].GetForegroundVolumeID() == shown


def test_a_bar_that_is_not_needed_any_more_is_gone(reading):
    """A replaced bar is deleted by Qt later, and lay over the table's first cell until then."""
    from PySide6 import QtWidgets

    write(reading.ui.filterLineEdit, "LN2")
    reading.ui.filterLineEdit.clear()
    clickRow(table(reading), 0)
    press(table(reading), "f")
    bars = [bar for bar in table(reading).findChildren(QtWidgets.QProgressBar) if bar.isVisible()]
    assert sorted(bar.property("format") for bar in bars) == ["0.09", "0.10", "0.87"]
    assert len({bar.pos.y() for bar in bars}) == 3 and len({bar.pos.x() for bar in bars}) == 1


# Undo


def test_undo_and_redo_go_through_everything(reading):
    assert reading.ui.undoButton.toolTip == "There is nothing to undo."
    clickRow(table(reading), 0)
    press(table(reading), "a")
    click(reading.ui.deleteButton)
    assert column(table(reading), NAME) == ["LN3", "LN1"] and segment(reading, "LN2") is None
    assert reading.ui.undoButton.toolTip == "Undo: delete LN2"
    click(reading.ui.undoButton)
    assert column(table(reading), NAME) == ["LN2", "LN3", "LN1"] and segment(reading, "LN2") is not None
    click(reading.ui.undoButton)
    assert column(table(reading), STATUS) == ["", "", ""]
    assert not reading.ui.undoButton.enabled
    click(reading.ui.redoButton)
    assert column(table(reading), STATUS)[0] == "accepted"


# Outlines


def test_a_painted_edit_is_measured_and_the_probability_is_out_of_date(reading):
    edit(reading, "LN2")
    row = column(table(reading), NAME).index("LN2")
    assert row == 2, "without a probability it comes last"
    assert column(table(reading), STATUS)[row] == "edited, ECE out of date"
    assert column(table(reading), PROBABILITY)[row] == "was 0.87"
    assert float(column(table(reading), VOLUME)[row]) < 2.06
    assert segment(reading, "LN2").GetLabelValue() == 2
    click(reading.ui.undoButton)
    assert column(table(reading), PROBABILITY) == ["0.87", "0.10", "0.09"]
    assert column(table(reading), VOLUME)[0] == "2.06"


def test_an_outline_that_is_emptied_is_put_back_in_words(reading):
    erase(reading, "LN3", 99)
    waitFor(lambda: reading.ui.problemLabel.visible, "the words")
    assert reading.ui.problemLabel.text == "The outline of LN3 was emptied; it was put back."
    assert not state(reading).get("LN3").out_of_date and reading.reviewPart.scene.take_edits() == []


def test_a_missed_lymph_node_is_added_by_a_click(reading):
    import slicer

    clickRow(table(reading), 0)
    click(reading.ui.deleteButton)
    click(reading.ui.addButton)
    assert reading.ui.addButton.text == "Cancel adding" and "Click into the missed" in reading.ui.reviewLabel.text
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place
    reading.reviewPart.place.node.AddControlPointWorld(-24.0, -12.0, 4.0)  # RAS of LN2's center
    waitFor(lambda: "LN4" in state(reading).ids, "the new lymph node")
    assert reading.table.selected().id == "LN4"
    row = state(reading).get("LN4")
    assert row.lymph_node.source == "SEMIAUTOMATIC" and row.outline.voxels == pytest.approx(257, rel=0.25)
    assert slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode") == []
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.ViewTransform


def test_a_click_beside_any_lymph_node_is_told_and_adding_can_be_given_up(reading):
    click(reading.ui.addButton)
    click(reading.ui.addButton)
    assert not reading.reviewPart.place.isWaiting and reading.ui.addButton.text == "Add by click"
    click(reading.ui.addButton)
    reading.reviewPart.place.node.AddControlPointWorld(46.0, 46.0, 0.0)  # air beside the neck
    waitFor(lambda: reading.ui.problemLabel.visible, "the words")
    assert "no lymph node tissue at this point" in reading.ui.problemLabel.text
    assert state(reading).ids == ("LN1", "LN2", "LN3")


def test_merge_needs_two_and_keeps_one(reading):
    clickRow(table(reading), 0)
    assert not reading.ui.mergeButton.enabled and "with Ctrl or Shift" in reading.ui.mergeButton.toolTip
    clickRow(table(reading), 1, control=True)
    click(reading.ui.mergeButton)
    assert state(reading).ids == ("LN1", "LN2") and segment(reading, "LN3") is None
    click(reading.ui.splitButton) if reading.table.selected() else None
    clickRow(table(reading), column(table(reading), NAME).index("LN2"))
    click(reading.ui.splitButton)
    assert len(state(reading).ids) == 3


def test_a_ball_is_not_split(reading):
    clickRow(table(reading), 0)
    click(reading.ui.splitButton)
    assert "no waist" in reading.ui.problemLabel.text


# Re-classify


def test_reclassify_asks_for_one_and_keeps_the_old_value_in_view(reading, worker):
    edit(reading, "LN2")
    clickRow(table(reading), 2)
    click(reading.ui.reclassifyButton)
    waitFor(lambda: not state(reading).get("LN2").out_of_date, "the classifier")
    request = worker.request("classify")
    assert request["label"] == 2 and request["files"] == ["ct.nrrd", "mask.nrrd"] and "out" not in request
    assert column(table(reading), PROBABILITY)[0] == "0.42 (was 0.87)"
    assert state(reading).get("LN2").lymph_node.source == "SEMIAUTOMATIC"
    assert reading.ui.undoButton.toolTip == "Undo: re-classify LN2"


def test_all_edited_are_classified_one_after_the_other(reading, worker):
    assert reading.ui.reclassifyAllButton.toolTip == "No outline was edited."
    edit(reading, "LN1", 1)
    edit(reading, "LN2")
    click(reading.ui.reclassifyAllButton)
    waitFor(lambda: not state(reading).edited, "the classifier")
    assert [request["label"] for request in worker.asked if request["request"] == "classify"] == [1, 2]
    assert len(worker.processes) == 1


def test_a_classification_that_fails_leaves_the_row_out_of_date(reading, worker):
    edit(reading, "LN2")
    worker.mode = "error"
    click(reading.ui.reclassifyAllButton)
    waitFor(lambda: reading.run.problem, "the error")
    assert reading.ui.problemLabel.text == "The scan has a gantry tilt of 18.5 degrees."
    assert state(reading).get("LN2").out_of_date and state(reading).get("LN2").former_ece_probability == 0.871


def test_a_cancelled_classification_changes_nothing_and_leaves_no_files(reading, worker, tmp_path):
    edit(reading, "LN2")
    worker.mode = "slow"
    click(reading.ui.reclassifyAllButton)
    waitFor(lambda: reading.run.fraction == 0.6, "progress")
    assert reading.ui.applyButton.text == "Cancel" and not reading.ui.reclassifyButton.enabled
    click(reading.ui.applyButton)
    waitFor(lambda: not reading.run.isActive, "the cancel")
    assert state(reading).get("LN2").out_of_date and list(tmp_path.glob("slicer-temp/ece-*")) == []


# The patient


def test_the_final_call_is_the_readers(reading, own_result):
    import slicer

    reading.ui.verdictComboBox.setCurrentIndex(2)
    reading.ui.certaintyComboBox.setCurrentIndex(3)
    click(reading.ui.callButton)
    assert "Final call: no ENE (also ECE), about 75 % sure (AB), 20" in reading.ui.callLabel.text
    assert reading.ui.patientLabel.text == "ECE probability 0.88", "the AI's value stays as it is"
    assert json.loads((own_result / "review.json").read_text())["final_call"]["verdict"] == "no ene"
    slicer.mrmlScene.Clear()
    reading.openResult(str(own_result))
    assert reading.ui.verdictComboBox.currentIndex == 2 and reading.ui.certaintyComboBox.currentIndex == 3


def test_read_first_hides_everything_until_the_first_opinion(detector, own_result, red):
    click(detector.ui.readFirstCheckBox)
    detector.openResult(str(own_result))
    panel_host.processEvents()
    display = detector.parameters.segmentation.GetDisplayNode()
    assert detector.ui.patientLabel.text == "Findings are hidden" and "0.88" not in detector.ui.patientDetailsLabel.text
    assert table(detector).rowCount == 0 and not display.GetVisibility() and not red[1].GetForegroundVolumeID()
    assert not detector.ui.reportButton.enabled and not detector.ui.heatmapMethodComboBox.enabled
    press(table(detector), "h", hold=True)
    assert not red[1].GetForegroundVolumeID()
    release(table(detector), "h")
    assert detector.ui.callButton.toolTip == "Choose your opinion first."
    assert (own_result / "review.json").is_file() and "Saved" in detector.ui.reviewLabel.text
    detector.ui.verdictComboBox.setCurrentIndex(1)
    click(detector.ui.callButton)
    assert column(table(detector), NAME) == ["LN2", "LN3", "LN1"] and display.GetVisibility()
    assert detector.ui.patientLabel.text == "ECE probability 0.88" and red[1].GetForegroundVolumeID()
    assert "First opinion: ENE (also ECE)" in detector.ui.callLabel.text
    history = json.loads((own_result / "review.json").read_text())["history"]
    assert [event["action"] for event in history] == ["read first", "first opinion", "reveal"]


# Heatmaps


def test_every_method_has_its_guide_and_is_computed_on_demand(reading, worker, own_result, red):
    combo = reading.ui.heatmapMethodComboBox
    assert combo.count >= 20
    assert reading.ui.guideLabel.text.startswith("Shows ") and "; cannot " in reading.ui.guideLabel.text
    assert "per lymph node" in reading.ui.scalingLabel.text and "pale yellow" in reading.ui.scalingLabel.text
    assert not reading.ui.computeHeatmapButton.enabled
    combo.setCurrentIndex(combo.findData("saliency"))
    assert combo.currentText == "Saliency (not computed)" and reading.ui.computeHeatmapButton.enabled
    clickRow(table(reading), 0)
    press(table(reading), "a")
    click(reading.ui.computeHeatmapButton)
    waitFor(lambda: "saliency" in reading.heatmaps, "the heatmap")
    assert worker.request("explain")["method"] == "saliency"
    assert red[1].GetForegroundVolumeID() == reading.heatmaps["saliency"].GetID()
    assert combo.currentText == "Saliency" and state(reading).get("LN2").status == "accepted"
    press(table(reading), "f")
    assert "Saved" in reading.ui.reviewLabel.text, "the review still belongs to the result"


# Keeping it


def test_a_review_goes_on_where_it_was_left(reading, own_result, scene):
    import slicer

    clickRow(table(reading), 0)
    press(table(reading), "f")
    edit(reading, "LN1", 1)
    slicer.mrmlScene.Clear()
    panel_host.processEvents()
    assert table(reading).rowCount == 0 and not reading.ui.acceptButton.enabled
    reading.openResult(str(own_result))
    assert column(table(reading), STATUS) == ["flagged", "", "edited, ECE out of date"]
    assert reading.reviewPart.scene.take_edits() == [], "the segmentation shows the edited outline"


def test_a_saved_scene_has_the_review_without_folder_and_torch(reading, own_result, tmp_path, monkeypatch):
    import sys

    import slicer

    clickRow(table(reading), 0)
    press(table(reading), "f")
    edit(reading, "LN1", 1)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    shutil.rmtree(own_result)
    for name in ("torch", "monai"):
        monkeypatch.setitem(sys.modules, name, None)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    panel_host.processEvents()
    assert column(table(reading), STATUS) == ["flagged", "", "edited, ECE out of date"]
    clickRow(table(reading), 0)
    press(table(reading), "a")
    assert column(table(reading), STATUS)[0] == "accepted"
    assert "Kept in the scene: save it." in reading.ui.reviewLabel.text


def test_a_full_disk_is_told_and_nothing_is_lost(reading, own_result, monkeypatch):
    clickRow(table(reading), 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        press(table(reading), "f")
    assert "disk of the result folder is full" in reading.ui.problemLabel.text
    assert "NOT saved" in reading.ui.reviewLabel.text and column(table(reading), STATUS)[0] == "flagged"
    press(table(reading), "a")
    assert "Saved in the result folder." in reading.ui.reviewLabel.text and not reading.ui.problemLabel.visible


def test_a_review_of_a_newer_version_is_told_and_left_alone(detector, own_result):
    (own_result / "review.json").write_text('{"schema": "ece-review/9"}')
    detector.openResult(str(own_result))
    assert "newer version" in detector.ui.problemLabel.text and "Update ECEDetector" in detector.ui.fixLabel.text
    assert detector.ui.acceptButton.toolTip == "The review of this result cannot be opened."
    assert (own_result / "review.json").read_text() == '{"schema": "ece-review/9"}'


def test_without_the_scan_outlines_stay_and_the_rest_can_be_reviewed(reading, a_neck_ct, scene):
    scene.RemoveNode(a_neck_ct)
    panel_host.processEvents()
    clickRow(table(reading), 0)
    press(table(reading), "a")
    assert column(table(reading), STATUS)[0] == "accepted"
    assert reading.ui.splitButton.toolTip == "Choose the scan that was analyzed as input volume: measures need it."
    assert reading.ui.reclassifyButton.toolTip == "Choose a contrast neck CT first."


@pytest.mark.parametrize("name", ["acceptButton", "rejectButton", "flagButton", "clearStatusButton", "commentLineEdit",
                                  "nextButton", "previousButton", "addButton", "splitButton", "mergeButton",
                                  "deleteButton", "reclassifyButton", "reclassifyAllButton", "undoButton", "redoButton",
                                  "callButton", "computeHeatmapButton"])
def test_without_a_result_every_button_says_why(detector, name):
    widget = getattr(detector.ui, name)
    assert not widget.enabled and widget.toolTip == "Analyze a scan or open a result folder first."


# The Segment Editor


def test_the_segment_editor_opens_on_the_selected_lymph_node_and_overwrites_no_other(reading, a_neck_ct):
    import slicer

    editor = reading.ui.segmentEditorWidget
    assert not editor.visible and reading.ui.editButton.toolTip == "Select a lymph node in the table first."
    clickRow(table(reading), 0)
    click(reading.ui.editButton)
    assert editor.visible and editor.currentSegmentID() == "LN2" and reading.ui.editButton.text == "Done"
    assert editor.segmentationNode() is reading.parameters.segmentation and editor.sourceVolumeNode() is a_neck_ct
    node = editor.mrmlSegmentEditorNode()
    assert node.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteNone
    clickRow(table(reading), 1)
    assert editor.currentSegmentID() == "LN3"
    erase(reading, "LN3", 1)
    click(reading.ui.editButton)
    assert not editor.visible and state(reading).get("LN3").out_of_date, "the last stroke is not waited for"


def test_closing_the_scene_ends_the_editing(reading):
    import slicer

    clickRow(table(reading), 0)
    click(reading.ui.editButton)
    slicer.mrmlScene.Clear()
    panel_host.processEvents()
    assert not reading.ui.segmentEditorWidget.visible and reading.ui.editButton.text == "Edit"
    assert reading.ui.editButton.toolTip == "Analyze a scan or open a result folder first."
