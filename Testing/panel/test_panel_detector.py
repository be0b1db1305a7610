"""The ECEDetector panel: real clicks, real MRML, a fake worker in a real process."""

from pathlib import Path

import numpy as np
import panel_host
import pytest
from panel_host import click, clickHeader, clickRow, column, waitFor

NAME, PROBABILITY, PLACE, SHORT_AXIS = 1, 2, 3, 4


def analyze(panel, seconds: float = 60.0) -> None:
    click(panel.ui.applyButton)
    assert panel.run.isActive, panel.run.problem
    waitFor(lambda: not panel.run.isActive, "the end of the run", seconds)


@pytest.fixture
def reviewed(detector, a_result_folder):
    """The panel with the saved result of three lymph nodes opened."""
    detector.openResult(str(a_result_folder))
    panel_host.processEvents()
    return detector


@pytest.fixture
def slice_views(scene):
    """The three slice views of the application's layout."""
    import slicer

    nodes = {}
    for name in ("Red", "Green", "Yellow"):
        node = scene.AddNode(slicer.vtkMRMLSliceNode())
        node.SetName(name)
        node.SetLayoutName(name)
        composite = scene.AddNode(slicer.vtkMRMLSliceCompositeNode())
        composite.SetLayoutName(name)
        nodes[name] = (node, composite)
    return nodes


def center_of(slice_node) -> list[float]:
    matrix = slice_node.GetSliceToRAS()
    return [matrix.GetElement(axis, 3) for axis in range(3)]


# Analyze


def test_analyze_ends_with_segmentation_heatmaps_table_and_banner(detector, worker, slice_views):
    analyze(detector)
    assert detector.run.problem == ""
    segmentation = detector.parameters.segmentation.GetSegmentation()
    assert [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())] == ["LN1", "LN2", "LN3"]
    assert sorted(detector.heatmaps) == ["gradcam", "guided-backprop"]
    assert detector.ui.patientLabel.text == "ECE probability 0.88"
    assert "1 of 3 lymph nodes at 0.50 or more." in detector.ui.patientDetailsLabel.text
    assert "Research use only. Not a medical device." in detector.ui.patientDetailsLabel.text
    assert "Part of the neck is not in the scan." in detector.ui.warningsLabel.text
    assert column(detector.ui.lymphNodeTable, NAME) == ["LN2", "LN3", "LN1"]
    red = slice_views["Red"][1]
    assert red.GetForegroundVolumeID() == detector.heatmaps["gradcam"].GetID()
    assert detector.ui.applyButton.text == "Analyze" and detector.ui.applyButton.enabled


def test_the_worker_is_asked_for_what_the_options_say(detector, worker):
    click(detector.ui.guidedBackpropCheckBox)
    detector.ui.deviceComboBox.setCurrentIndex(1)
    analyze(detector)
    request = worker.request("analyze")
    assert request["options"] == {"device": "cpu", "explain": ["gradcam"]}
    assert request["files"] == ["ct.nrrd"]


def test_the_scan_goes_over_with_its_voxels_and_geometry_and_without_its_name(detector, worker, a_neck_ct, monkeypatch):
    import a_result
    from ece_core.io import read_ct
    from LymphNodeSegLib.VolumeHandover import VolumeHandover

    a_neck_ct.SetName("DOE^JANE")
    handover = VolumeHandover(a_neck_ct)
    scan = read_ct(handover.path).volume
    assert b"DOE" not in handover.path.read_bytes() and "DOE" not in str(handover.path)
    handover.remove()
    np.testing.assert_array_equal(scan.array, a_result.ct_array())
    np.testing.assert_allclose(scan.affine, a_result.affine_lps())
    assert not handover.folder.exists()


def test_a_volume_from_dicom_goes_over_as_its_files(detector, worker, a_neck_ct, tmp_path):
    import slicer

    count = a_neck_ct.GetImageData().GetDimensions()[2]
    for number in range(count):
        (tmp_path / f"IM{number}").write_bytes(b"slice %d" % number)
        slicer.dicomDatabase.files[f"1.2.{number}"] = str(tmp_path / f"IM{number}")
    a_neck_ct.SetAttribute("DICOM.instanceUIDs", " ".join(slicer.dicomDatabase.files))
    analyze(detector)
    assert worker.request("analyze")["files"] == [f"{number:06d}.dcm" for number in range(count)]


@pytest.mark.parametrize("missing", ["a file", "a slice"])
def test_a_dicom_volume_that_is_not_its_files_goes_over_as_voxels(detector, worker, a_neck_ct, tmp_path, missing):
    """A file that was deleted, or a volume cropped after loading: the UIDs alone would name another scan."""
    import slicer

    count = a_neck_ct.GetImageData().GetDimensions()[2]
    for number in range(count - 1 if missing == "a slice" else count):
        (tmp_path / f"IM{number}").write_bytes(b"slice")
        slicer.dicomDatabase.files[f"1.2.{number}"] = str(tmp_path / f"IM{number}")
    if missing == "a file":
        (tmp_path / "IM3").unlink()
    a_neck_ct.SetAttribute("DICOM.instanceUIDs", " ".join(slicer.dicomDatabase.files))
    analyze(detector)
    assert worker.request("analyze")["files"] == ["ct.nrrd"]


def test_the_result_lands_in_the_chosen_folder_named_by_time_alone(detector, worker, a_neck_ct, tmp_path):
    a_neck_ct.SetName("DOE^JANE")
    detector.ui.resultsPathLineEdit.currentPath = str(tmp_path / "my results")
    analyze(detector)
    folder = worker.request("analyze")["out"]
    assert folder.startswith(str(tmp_path / "my results")) and "DOE" not in folder
    assert detector.ui.fixLabel.text == f"Result folder: {Path(folder).name}"
    assert folder in detector.ui.reportButton.toolTip


def test_stages_percent_and_time_are_shown_while_it_runs(detector, worker):
    worker.mode = "slow"
    click(detector.ui.applyButton)
    waitFor(lambda: detector.ui.progressBar.value == 60, "the second stage")
    assert detector.ui.stageLabel.text == "Finding lymph nodes"
    assert "0:00 elapsed, about 0:4" in detector.ui.timeLabel.text
    assert detector.ui.progressBar.visible and not detector.ui.inputSelector.enabled


def test_what_the_worker_and_its_libraries_print_is_under_details(detector, worker):
    worker.mode = "chatty"
    analyze(detector)
    waitFor(lambda: "a warning of a library" in detector.ui.logTextEdit.toPlainText(), "the log")
    assert "a library that prints to stdout" in detector.ui.logTextEdit.toPlainText()
    assert detector.ui.detailsCollapsibleButton.collapsed


# Ending early


def test_analyze_becomes_cancel_and_cancel_leaves_nothing(detector, worker, tmp_path):
    import slicer

    worker.mode = "slow"
    before = slicer.mrmlScene.GetNumberOfNodes()
    click(detector.ui.applyButton)
    waitFor(lambda: detector.run.fraction == 0.6, "progress")
    assert detector.ui.applyButton.text == "Cancel"
    click(detector.ui.applyButton)
    waitFor(lambda: not detector.run.isActive, "the cancel")
    assert detector.ui.fixLabel.text == "Cancelled. Nothing was written."
    assert detector.ui.applyButton.text == "Analyze"
    assert worker.request("cancel")["id"] == worker.request("analyze")["id"]
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert leftovers(tmp_path) == []


def leftovers(folder) -> list[str]:
    """Handed-over scans and half-written results that are still on disk."""
    return [str(path) for pattern in ("slicer-temp/ece-*", "**/*.partial-*") for path in folder.glob(pattern)]


def test_a_worker_that_does_not_answer_a_cancel_is_ended_with_its_children(detector, worker, tmp_path, monkeypatch):
    import sys

    worker.mode = "deaf"
    monkeypatch.setattr(sys.modules["LymphNodeSegLib.WorkerClient"], "CANCEL_GRACE_MS", 300)
    click(detector.ui.applyButton)
    child = tmp_path / "asked.child"
    waitFor(lambda: detector.run.fraction == 0.6 and child.exists() and child.read_text(), "progress")
    click(detector.ui.applyButton)
    assert detector.ui.applyButton.text == "Cancelling..." and not detector.ui.applyButton.enabled
    assert detector.ui.applyButton.toolTip == "The run is being cancelled."
    waitFor(lambda: not detector.run.isActive, "the end of the process")
    assert not is_running(int(child.read_text()))
    waitFor(lambda: leftovers(tmp_path) == [], "an empty disk")


def is_running(process_id: int) -> bool:
    import psutil

    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_error_of_the_worker_is_in_the_panel_problem_first(detector, worker):
    worker.mode = "error"
    analyze(detector)
    assert detector.ui.problemLabel.visible and detector.ui.fixLabel.visible
    assert detector.ui.problemLabel.text == "The scan has a gantry tilt of 18.5 degrees."
    assert detector.ui.fixLabel.text == "Reconstruct the series without tilt."
    assert detector.ui.applyButton.enabled


def test_a_worker_that_dies_is_told_and_the_next_run_works(detector, worker, tmp_path):
    worker.mode = "dies"
    analyze(detector)
    assert detector.ui.problemLabel.text == "The analysis process ended unexpectedly (exit code 137)."
    assert "memory" in detector.ui.fixLabel.text
    assert leftovers(tmp_path) == []
    worker.mode = "happy"
    analyze(detector)
    assert not detector.ui.problemLabel.visible and detector.ui.lymphNodeTable.rowCount == 3


def test_a_worker_that_cannot_start_is_told(detector, monkeypatch):
    from LymphNodeSegLib import QtWorkerProcess

    detector.run.client.stop()
    detector.run.client._makeProcess = lambda: QtWorkerProcess(program="/nowhere/PythonSlicer")
    click(detector.ui.applyButton)
    waitFor(lambda: not detector.run.isActive, "the end")
    assert detector.ui.problemLabel.text == "The analysis process could not be started."


def test_closing_the_scene_ends_the_process(detector, worker, tmp_path):
    import slicer

    worker.mode = "slow"
    click(detector.ui.applyButton)
    waitFor(lambda: detector.run.fraction == 0.6, "progress")
    process_id = worker.processes[-1].processId()
    slicer.mrmlScene.Clear()
    assert not detector.run.isActive and not is_running(process_id)
    assert detector.ui.fixLabel.text == "The scene was closed, so the run was ended."
    assert not detector.ui.applyButton.enabled
    assert detector.ui.applyButton.toolTip == "Choose a contrast neck CT first."
    assert leftovers(tmp_path) == []


def test_removing_the_volume_ends_the_process(detector, worker, a_neck_ct, tmp_path):
    import slicer

    worker.mode = "slow"
    click(detector.ui.applyButton)
    waitFor(lambda: detector.run.fraction == 0.6, "progress")
    process_id = worker.processes[-1].processId()
    slicer.mrmlScene.RemoveNode(a_neck_ct)
    assert not detector.run.isActive and not is_running(process_id)
    assert detector.ui.fixLabel.text == "The volume was removed, so the run was ended."
    assert leftovers(tmp_path) == []


def test_removing_another_node_changes_nothing(detector, worker):
    import a_result
    import slicer

    other = a_result.addVolume("another")
    worker.mode = "slow"
    click(detector.ui.applyButton)
    waitFor(lambda: detector.run.fraction == 0.6, "progress")
    slicer.mrmlScene.RemoveNode(other)
    assert detector.run.isActive


def test_closing_the_module_ends_the_process(scene, a_neck_ct, worker):
    widget = panel_host.openModule("ECEDetector", worker.makeProcess)
    worker.mode = "slow"
    widget.enter()
    click(widget.panel.ui.applyButton)
    waitFor(lambda: widget.panel.run.fraction == 0.6, "progress")
    process_id = worker.processes[-1].processId()
    widget.cleanup()
    assert not is_running(process_id)


# Before a run


def test_the_button_says_why_it_is_disabled(open_panel):
    panel = open_panel("ECEDetector")
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Choose a contrast neck CT first."


def test_a_volume_that_cannot_be_analyzed_says_why(detector, a_neck_ct, scene):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    a_neck_ct.SetAndObserveTransformNodeID(transform.GetID())
    detector.updateFromParameters()
    assert not detector.ui.applyButton.enabled
    assert "Harden the transform" in detector.ui.applyButton.toolTip


def test_a_heatmap_is_not_offered_as_a_scan(reviewed, a_neck_ct, scene):
    import sys

    reviewed.parameters.inputVolume = reviewed.heatmaps["gradcam"]
    reviewed.updateFromParameters()
    assert reviewed.ui.applyButton.toolTip == "This volume is a heatmap. Choose the scan it was made from."
    first_scan = sys.modules["LymphNodeSegLib.AnalysisPanel"].firstScan
    assert first_scan() is a_neck_ct
    scene.RemoveNode(a_neck_ct)
    assert first_scan() is None


@pytest.mark.parametrize("name", ["jumpButton", "reportButton", "heatmapMethodComboBox", "heatmapOpacitySlider",
                                  "heatmapThresholdSlider"])
def test_without_a_result_its_buttons_say_why(detector, name):
    widget = getattr(detector.ui, name)
    assert not widget.enabled
    assert widget.toolTip == "Analyze a scan or open a result folder first."


def test_missing_packages_are_named_and_installed_on_the_button_only(detector, worker):
    import slicer

    slicer.packaging.installed = set()
    detector.refresh()
    assert "scikit-image" in detector.ui.setupLabel.text and detector.ui.setupLabel.visible
    assert slicer.packaging.asked == []
    analyze(detector)
    (asked,) = slicer.packaging.asked
    assert asked["requester"] == "ECE Detector"
    assert set(asked["skip"]) == {"numpy", "SimpleITK", "torch", "torchvision"}
    assert not detector.ui.setupLabel.visible


def test_a_user_who_declines_the_packages_reads_what_to_do(detector, worker):
    import slicer

    slicer.packaging.installed, slicer.packaging.declines = set(), True
    click(detector.ui.applyButton)
    assert detector.ui.problemLabel.text == "Python packages that the analysis needs are not installed."
    assert "agree to the installation" in detector.ui.fixLabel.text
    assert worker.asked == []


@pytest.mark.parametrize(("torch", "problem"), [
    pytest.param("no extension", "the PyTorch extension that installs it is missing", id="extension missing"),
    pytest.param("declined", "PyTorch was not installed", id="user declined"),
    pytest.param("fails", "PyTorch was not installed", id="installation failed"),
])
def test_torch_comes_from_the_pytorch_extension(detector, worker, monkeypatch, torch, problem):
    import sys
    import types

    class PyTorchUtilsLogic:
        def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
            assert askConfirmation and torchVersionRequirement == ">=2.2"
            if torch == "fails":
                raise RuntimeError("pip failed")

    monkeypatch.setattr(type(detector.dependencies), "_isInstalled", staticmethod(lambda package: package != "torch"))
    extension = None if torch == "no extension" else types.SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    click(detector.ui.applyButton)
    assert problem in detector.ui.problemLabel.text
    assert detector.ui.fixLabel.text and worker.asked == []


# The table


def test_rows_stand_by_probability_as_numbers(reviewed):
    """As text, 0.094 would stand before 0.1 rounded alike; in the table both read 0.09 and 0.10."""
    assert column(reviewed.ui.lymphNodeTable, PROBABILITY) == ["0.87", "0.10", "0.09"]


def test_a_click_on_a_header_sorts_as_numbers_and_again_turns_it_round(reviewed):
    table = reviewed.ui.lymphNodeTable
    clickHeader(table, SHORT_AXIS)
    assert column(table, SHORT_AXIS) == ["21.4", "9.5", "6.2"]  # as text 9.5 would come first
    clickHeader(table, SHORT_AXIS)
    assert column(table, SHORT_AXIS) == ["6.2", "9.5", "21.4"]
    clickHeader(table, PLACE)
    assert column(table, PLACE) == ["left, IB", "left, III", "right, IIA"]


def a_row(lymph_node):
    import numpy as np
    from ece_core.review import Outline, ReviewedLymphNode

    return ReviewedLymphNode(lymph_node, Outline((0, 0, 0), np.ones((1, 1, 1), bool)))


def test_what_is_not_evaluable_says_so_where_the_probability_would_stand(reviewed):
    from types import SimpleNamespace

    from ece_core.lymph_nodes.lymph_node import LymphNode
    from ECEDetectorLib.DetectorPanel import patientDetailsText
    from ECEDetectorLib.LymphNodeTable import probabilityBar, rowToolTip

    hidden = a_row(LymphNode("LN1", 1, "metastatic", {"N": 0.2, "metastatic": 0.8}, not_evaluable=("cut off",)))
    assert probabilityBar(hidden).format == "not evaluable" and probabilityBar(hidden).value == 0
    assert "not evaluable: cut off" in rowToolTip(hidden)
    unsure = a_row(LymphNode("LN2", 2, "P", {"N": 0.1, "P": 0.6, "ENE": 0.3}, 0.3, class_set=("P", "ENE")))
    assert probabilityBar(unsure).format == "0.30 P/ENE?" and "not sure: P or ENE" in rowToolTip(unsure)
    sure = a_row(LymphNode("LN2", 2, "P", {"N": 0.1, "P": 0.6, "ENE": 0.3}, 0.3, class_set=("P",)))
    assert probabilityBar(sure).format == "0.30"
    patient = {"method": "max", "not_evaluable": 1}
    result = SimpleNamespace(patient=patient, lymph_nodes=(hidden.lymph_node,), research_use_only="")
    assert "1 not evaluable, left out." in patientDetailsText(result)


def test_a_single_click_selects_and_dims_the_others_but_moves_no_view(reviewed, slice_views):
    before = center_of(slice_views["Red"][0])
    clickRow(reviewed.ui.lymphNodeTable, 0)
    assert reviewed.table.selected().id == "LN2"
    display = reviewed.parameters.segmentation.GetDisplayNode()
    assert display.GetSegmentOpacity2DFill("LN2") == 1.0
    assert display.GetSegmentOpacity2DFill("LN1") == display.GetSegmentOpacity2DOutline("LN3") == 0.25
    assert center_of(slice_views["Red"][0]) == before


@pytest.mark.parametrize("way", ["double click", "Enter", "button"])
def test_a_row_jumps_all_views(reviewed, slice_views, way):
    """LN1 is centered on voxel (k 8, j 14, i 12): LPS (-24, -20, -4), so RAS (24, 20, -4)."""
    from PySide6 import QtCore, QtTest

    table = reviewed.ui.lymphNodeTable
    clickRow(table, 2, double=way == "double click")
    if way == "Enter":
        QtTest.QTest.keyClick(table, QtCore.Qt.Key_Return)
    elif way == "button":
        click(reviewed.ui.jumpButton)
    panel_host.processEvents()
    for node, _composite in slice_views.values():
        np.testing.assert_allclose(center_of(node), (24.0, 20.0, -4.0), atol=0.1)


def test_the_selection_survives_sorting(reviewed):
    clickRow(reviewed.ui.lymphNodeTable, 0)
    clickHeader(reviewed.ui.lymphNodeTable, SHORT_AXIS)
    clickHeader(reviewed.ui.lymphNodeTable, SHORT_AXIS)
    assert reviewed.table.selected().id == "LN2"
    assert reviewed.ui.lymphNodeTable.currentRow() == 2


def test_the_jump_button_asks_for_a_selection(reviewed):
    assert not reviewed.ui.jumpButton.enabled
    assert reviewed.ui.jumpButton.toolTip == "Select a lymph node in the table first."
    clickRow(reviewed.ui.lymphNodeTable, 1)
    assert reviewed.ui.jumpButton.enabled


def test_a_lymph_node_that_was_erased_is_told(reviewed):
    reviewed.parameters.segmentation.GetSegmentation().RemoveSegment("LN2")
    clickRow(reviewed.ui.lymphNodeTable, 0, double=True)
    assert "LN2 is not in the segmentation" in reviewed.ui.problemLabel.text


# The heatmap


def test_the_method_menu_off_and_on(detector, a_result_folder, slice_views):
    detector.openResult(str(a_result_folder))
    combo, red = detector.ui.heatmapMethodComboBox, slice_views["Red"][1]
    names = [combo.itemText(n) for n in range(combo.count)]
    assert names[:4] == ["Off", "Grad-CAM", "Guided backpropagation", "Guided Grad-CAM (not computed)"]
    combo.setCurrentIndex(2)
    assert red.GetForegroundVolumeID() == detector.heatmaps["guided-backprop"].GetID()
    combo.setCurrentIndex(0)
    assert not red.GetForegroundVolumeID()
    assert not detector.ui.heatmapOpacitySlider.enabled
    assert detector.ui.heatmapOpacitySlider.toolTip == "Choose a method first."


def test_opacity_and_threshold_sliders_move_the_views(detector, a_result_folder, slice_views):
    detector.openResult(str(a_result_folder))
    detector.ui.heatmapOpacitySlider.value = 0.8
    detector.ui.heatmapThresholdSlider.value = 0.6
    assert slice_views["Red"][1].GetForegroundOpacity() == pytest.approx(0.8)
    assert detector.heatmaps["gradcam"].GetDisplayNode().GetLowerThreshold() == pytest.approx(0.6)


def test_a_heatmap_that_the_user_deleted_leaves_the_menu(reviewed, scene):
    scene.RemoveNode(reviewed.heatmaps["gradcam"])
    reviewed.updateFromParameters()
    combo = reviewed.ui.heatmapMethodComboBox
    names = [combo.itemText(n) for n in range(combo.count)]
    assert names[:3] == ["Off", "Guided backpropagation", "Grad-CAM (not computed)"]


# Saved results and scenes


def test_a_saved_result_opens_by_the_button(detector, worker, a_result_folder, monkeypatch):
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(a_result_folder))
    click(detector.ui.openResultButton)
    assert column(detector.ui.lymphNodeTable, NAME) == ["LN2", "LN3", "LN1"]
    assert detector.ui.reportButton.enabled and worker.asked == []


def test_a_dialog_that_is_closed_changes_nothing(detector, monkeypatch):
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: "")
    click(detector.ui.openResultButton)
    assert detector.result is None and not detector.ui.problemLabel.visible


def test_a_folder_that_is_no_result_is_told_in_the_panel(detector, tmp_path):
    detector.openResult(str(tmp_path))
    assert detector.ui.problemLabel.text == "This folder is not a whole result: it has no result.json."
    assert detector.ui.fixLabel.text.startswith("Choose a folder")


def test_a_saved_result_opens_without_torch_and_monai(detector, a_result_folder, monkeypatch):
    import sys

    for name in ("torch", "monai"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises
    detector.openResult(str(a_result_folder))
    assert detector.run.problem == "" and detector.ui.lymphNodeTable.rowCount == 3


def test_the_report_opens_in_the_browser(reviewed, a_result_folder, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    click(reviewed.ui.reportButton)
    assert opened == [str(a_result_folder / "report.html")]


def test_a_report_that_is_gone_is_told_in_the_tooltip(reviewed, tmp_path):
    reviewed.parameters.resultFolder = str(tmp_path)
    reviewed.refresh()
    assert not reviewed.ui.reportButton.enabled
    assert reviewed.ui.reportButton.toolTip == "The result folder is not there any more."


def test_a_saved_scene_comes_back_with_its_table_and_choices(reviewed, tmp_path, open_panel):
    import slicer

    reviewed.ui.heatmapMethodComboBox.setCurrentIndex(2)
    reviewed.ui.heatmapOpacitySlider.value = 0.35
    click(reviewed.ui.gradCamCheckBox)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    panel_host.processEvents()
    assert reviewed.ui.lymphNodeTable.rowCount == 0
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    panel_host.processEvents()
    assert column(reviewed.ui.lymphNodeTable, NAME) == ["LN2", "LN3", "LN1"]
    assert reviewed.ui.heatmapMethodComboBox.currentText == "Guided backpropagation"
    assert reviewed.ui.heatmapOpacitySlider.value == pytest.approx(0.35)
    assert not reviewed.ui.gradCamCheckBox.checked
