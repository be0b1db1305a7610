"""Set-up, pre-check, device and time, in both modules: what is there, what is missing, and one button each."""

import hashlib
import json
import zipfile

import numpy as np
import panel_host
import pytest
from panel_host import click, waitFor


@pytest.fixture(autouse=True)
def own_models(tmp_path, monkeypatch):
    monkeypatch.setenv("ECE_MODELS", str(tmp_path / "own models"))
    return tmp_path / "own models"


@pytest.fixture
def answer(monkeypatch):
    """What the user answers to a question, and what was asked."""
    import slicer

    asked = []
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, *_: asked.append(text) or answer.yes)
    answer.yes, answer.asked = True, asked
    return answer


@pytest.fixture
def setup(segmenter):
    """The panel with the set-up unfolded."""
    segmenter.ui.setupCollapsibleButton.collapsed = False
    panel_host.processEvents()
    return segmenter


def a_bundle(folder, version="1", task="lymph_node_segmentation"):
    header = b'{"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
    weights = len(header).to_bytes(8, "little") + header + b"xy"
    keys = ("architecture", "arguments", "input", "labels", "training_data", "metrics", "license", "intended_use")
    card = dict.fromkeys(keys, "x") | {"schema": "ece-model/1", "name": "tiny", "version": version, "task": task,
                                       "weights_sha256": hashlib.sha256(weights).hexdigest()}
    path = folder / f"tiny {version}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/model.json", json.dumps(card))
        archive.writestr("tiny/weights.safetensors", weights)
    return path


def choose(monkeypatch, path):
    """The user picks a file in the dialog."""
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: str(path))


# Packages, device, models


def test_all_that_is_there_is_ticked_and_the_device_comes_from_the_worker(segmenter, worker):
    ui = segmenter.ui
    assert ui.setupCollapsibleButton.collapsed
    assert ui.packagesLabel.text == "✔ Python packages" and not ui.packagesButton.enabled
    assert ui.packagesButton.toolTip == "All are installed."
    waitFor(lambda: segmenter.run.client.device, "the worker")
    assert ui.torchLabel.text == "✔ PyTorch, device: CPU"
    assert "✔ outlines: lymph-node-unet" in ui.modelsLabel.text
    assert "✔ classes and ECE: lymph-node-densenet" in ui.modelsLabel.text
    assert not ui.removeModelButton.enabled and ui.removeModelButton.toolTip == "You have imported no model."


def test_missing_packages_are_named_and_one_button_installs_them(setup):
    import slicer

    slicer.packaging.installed = {"scipy>=1.11"}
    setup.refresh()
    assert setup.ui.packagesLabel.text.startswith("✘ Python packages: pydicom")
    click(setup.ui.packagesButton)
    assert slicer.packaging.asked[0]["requester"] == "Lymph Node Segmentation"
    assert setup.ui.packagesLabel.text == "✔ Python packages"


def test_the_set_up_unfolds_where_something_is_missing(scene, a_neck_ct, open_panel):
    import slicer

    slicer.packaging.installed = set()
    panel = open_panel("ECEDetector")
    panel.enter()
    assert not panel.ui.setupCollapsibleButton.collapsed


def test_a_user_who_declines_reads_what_to_do(setup):
    import slicer

    slicer.packaging.installed, slicer.packaging.declines = set(), True
    setup.refresh()
    click(setup.ui.packagesButton)
    assert setup.ui.problemLabel.text == "Python packages that the analysis needs are not installed."
    assert setup.ui.packagesLabel.text.startswith("✘")


def test_without_pytorch_its_button_installs_it(setup, monkeypatch):
    monkeypatch.setattr(type(setup.dependencies), "_isInstalled", staticmethod(lambda package: package != "torch"))
    setup.refresh()
    assert setup.ui.torchLabel.text == "✘ PyTorch is not installed"
    assert setup.ui.torchButton.text == "Install PyTorch..."
    click(setup.ui.torchButton)
    assert "the PyTorch extension that installs it is missing" in setup.ui.problemLabel.text
    assert "Extensions Manager" in setup.ui.fixLabel.text


def test_the_device_is_looked_for_on_the_button(scene, a_neck_ct, open_panel):
    panel = open_panel("LymphNodeSeg")
    panel.ui.setupCollapsibleButton.collapsed = False
    panel_host.processEvents()
    assert panel.ui.torchLabel.text == "✔ PyTorch; the device is not known yet"
    click(panel.ui.torchButton)
    waitFor(lambda: "device: CPU" in panel.ui.torchLabel.text, "the worker")
    assert panel.ui.torchButton.toolTip == "It is known."


def test_a_model_is_imported_from_a_file_replaced_and_removed(setup, tmp_path, own_models, answer, monkeypatch):
    ui = setup.ui
    choose(monkeypatch, a_bundle(tmp_path))
    click(ui.importModelButton)
    assert ui.fixLabel.text == "Imported tiny 1." and "✔ outlines: tiny 1" in ui.modelsLabel.text
    assert setup.run.client.process is None, "the next run loads the new model"
    choose(monkeypatch, a_bundle(tmp_path, "2"))
    answer.yes = False
    click(ui.importModelButton)
    assert "already have a model named tiny. Replace it?" in answer.asked[-1]
    assert "✔ outlines: tiny 1" in ui.modelsLabel.text and "already have" in ui.problemLabel.text
    answer.yes = True
    click(ui.importModelButton)
    assert "✔ outlines: tiny 2" in ui.modelsLabel.text and ui.ownModelsComboBox.currentText == "tiny"
    click(ui.removeModelButton)
    assert answer.asked[-1] == "Remove the model tiny from this computer?"
    assert "✔ outlines: lymph-node-unet" in ui.modelsLabel.text and not (own_models / "tiny").exists()


def test_a_damaged_model_is_refused_in_words_and_the_former_stays(setup, tmp_path, answer, monkeypatch):
    choose(monkeypatch, a_bundle(tmp_path))
    click(setup.ui.importModelButton)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK no zip")
    choose(monkeypatch, broken)
    click(setup.ui.importModelButton)
    assert "it is not a zip file" in setup.ui.problemLabel.text
    assert "✔ outlines: tiny 1" in setup.ui.modelsLabel.text


def test_the_folder_of_a_bundle_is_taken_by_its_card(setup, tmp_path, monkeypatch):
    with zipfile.ZipFile(a_bundle(tmp_path)) as archive:
        archive.extractall(tmp_path / "stick")
    choose(monkeypatch, tmp_path / "stick" / "tiny" / "model.json")
    click(setup.ui.importModelButton)
    assert setup.ui.fixLabel.text == "Imported tiny 1."


def test_a_dialog_that_is_closed_changes_nothing(setup, own_models, monkeypatch):
    choose(monkeypatch, "")
    click(setup.ui.importModelButton)
    assert not own_models.exists() and not setup.ui.problemLabel.visible


def test_while_a_run_is_on_nothing_is_installed_or_replaced(setup, worker):
    worker.mode = "slow"
    click(setup.ui.applyButton)
    waitFor(lambda: setup.run.fraction == 0.6, "progress")
    for button in (setup.ui.packagesButton, setup.ui.torchButton, setup.ui.importModelButton):
        assert not button.enabled and button.toolTip == "Wait for the run to end, or cancel it."


# The chosen volume


def test_what_is_odd_about_the_scan_is_told_in_place_and_it_can_be_analyzed_all_the_same(detector):
    ui = detector.ui
    assert "⚠ The scan is 48 mm long; a neck takes about 235 mm." in ui.precheckLabel.text and ui.precheckLabel.visible
    assert ui.applyButton.enabled


def test_another_modality_stops_and_the_tooltip_says_why(detector, a_neck_ct, scene):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(a_neck_ct) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), a_neck_ct)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "MR")
    slicer.util.arrayFromVolumeModified(a_neck_ct)
    detector.refresh()
    assert not detector.ui.applyButton.enabled
    assert detector.ui.applyButton.toolTip == (
        "The volume is of modality MR, not CT. Choose the contrast CT of the neck.")


def test_a_gantry_tilt_stops(detector, a_neck_ct):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    a_neck_ct.GetIJKToRASMatrix(matrix)
    matrix.SetElement(1, 2, 0.6)
    a_neck_ct.SetIJKToRASMatrix(matrix)
    detector.refresh()
    assert not detector.ui.applyButton.enabled and "gantry tilt" in detector.ui.applyButton.toolTip


def test_voxels_that_change_are_looked_at_again(detector, a_neck_ct):
    import slicer

    assert "There is no body" not in detector.ui.precheckLabel.text
    slicer.util.updateVolumeFromArray(a_neck_ct, np.full((24, 48, 48), -1000, np.int16))
    detector.refresh()
    assert "There is no body in this scan" in detector.ui.precheckLabel.text and not detector.ui.applyButton.enabled


# Device and time


def test_device_and_time_are_said_as_a_guess_and_then_as_measured(segmenter, worker):
    import slicer

    ui = segmenter.ui
    waitFor(lambda: segmenter.run.client.device, "the worker")
    assert ui.expectedLabel.text == "Device: CPU. About 10 s."
    click(ui.applyButton)
    assert not ui.expectedLabel.visible
    waitFor(lambda: not segmenter.run.isActive, "the end of the run")
    (key,) = slicer.app.userSettings().values
    assert key == "ECEDetector/secondsPerLiter/segment/cpu"
    slicer.app.userSettings().setValue(key, "1000")
    segmenter.refresh()
    assert ui.expectedLabel.text == "Device: CPU. About 7 min.", "0.44 liters"


def test_a_graphics_card_that_nobody_has_measured_has_no_time(segmenter):
    segmenter.ui.deviceComboBox.setCurrentIndex(2)
    assert segmenter.ui.expectedLabel.text == (
        "Device: graphics card cuda:0. How long it takes is not known before the first run.")


# The volume during a run


def test_a_volume_that_is_replaced_during_the_run_is_told_and_nothing_is_lost(detector, worker, a_neck_ct):
    import slicer

    click(detector.ui.applyButton)
    waitFor(lambda: detector.run.fraction >= 0.1, "progress")
    slicer.util.updateVolumeFromArray(a_neck_ct, slicer.util.arrayFromVolume(a_neck_ct) + np.int16(1))
    waitFor(lambda: not detector.run.isActive, "the end of the run")
    assert detector.ui.problemLabel.text == "The volume was changed while it was analyzed."
    assert "Analyze it again" in detector.ui.fixLabel.text
    assert detector.ui.lymphNodeTable.rowCount == 3, "the result is there"


def test_a_volume_that_is_replaced_by_another_scan_keeps_the_result_folder(detector, worker, a_neck_ct, tmp_path):
    import slicer

    detector.parameters.resultsPath = str(tmp_path / "results")
    click(detector.ui.applyButton)
    waitFor(lambda: detector.run.fraction >= 0.1, "progress")
    slicer.util.updateVolumeFromArray(a_neck_ct, np.zeros((60, 48, 48), np.int16))
    waitFor(lambda: not detector.run.isActive, "the end of the run")
    assert "does not fit the chosen volume" in detector.ui.problemLabel.text
    assert "Choose the scan that was analyzed" in detector.ui.fixLabel.text
    assert len(list((tmp_path / "results").glob("*/result.json"))) == 1


def test_a_worker_that_is_killed_from_outside_is_told_and_the_next_run_works(detector, worker):
    import os
    import signal

    worker.mode = "slow"
    click(detector.ui.applyButton)
    waitFor(lambda: detector.run.fraction == 0.6, "progress")
    os.kill(detector.run.client.process.processId(), signal.SIGKILL)
    waitFor(lambda: not detector.run.isActive, "the end of the process")
    assert "ended unexpectedly" in detector.ui.problemLabel.text and "try again" in detector.ui.fixLabel.text
    worker.mode = "happy"
    click(detector.ui.applyButton)
    waitFor(lambda: not detector.run.isActive, "the end of the run")
    assert detector.run.problem == "" and detector.ui.lymphNodeTable.rowCount == 3


def test_a_result_of_a_newer_version_is_told_and_left_alone(detector, a_result_folder, tmp_path):
    import shutil

    folder = tmp_path / "newer"
    shutil.copytree(a_result_folder, folder)
    content = json.loads((folder / "result.json").read_text())
    newer = json.dumps({**content, "schema": "ece-result/9"})
    (folder / "result.json").write_text(newer)
    detector.openResult(str(folder))
    panel_host.processEvents()
    assert "written by a newer version (schema ece-result/9" in detector.ui.problemLabel.text
    assert "Update ECEDetector" in detector.ui.fixLabel.text and (folder / "result.json").read_text() == newer
