"""Runs inside 3D Slicer (see README.md beside this file); not run by our CI.

The clicks of Testing/panel once more, on the real widgets, with the fake worker.
"""

import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import slicer

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "Testing" / "panel"))  # a_result: the phantom and its result
FAKE_WORKER = REPOSITORY / "Testing" / "panel" / "fake_worker.py"


def waitFor(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for: {what}"
        slicer.app.processEvents()
        time.sleep(0.02)


def openPanel(folder, result, mode):
    """The ECEDetector panel with a phantom in the scene and the fake worker behind it."""
    import a_result
    from LymphNodeSegLib import QtWorkerProcess

    slicer.mrmlScene.Clear()
    (folder / "mode").write_text(mode)
    arguments = tuple(str(path) for path in (FAKE_WORKER, folder / "mode", folder / "asked.jsonl", result))
    a_result.addVolume()
    slicer.util.selectModule("ECEDetector")
    panel = slicer.util.getModuleWidget("ECEDetector").panel
    panel.run.client.stop()
    panel.run.client._makeProcess = lambda: QtWorkerProcess(arguments)
    panel.dependencies.ensure = lambda requester: None
    panel.parameters.resultsPath = str(folder / "results")
    panel.enter()
    return panel


def test_both_modules_load(folder, result):
    for name in ("LymphNodeSeg", "ECEDetector"):
        slicer.util.selectModule(name)
        assert hasattr(slicer.modules, name.lower())


def test_the_button_says_why_it_is_disabled(folder, result):
    slicer.mrmlScene.Clear()
    slicer.util.selectModule("ECEDetector")
    button = slicer.util.getModuleWidget("ECEDetector").panel.ui.applyButton
    assert not button.enabled
    assert button.toolTip


def test_analyze_ends_with_the_table_and_a_jump(folder, result):
    panel = openPanel(folder, result, "happy")
    panel.ui.applyButton.click()
    waitFor(lambda: not panel.run.isActive, "the end of the run")
    assert panel.run.problem == "", panel.run.problem
    assert panel.ui.lymphNodeTable.rowCount == 3
    panel.ui.lymphNodeTable.selectRow(0)
    panel.ui.jumpButton.click()
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().GetSliceToRAS()
    expected = panel.table.selected().lymph_node.centroid_lps_mm
    assert abs(red.GetElement(2, 3) - expected[2]) < 1.0


def test_cancel_ends_the_run(folder, result):
    panel = openPanel(folder, result, "slow")
    panel.ui.applyButton.click()
    waitFor(lambda: panel.run.fraction > 0.5, "progress")
    panel.ui.applyButton.click()
    waitFor(lambda: not panel.run.isActive, "the cancel", 10)


def test_closing_the_scene_ends_the_process(folder, result):
    panel = openPanel(folder, result, "slow")
    panel.ui.applyButton.click()
    waitFor(lambda: panel.run.fraction > 0.5, "progress")
    slicer.mrmlScene.Clear()
    assert not panel.run.isActive
    assert panel.run.client.process is None


def test_the_sample_scan_is_offered_and_made_here(folder, result):
    import SampleData

    names = [source.sampleName for source in SampleData.SampleDataLogic.sampleDataSourcesByCategory("ECE Detector")]
    assert names == ["Neck CT (simulated)"]
    slicer.mrmlScene.Clear()
    (source,) = SampleData.SampleDataLogic.sampleDataSourcesByCategory("ECE Detector")
    (volumeNode,) = source.customDownloader(source)
    assert volumeNode.GetImageData().GetDimensions()[2] > 50


def test_terminologies_are_loaded_at_start_up(folder, result):
    from ece_core.export.terminology_contexts import SEGMENT_CONTEXT

    assert slicer.modules.terminologies.logic().IsTerminologyContextLoaded(SEGMENT_CONTEXT)


def test_export_of_what_was_accepted(folder, result):
    panel = openPanel(folder, result, "happy")
    panel.openResult(str(result))
    panel.ui.lymphNodeTable.selectRow(0)
    panel.ui.acceptButton.click()
    panel.ui.exportButton.click()
    dialog = panel.exportPart.dialog
    assert not dialog.ui.segCheckBox.enabled and "was not DICOM" in dialog.ui.segCheckBox.toolTip
    dialog.ui.folderPathLineEdit.currentPath = str(folder / "exports")
    dialog.ui.exportButton.click()
    assert len(list((folder / "exports").glob("*/lymph_nodes.csv"))) == 1, dialog.ui.problemLabel.text
    dialog.close()


def test_set_up_and_pre_check_are_shown(folder, result):
    panel = openPanel(folder, result, "happy")
    panel.refresh()
    assert panel.ui.modelsLabel.text.count("✔") == 2, panel.ui.modelsLabel.text
    assert "mm long" in panel.ui.precheckLabel.text


# The review itself: steps 5 to 11 of docs/review_in_13_pictures.md


def openReview(folder, result):
    """The panel with a result of its own; the first row is LN2, the most suspicious one."""
    panel = openPanel(folder, result, "happy")
    panel.openResult(str(shutil.copytree(result, folder / "own result")))
    assert panel.run.problem == "", panel.run.problem
    panel.ui.lymphNodeTable.selectRow(0)
    assert panel.table.selected().id == "LN2"
    return panel


def segmentOf(panel, name):
    return panel.parameters.segmentation.GetSegmentation().GetSegment(name)


def erase(panel, name, slices):
    """The lowest slices of one segment, as the eraser leaves it."""
    node, volumeNode = panel.parameters.segmentation, panel.parameters.inputVolume
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, name, volumeNode)
    first = array.any(axis=(1, 2)).argmax()
    array[first : first + slices] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, name, volumeNode)


def test_review_5_and_6_filter_select_and_highlight(folder, result):
    panel = openReview(folder, result)
    display = panel.parameters.segmentation.GetDisplayNode()
    assert display.GetSegmentOpacity2DFill("LN2") == 1 > display.GetSegmentOpacity2DFill("LN1")
    panel.ui.probabilityFilterSpinBox.value = 0.5
    assert [row.id for row in panel.table.listed] == ["LN2"]
    panel.ui.probabilityFilterSpinBox.value = 0.0


def test_review_7_heatmap_in_slices_and_on_the_surface(folder, result):
    panel = openReview(folder, result)
    combo = panel.ui.heatmapMethodComboBox
    combo.setCurrentIndex(combo.findData("gradcam"))
    panel.ui.heatmapScopeComboBox.setCurrentIndex(1)
    panel.ui.heatmapModeComboBox.setCurrentIndex(2)
    models = slicer.util.getNodesByClass("vtkMRMLModelNode")
    assert "LN2" in [model.GetAttribute("ECE.PaintedLymphNode") for model in models]
    combo.setCurrentIndex(0)


def test_review_8_edit_and_reclassify(folder, result):
    panel = openReview(folder, result)
    panel.ui.editButton.click()
    assert panel.ui.segmentEditorWidget.currentSegmentID() == "LN2"
    erase(panel, "LN2", 2)
    panel.ui.editButton.click()
    state = panel.reviewPart.state
    assert state.get("LN2").out_of_date and state.get("LN2").lymph_node.source == "SEMIAUTOMATIC"
    panel.ui.reclassifyAllButton.click()
    waitFor(lambda: not panel.reviewPart.state.edited, "the classifier")
    assert panel.reviewPart.state.get("LN2").former_ece_probability == 0.871


def test_review_9_add_merge_split_undo(folder, result):
    panel = openReview(folder, result)
    panel.ui.deleteButton.click()
    assert segmentOf(panel, "LN2") is None
    panel.ui.addButton.click()
    panel.reviewPart.place.node.AddControlPointWorld(-24.0, -12.0, 4.0)  # RAS of what was LN2's center
    waitFor(lambda: "LN4" in panel.reviewPart.state.ids, "the lymph node grown from the point")
    panel.ui.lymphNodeTable.selectAll()
    panel.ui.mergeButton.click()
    assert len(panel.reviewPart.state.ids) == 1
    while panel.ui.undoButton.enabled:
        panel.ui.undoButton.click()
    assert panel.reviewPart.state.ids == ("LN1", "LN2", "LN3") and segmentOf(panel, "LN2") is not None


def test_review_10_accept_and_call(folder, result):
    panel = openReview(folder, result)
    panel.ui.acceptButton.click()
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.GetSegmentStatus(segmentOf(panel, "LN2")) == logic.Completed
    panel.ui.verdictComboBox.setCurrentIndex(1)
    panel.ui.callButton.click()
    assert "Final call: ENE (also ECE)" in panel.ui.callLabel.text


def test_review_11_a_saved_scene_goes_on(folder, result):
    panel = openReview(folder, result)
    panel.ui.flagButton.click()
    erase(panel, "LN1", 1)
    panel.reviewPart.takeEdits()
    state = panel.reviewPart.state
    assert state.edited
    assert slicer.util.saveScene(str(folder / "review.mrb"))
    slicer.mrmlScene.Clear()
    slicer.util.loadScene(str(folder / "review.mrb"))
    slicer.app.processEvents()
    assert panel.reviewPart.state == state and panel.ui.lymphNodeTable.rowCount == 3


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]


def main():
    import a_result
    from LymphNodeSegLib import ensureCore

    ensureCore()
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        result = a_result.write(Path(temporary) / "saved")
        for number, test in enumerate(TESTS):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            try:
                test(folder, result)
                print(f"passed  {test.__name__}")
            except Exception:
                failed += 1
                print(f"FAILED  {test.__name__}\n{traceback.format_exc()}")
    slicer.util.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
