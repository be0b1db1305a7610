"""Sending to a PACS: nothing without the click that names server and count; progress, cancel, what did not arrive."""

import os
import shutil
import stat
from pathlib import Path

import panel_host
import pytest
from panel_host import click, press, waitFor, write

SERVER = "https://pacs.example:8443/dicom-web"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("ECE_PACS")]:
        monkeypatch.delenv(name)


@pytest.fixture
def panel(detector_of_dicom):
    return detector_of_dicom


@pytest.fixture
def dialog(panel):
    """The dialog of the result folder, with a server named."""
    opened = openSend(panel)
    write(opened.ui.serverLineEdit, SERVER)
    return opened


def openSend(panel):
    click(panel.ui.sendButton)
    assert panel.exportPart.sendDialog.widget.visible
    return panel.exportPart.sendDialog


def export(panel, tmp_path) -> None:
    click(panel.ui.exportButton)
    panel.exportPart.dialog.ui.folderPathLineEdit.currentPath = str(tmp_path / "exports")
    click(panel.exportPart.dialog.ui.exportButton)
    assert panel.exportPart.dialog.ui.problemLabel.text == ""


def sends(worker) -> list:
    return [asked for asked in worker.asked if asked["request"] == "send"]


def ended(dialog) -> None:
    waitFor(lambda: not dialog.isActive, "the end of sending")


def test_without_a_result_the_button_says_why(detector):
    assert not detector.ui.sendButton.enabled
    assert detector.ui.sendButton.toolTip == "Analyze a scan or open a result folder first."


def test_without_a_server_nothing_can_be_sent(panel, worker):
    ui = openSend(panel).ui
    assert not ui.sendButton.enabled and ui.sendButton.toolTip == "Type the address of the PACS."
    assert ui.sendButton.text == "Send" and ui.serverLabel.text == "Type the address of the PACS."
    click(ui.sendButton)
    assert sends(worker) == []


@pytest.mark.parametrize(
    "address, words",
    [("pacs.example", "not one that we know. Give https://HOST/PATH"),
     ("https://reader:secret@pacs.example/", "holds a user name or a password"),
     ("dicom://ARCHIVE@pacs.example", "not one that we know")],
)  # fmt: skip
def test_an_address_that_cannot_be_used_says_why_and_is_not_kept(panel, address, words):
    import slicer

    ui = openSend(panel).ui
    write(ui.serverLineEdit, address)
    assert not ui.sendButton.enabled and words in ui.serverLabel.text and words in ui.sendButton.toolTip
    assert slicer.app.userSettings().values == {}


def test_the_button_names_server_and_count_and_only_a_click_on_it_sends(dialog, worker, panel):
    ui = dialog.ui
    folder = panel.parameters.resultFolder
    assert ui.sendButton.text == "Send 4 DICOM objects to pacs.example:8443" and ui.sendButton.enabled
    assert ui.serverLabel.text == "pacs.example:8443 (DICOMweb, encrypted)"
    assert ui.objectsLabel.text.startswith("4 DICOM objects: ") and "seg.dcm, sr.dcm" in ui.objectsLabel.text
    assert "without your review" in ui.objectsLabel.text
    write(ui.serverLineEdit, SERVER)  # with Enter, which must not push the button
    assert not dialog.isActive and sends(worker) == []
    click(ui.sendButton)
    ended(dialog)
    (asked,) = sends(worker)
    assert {key: asked[key] for key in asked if key not in ("id", "files")} == {
        "request": "send", "path": folder, "server": SERVER,
    }  # fmt: skip
    assert ui.problemLabel.text == ""
    assert ui.messageLabel.text == "Sent: 3 of 4 DICOM objects. 1 had arrived before."


def test_the_last_export_is_what_is_sent_and_says_when_the_review_has_gone_on(panel, worker, tmp_path):
    export(panel, tmp_path)
    dialog = openSend(panel)
    ui = dialog.ui
    assert ui.whatComboBox.currentText.startswith("Your last export (20") and ui.whatComboBox.count == 2
    assert ui.objectsLabel.text == "2 DICOM objects: seg.dcm, sr.dcm"
    write(ui.serverLineEdit, "dicoms://ARCHIVE@pacs.example:2762")
    assert ui.serverLabel.text == "pacs.example:2762 (DIMSE, AE title ARCHIVE, encrypted)"
    assert ui.sendButton.text == "Send 2 DICOM objects to pacs.example:2762"
    click(ui.sendButton)
    ended(dialog)
    (folder,) = (tmp_path / "exports").iterdir()
    assert sends(worker)[0]["path"] == str(folder) and ui.messageLabel.text.startswith("Sent: 1 of 2 DICOM objects.")
    press(panel.ui.lymphNodeTable, "f")
    dialog.look()
    assert "The review has gone on since this export. Export again" in ui.objectsLabel.text
    ui.whatComboBox.setCurrentIndex(1)
    assert ui.sendButton.text.startswith("Send 4 DICOM objects to") and ui.messageLabel.text == ""


def test_an_export_while_the_dialog_is_open_is_offered_at_once(panel, dialog, tmp_path):
    assert dialog.ui.whatComboBox.count == 1
    export(panel, tmp_path)
    assert dialog.ui.whatComboBox.currentText.startswith("Your last export")
    assert dialog.ui.sendButton.text == "Send 2 DICOM objects to pacs.example:8443"


def test_the_export_of_another_result_is_not_offered(panel, tmp_path, a_result_folder):
    export(panel, tmp_path)
    panel.openResult(str(shutil.copytree(a_result_folder, tmp_path / "another")))
    panel_host.processEvents()
    ui = openSend(panel).ui
    assert ui.whatComboBox.count == 1 and not ui.sendButton.enabled
    assert "There is no DICOM file to send." in ui.objectsLabel.text
    assert "analyze the DICOM series" in ui.sendButton.toolTip


def test_a_folder_that_changed_after_the_count_is_not_sent(dialog, worker, panel, a_dicom_result):
    slice_ = next((a_dicom_result / "series").rglob("*.dcm"))
    shutil.copy(slice_, Path(panel.parameters.resultFolder) / "dicom" / "more.dcm")
    click(dialog.ui.sendButton)
    assert "changed since the count was made; nothing was sent" in dialog.ui.problemLabel.text and sends(worker) == []
    assert dialog.ui.sendButton.text == "Send 5 DICOM objects to pacs.example:8443"
    click(dialog.ui.sendButton)
    ended(dialog)
    assert len(sends(worker)) == 1


def test_a_result_folder_that_has_gone_says_so(dialog, worker, panel):
    shutil.rmtree(panel.parameters.resultFolder)
    click(dialog.ui.sendButton)
    assert sends(worker) == [] and not dialog.ui.sendButton.enabled
    assert "There is nothing to send. Export the review into a folder first." in dialog.ui.objectsLabel.text


def test_a_connection_that_others_can_read_is_said_before_and_after(dialog, worker):
    ui = dialog.ui
    write(ui.serverLineEdit, "http://127.0.0.1:8042/dicom-web")
    assert "⚠" not in ui.serverLabel.text, "nobody is between us and this computer"
    write(ui.serverLineEdit, "http://pacs.example/dicom-web")
    assert "not encrypted: whoever is on the network can read it" in ui.serverLabel.text
    click(ui.sendButton)
    ended(dialog)
    assert "⚠ The connection is not encrypted" in ui.messageLabel.text


def test_the_address_is_kept_and_nothing_of_the_credentials(dialog, worker, panel, tmp_path):
    import slicer

    file = tmp_path / "credentials.json"
    file.write_text('{"username": "reader", "password": "hidden-word"}')
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    dialog.ui.credentialsPathLineEdit.currentPath = str(file)
    click(dialog.ui.sendButton)
    ended(dialog)
    assert sends(worker)[0]["credentials"] == str(file)
    assert slicer.app.userSettings().values == {"ECEDetector/pacsServer": SERVER}
    assert "hidden-word" not in worker.record.read_text(), "the worker reads the file itself"
    panel.exportPart.close()
    assert openSend(panel).ui.serverLineEdit.text == SERVER
    assert panel.exportPart.sendDialog.ui.credentialsPathLineEdit.currentPath == ""


def test_the_environment_names_the_server_where_none_is_typed(panel, worker, monkeypatch):
    monkeypatch.setenv("ECE_PACS", "dicom://ARCHIVE@127.0.0.1:4242")
    dialog = openSend(panel)
    assert dialog.ui.serverLineEdit.placeholderText == "dicom://ARCHIVE@127.0.0.1:4242"
    assert dialog.ui.sendButton.text == "Send 4 DICOM objects to 127.0.0.1:4242"
    click(dialog.ui.sendButton)
    ended(dialog)
    assert sends(worker)[0]["server"] == "dicom://ARCHIVE@127.0.0.1:4242"


def test_progress_is_shown_and_cancel_ends_it(dialog, worker, panel):
    worker.mode = "slow"
    ui = dialog.ui
    click(ui.sendButton)
    assert ui.progressBar.visible and not ui.serverLineEdit.enabled and not ui.whatComboBox.enabled
    waitFor(lambda: ui.progressBar.value == 50, "progress")
    assert ui.progressLabel.text == "2 of 4 objects are there." and ui.sendButton.text == "Cancel"
    assert panel.ui.applyButton.toolTip == "Wait until the results are sent, or cancel that."
    assert not panel.ui.applyButton.enabled and panel.ui.sendButton.text == "Sending..."
    click(ui.sendButton)
    assert ui.sendButton.text == "Cancelling..." and not ui.sendButton.enabled
    ended(dialog)
    assert ui.messageLabel.text == "Cancelled. What has arrived stays there; sending again moves only the rest."
    assert not ui.progressBar.visible and ui.sendButton.text == "Send 4 DICOM objects to pacs.example:8443"
    assert panel.ui.applyButton.enabled and panel.ui.sendButton.text == "Send results..."


def test_a_closed_dialog_goes_on_and_what_came_of_it_is_read_later(dialog, worker, panel, scene):
    worker.mode = "slow"
    click(dialog.ui.sendButton)
    click(dialog.ui.closeButton)
    assert not dialog.widget.visible and dialog.isActive and panel.ui.sendButton.enabled
    panel.run.client.cancel()
    ended(dialog)
    openSend(panel)
    assert dialog.ui.messageLabel.text.startswith("Cancelled.")


def test_what_did_not_arrive_is_listed_by_file_with_its_reason(panel, worker, tmp_path):
    export(panel, tmp_path)
    dialog = openSend(panel)
    write(dialog.ui.serverLineEdit, SERVER)
    worker.mode = "partial"
    click(dialog.ui.sendButton)
    ended(dialog)
    assert dialog.ui.problemLabel.text == "1 of 2 DICOM objects were not sent."
    assert dialog.ui.failuresTextEdit.visible
    assert dialog.ui.failuresTextEdit.plainText == "seg.dcm: refused: it is full (A700)"
    assert dialog.ui.messageLabel.text == "Start it again."
    worker.mode = "happy"
    click(dialog.ui.sendButton)
    ended(dialog)
    assert not dialog.ui.failuresTextEdit.visible and dialog.ui.messageLabel.text.startswith("Sent:")


def test_an_error_is_told_in_the_words_of_the_core(dialog, worker):
    worker.mode = "error"
    click(dialog.ui.sendButton)
    ended(dialog)
    assert dialog.ui.problemLabel.visible and "gantry tilt" in dialog.ui.problemLabel.text
    assert dialog.ui.messageLabel.text == "Reconstruct the series without tilt." and dialog.ui.sendButton.enabled


def test_a_worker_that_dies_is_told_and_the_next_click_works(dialog, worker):
    worker.mode = "dies"
    click(dialog.ui.sendButton)
    ended(dialog)
    assert "ended unexpectedly" in dialog.ui.problemLabel.text
    worker.mode = "happy"
    click(dialog.ui.sendButton)
    ended(dialog)
    assert dialog.ui.problemLabel.text == "" and dialog.ui.messageLabel.text.startswith("Sent:")


def test_while_an_analysis_runs_it_waits(dialog, worker, panel):
    worker.mode = "slow"
    click(panel.ui.applyButton)
    assert not dialog.ui.sendButton.enabled
    assert dialog.ui.sendButton.toolTip == "Wait for the run to end, or cancel it."
    panel.run.cancel()
    waitFor(lambda: not panel.run.isActive, "the cancel")
    assert dialog.ui.sendButton.enabled


def test_the_library_is_installed_on_the_click_and_a_no_is_told(dialog, worker, scene):
    import slicer

    slicer.packaging.installed, slicer.packaging.declines = set(), True
    click(dialog.ui.sendButton)
    assert dialog.ui.problemLabel.text == "The Python package that sends to a PACS is not installed."
    assert "agree to the installation" in dialog.ui.messageLabel.text and sends(worker) == []
    assert not dialog.isActive and slicer.app.userSettings().values == {}
    slicer.packaging.declines = False
    click(dialog.ui.sendButton)
    ended(dialog)
    assert slicer.packaging.asked[-1]["requirements"] == ["dicomweb-client>=0.60"] and len(sends(worker)) == 1


def test_closing_the_scene_closes_the_dialog_but_ends_no_transfer(dialog, worker, scene, panel):
    worker.mode = "slow"
    click(dialog.ui.sendButton)
    scene.Clear()
    panel_host.processEvents()
    assert dialog.isActive and dialog.widget.visible, "it can still be cancelled"
    click(dialog.ui.sendButton)
    ended(dialog)
    panel.refresh()
    assert not dialog.widget.visible and not panel.ui.sendButton.enabled


def test_a_module_that_is_closed_ends_the_transfer(dialog, worker, panel):
    worker.mode = "slow"
    click(dialog.ui.sendButton)
    panel.exportPart.close()
    assert not panel.run.client.isBusy and panel.exportPart.sendDialog is None
