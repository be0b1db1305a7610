"""Renders both panels to PNG: python Testing/panel/make_screenshots.py [FOLDER]

FOLDER is Resources/Screenshots unless given. The panels are the real ones on the stand-ins of the panel tests, in
front of a fake worker and a phantom: how the widgets look is this machine's, what they say is the extension's.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "mrml", HERE.parents[1] / "LymphNodeSeg", HERE.parents[1] / "ECEDetector"):
    sys.path.insert(0, str(folder))

import panel_host  # noqa: E402

WIDTH = 460


def shoot(widget, path: Path, width: int = WIDTH) -> None:
    """The panel at its own height, as it stands in the module panel of the application."""
    parent = widget.parent
    parent.setFixedWidth(width)
    for _ in range(3):  # labels that wrap know their height only once they know their width
        panel_host.processEvents()
        parent.setFixedHeight(max(parent.layout().heightForWidth(width), parent.layout().minimumSize().height()))
    panel_host.processEvents()
    parent.grab().save(str(path))
    print(path)


def detector_states(worker, result: Path, out: Path) -> None:
    import slicer

    slicer.packaging.installed = {"scipy>=1.11"}
    widget = panel_host.openModule("ECEDetector", worker.makeProcess)
    panel = widget.panel
    shoot(widget, out / "ECEDetector_setup.png")
    slicer.packaging.installed = None
    panel.enter()
    worker.mode = "slow"
    panel_host.click(panel.ui.applyButton)
    panel_host.waitFor(lambda: panel.run.fraction == 0.6, "progress")
    shoot(widget, out / "ECEDetector_running.png")
    panel.run.cancel()
    panel_host.waitFor(lambda: not panel.run.isActive, "the cancel")
    worker.mode = "error"
    panel_host.click(panel.ui.applyButton)
    panel_host.waitFor(lambda: panel.run.problem, "the error")
    shoot(widget, out / "ECEDetector_error.png")
    panel.openResult(str(result))
    panel.run.note = ""
    panel_host.processEvents()
    panel_host.clickRow(panel.ui.lymphNodeTable, 0)
    panel.refresh()
    shoot(widget, out / "ECEDetector_result.png")
    widget.cleanup()


def review_states(worker, result: Path, out: Path) -> None:
    """A result that nobody has reviewed: read first, reveal, judge, edit, re-classify, final call."""
    import slicer

    slicer.mrmlScene.Clear()
    import a_result

    a_result.addVolume()
    worker.mode = "happy"
    widget = panel_host.openModule("ECEDetector", worker.makeProcess)
    panel = widget.panel
    panel.enter()
    table, ui = panel.ui.lymphNodeTable, panel.ui
    panel_host.click(ui.readFirstCheckBox)
    panel.openResult(str(result))
    panel.run.note = ""
    panel_host.write(ui.reviewerLineEdit, "AB")
    shoot(widget, out / "ECEDetector_read_first.png")
    ui.verdictComboBox.setCurrentIndex(1)
    panel_host.click(ui.callButton)
    panel_host.clickRow(table, 0)
    panel_host.press(table, "f")
    panel_host.write(ui.commentLineEdit, "touches the carotid")
    panel_host.clickRow(table, 1)
    panel_host.press(table, "r")
    panel_host.clickRow(table, 0)
    panel_host.click(ui.editButton)
    erase(panel, "LN2", slices=2)
    panel_host.waitFor(lambda: panel.reviewPart.state.edited, "the edit")
    shoot(widget, out / "ECEDetector_editing.png")
    panel_host.click(ui.editButton)
    panel_host.click(ui.reclassifyAllButton)
    panel_host.waitFor(lambda: not panel.reviewPart.state.edited, "the classifier")
    ui.verdictComboBox.setCurrentIndex(1)
    ui.certaintyComboBox.setCurrentIndex(4)
    panel_host.click(ui.callButton)
    panel.run.note = ""
    panel.refresh()
    shoot(widget, out / "ECEDetector_reviewed.png", width=940)
    widget.cleanup()


def export_states(worker, result: Path, out: Path, folder: Path) -> None:
    """The list before the export, of a scan out of the DICOM database and of one that was not DICOM."""
    import a_result
    import slicer

    base = a_result.writeDicom(folder / "dicom")
    for name, saved in (("ECEDetector_export", base / "result"), ("ECEDetector_export_not_dicom", result)):
        slicer.mrmlScene.Clear()
        volumeNode = a_result.addVolume()
        if saved != result:
            a_result.fillDatabase(base, volumeNode)
        widget = panel_host.openModule("ECEDetector", worker.makeProcess)
        panel = widget.panel
        panel.enter()
        shutil.copytree(saved, folder / name)
        panel.openResult(str(folder / name))
        panel_host.processEvents()
        panel_host.clickRow(panel.ui.lymphNodeTable, 0)
        panel_host.press(panel.ui.lymphNodeTable, "a")
        erase(panel, "LN2", slices=2)
        panel.reviewPart.takeEdits()
        panel_host.click(panel.ui.exportButton)
        dialog = panel.exportPart.dialog
        dialog.ui.folderPathLineEdit.currentPath = "/home/reader/Documents/ECEDetector exports"
        panel_host.processEvents()
        dialog.widget.grab().save(str(out / f"{name}.png"))
        print(out / f"{name}.png")
        widget.cleanup()


def erase(panel, name: str, slices: int) -> None:
    """As the Segment Editor's eraser does: the lowest slices of one segment."""
    import numpy as np
    from vtk.util.numpy_support import vtk_to_numpy

    segment = panel.parameters.segmentation.GetSegmentation().GetSegment(name)
    labelmap = segment.GetRepresentation("Binary labelmap")
    extent = labelmap.GetExtent()
    shape = [extent[2 * axis + 1] - extent[2 * axis] + 1 for axis in (2, 1, 0)]
    array = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(shape)
    own = array == segment.GetLabelValue()
    first = np.flatnonzero(own.any(axis=(1, 2)))[0]
    array[first : first + slices][own[first : first + slices]] = 0
    labelmap.Modified()


def segmenter_states(worker, out: Path) -> None:
    worker.mode = "happy"
    widget = panel_host.openModule("LymphNodeSeg", worker.makeProcess)
    widget.enter()
    panel_host.click(widget.panel.ui.applyButton)
    panel_host.waitFor(lambda: not widget.panel.run.isActive, "the end of the run")
    shoot(widget, out / "LymphNodeSeg_done.png")
    widget.cleanup()


def batch_states(worker, out: Path, folder: Path) -> None:
    """Three scans, of which one is refused."""
    scans = folder / "scans"
    scans.mkdir()
    for name in ("neck A.nrrd", "neck B.nii.gz", "neck C.mha"):
        (scans / name).write_bytes(b"x")
    worker.mode = "fails on neck B"
    widget = panel_host.openModule("LymphNodeSeg", worker.makeProcess)
    widget.enter()
    ui = widget.panel.ui
    ui.inputsCollapsibleButton.collapsed = ui.resultCollapsibleButton.collapsed = True
    ui.batchCollapsibleButton.collapsed = False
    ui.batchInPathLineEdit.currentPath, ui.batchOutPathLineEdit.currentPath = str(scans), str(folder / "out")
    panel_host.processEvents()
    panel_host.click(ui.batchButton)
    panel_host.waitFor(lambda: ui.batchLabel.visible, "the end of the batch")
    ui.batchInPathLineEdit.currentPath, ui.batchOutPathLineEdit.currentPath = "/data/scans", "/data/results"
    ui.batchLabel.visible = True
    shoot(widget, out / "LymphNodeSeg_batch.png", width=560)
    worker.mode = "happy"
    widget.cleanup()


def setup_states(worker, out: Path) -> None:
    """The set-up unfolded, of a computer that lacks packages."""
    import slicer

    slicer.packaging.installed = {"scipy>=1.11"}
    widget = panel_host.openModule("LymphNodeSeg", worker.makeProcess)
    widget.panel.ui.resultCollapsibleButton.collapsed = True
    widget.enter()
    shoot(widget, out / "LymphNodeSeg_setup.png")
    slicer.packaging.installed = None
    widget.cleanup()


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        panel_host.startQt().setStyle("Fusion")
        panel_host.startSlicer(folder)
        import a_result

        a_result.addVolume()
        result = a_result.write(folder / "saved")
        worker = panel_host.FakeWorker(folder / "asked.jsonl", result)
        detector_states(worker, result, out)
        review_states(worker, result, out)
        segmenter_states(worker, out)
        batch_states(worker, out, folder)
        setup_states(worker, out)
        export_states(worker, result, out, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "Resources" / "Screenshots")
