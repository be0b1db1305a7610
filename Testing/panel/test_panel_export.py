"""The export dialog: what is possible, why the rest is not, and the files that a click leaves."""

import csv
import errno
import shutil

import a_result
import panel_host
import pydicom
import pytest
from panel_host import click, clickRow, press


@pytest.fixture
def own_result(a_result_folder, tmp_path):
    folder = tmp_path / "own" / "saved"
    shutil.copytree(a_result_folder, folder)
    return folder


@pytest.fixture
def exporting(detector, own_result, tmp_path):
    """The dialog, of a result that was not made from DICOM, with one lymph node accepted."""
    detector.openResult(str(own_result))
    panel_host.processEvents()
    accept(detector, 0)
    return opened(detector, tmp_path)


@pytest.fixture
def dicom(detector_of_dicom, tmp_path):
    """The same of a scan out of the DICOM database."""
    return opened(detector_of_dicom, tmp_path)


def opened(panel, tmp_path):
    click(panel.ui.exportButton)
    dialog = panel.exportPart.dialog
    assert dialog.widget.visible
    dialog.ui.folderPathLineEdit.currentPath = str(tmp_path / "exports")
    return dialog


def accept(panel, row: int) -> None:
    clickRow(panel.ui.lymphNodeTable, row)
    press(panel.ui.lymphNodeTable, "a")


def written(tmp_path) -> dict:
    return {file.name: file for file in (tmp_path / "exports").rglob("*") if file.is_file()}


def test_without_a_result_the_button_says_why(detector):
    assert not detector.ui.exportButton.enabled
    assert detector.ui.exportButton.toolTip == "Analyze a scan or open a result folder first."


def test_from_a_scan_that_was_not_dicom_the_rest_is_offered_and_it_says_why(exporting, tmp_path):
    ui = exporting.ui
    assert not ui.segCheckBox.enabled and not ui.segCheckBox.checked and not ui.srCheckBox.enabled
    assert "The scan was not DICOM (NRRD). Load the series through the DICOM module" in ui.segCheckBox.toolTip
    assert "✘  Reference series: The scan was not DICOM" in ui.checksLabel.text
    assert "✔  Lymph nodes: 1 of 3 are exported." in ui.checksLabel.text
    click(ui.exportButton)
    files = written(tmp_path)
    assert set(files) == {"lymph_nodes.csv", "report.html"} and ui.problemLabel.text == ""
    assert ui.messageLabel.text.startswith("Written to the folder 20") and "lymph_nodes.csv" in ui.messageLabel.text
    with files["lymph_nodes.csv"].open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["LN2"]
    assert "data:image" in files["report.html"].read_text(), "the scan is in the scene: the report has key images"


def test_dicom_objects_go_into_the_database_beside_the_ct(dicom, detector, a_dicom_result, tmp_path):
    import slicer

    ui = dicom.ui
    assert "✔  Reference series: 24 slices" in ui.checksLabel.text, ui.checksLabel.text
    assert "✔  Algorithm: ECEDetector lymph_node_unet 1.0.0." in ui.checksLabel.text
    before = set(slicer.dicomDatabase.files)
    click(ui.exportButton)
    assert ui.problemLabel.text == ""
    files = written(tmp_path)
    seg, sr = (pydicom.dcmread(files[name]) for name in ("seg.dcm", "sr.dcm"))
    assert set(slicer.dicomDatabase.files) - before == {seg.SOPInstanceUID, sr.SOPInstanceUID}
    source = pydicom.dcmread(next((a_dicom_result / "series").rglob("*.dcm")))
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert f"SEG series {seg.SeriesInstanceUID}." in ui.messageLabel.text
    assert "In the DICOM database, in the study of the CT." in ui.messageLabel.text


def test_into_the_database_alone_leaves_no_files_behind(dicom, tmp_path):
    import slicer

    before = len(slicer.dicomDatabase.files)
    click(dicom.ui.folderCheckBox)
    assert not dicom.ui.folderPathLineEdit.enabled
    click(dicom.ui.exportButton)
    assert len(slicer.dicomDatabase.files) == before + 2 and dicom.ui.problemLabel.text == ""
    assert list(tmp_path.glob("slicer-temp/ece-*")) == [] and not (tmp_path / "exports").exists()


def test_a_database_that_takes_nothing_is_told(dicom, tmp_path):
    import slicer

    slicer.dicomDatabase.full = True
    click(dicom.ui.exportButton)
    assert "did not take the exported files" in dicom.ui.problemLabel.text
    assert "import it there" in dicom.ui.messageLabel.text and "seg.dcm" in written(tmp_path), "nothing is lost"


def test_a_volume_that_was_replaced_is_noticed_and_the_result_folder_still_knows_the_series(dicom, detector, scene):
    detector.ui.inputSelector.setCurrentNode(a_result.addVolume("another"))
    dicom.look()
    assert "✔  Reference series: 24 slices" in dicom.ui.checksLabel.text
    shutil.rmtree(detector.parameters.resultFolder)
    dicom._headers = {}
    dicom.look()
    assert not dicom.ui.segCheckBox.enabled and dicom.ui.csvCheckBox.enabled
    assert "The DICOM series of the scan is not at hand. Choose the scan" in dicom.ui.segCheckBox.toolTip


@pytest.mark.parametrize("loaded", [True, False], ids=["straightened-volume", "no-volume"])
def test_a_scan_that_the_analysis_corrected_is_exported_as_the_result_folder_knows_it(detector, tmp_path, loaded):
    """The DICOM database has the tilted files; the result lies on the straightened grid."""
    from ece_core.io import read_ct

    base = a_result.writeCorrectedDicom(tmp_path / "corrected")
    volumeNode = None
    if loaded:
        volumeNode = a_result.addVolume("straightened", read_ct(base / "series", correct=["tilt"]).volume)
        a_result.fillDatabase(base, volumeNode)
    detector.ui.inputSelector.setCurrentNode(volumeNode)
    detector.openResult(str(base / "result"))
    assert detector.run.problem == ""
    panel_host.processEvents()
    accept(detector, 0)
    dialog = opened(detector, tmp_path)
    assert "✔  Reference series: 24 slices" in dialog.ui.checksLabel.text, dialog.ui.checksLabel.text
    click(dialog.ui.exportButton)
    assert dialog.ui.problemLabel.text == ""
    seg, analyzed = (pydicom.dcmread(file) for file in (written(tmp_path)["seg.dcm"], base / "result/dicom/seg.dcm"))
    places = [{tuple(frame.PlanePositionSequence[0].ImagePositionPatient)
               for frame in one.PerFrameFunctionalGroupsSequence} for one in (seg, analyzed)]
    assert places[0] and places[0] <= places[1]
    assert not any(frame.DerivationImageSequence for frame in seg.PerFrameFunctionalGroupsSequence)
    click(dialog.ui.closeButton)
    shutil.rmtree(base / "result" / "dicom")
    dialog._headers = {}
    dialog.open()
    words = "geometry was corrected (resampled) by the analysis" if loaded else "series of the scan is not at hand"
    assert words in dialog.ui.segCheckBox.toolTip and "from its folder" in dialog.ui.segCheckBox.toolTip
    assert not dialog.ui.segCheckBox.enabled and dialog.ui.csvCheckBox.enabled


def test_an_sr_needs_its_seg(dicom):
    click(dicom.ui.segCheckBox)
    assert not dicom.ui.srCheckBox.enabled and dicom.ui.srCheckBox.toolTip.startswith("The SR refers to the outlines")
    click(dicom.ui.segCheckBox)
    assert dicom.ui.srCheckBox.checked, "what was ticked before comes back"


def test_nothing_accepted_says_how_to_go_on_and_the_list_follows_the_review(exporting, detector):
    press(detector.ui.lymphNodeTable, "f")
    assert not exporting.ui.exportButton.enabled
    assert "No lymph node is accepted. Accept those that are right (key A" in exporting.ui.exportButton.toolTip
    exporting.ui.choiceComboBox.setCurrentIndex(1)
    assert "✔  Lymph nodes: 3 of 3 are exported." in exporting.ui.checksLabel.text
    assert exporting.ui.exportButton.enabled


def test_nothing_chosen_says_so(exporting):
    click(exporting.ui.csvCheckBox)
    click(exporting.ui.htmlCheckBox)
    assert exporting.ui.exportButton.toolTip == "Choose what to export."
    click(exporting.ui.csvCheckBox)
    click(exporting.ui.folderCheckBox)
    assert exporting.ui.exportButton.toolTip == "Choose a folder or the DICOM database."
    assert exporting.ui.databaseCheckBox.toolTip.startswith("Slicer's DICOM database is not open")


def test_a_full_disk_is_told_and_nothing_is_kept(exporting, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr("ece_core.review.export_files.write_lymph_nodes_csv", full)
        click(exporting.ui.exportButton)
    assert "disk of the output folder is full; nothing was kept" in exporting.ui.problemLabel.text
    assert "Free some space" in exporting.ui.messageLabel.text and written(tmp_path) == {}
    click(exporting.ui.exportButton)
    assert len(written(tmp_path)) == 2


def test_it_works_where_no_package_of_the_analysis_is_installed(exporting, tmp_path, monkeypatch):
    import sys

    for name in ("torch", "monai", "safetensors", "psutil", "skimage"):
        monkeypatch.setitem(sys.modules, name, None)
    click(exporting.ui.exportButton)
    assert exporting.ui.problemLabel.text == "" and len(written(tmp_path)) == 2


def test_closing_the_scene_closes_the_dialog(exporting, scene):
    scene.Clear()
    panel_host.processEvents()
    assert not exporting.widget.visible


def test_the_close_button_closes_it(exporting):
    click(exporting.ui.closeButton)
    assert not exporting.widget.visible
