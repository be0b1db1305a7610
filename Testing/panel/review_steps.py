"""The review, click by click: steps 0 to 13, run one after the other by a test and by the command that draws them.

Each step does what the reader does (real mouse and key events on stand-ins of Slicer's widgets, real MRML, a fake
worker), looks at what the reader then sees, and calls :meth:`ReviewFlow.picture` once at the moment worth seeing.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import a_simulated_case
import numpy as np
import panel_host
from make_screenshots import erase
from panel_host import click, clickHeader, clickRow, column, press, release, waitFor, write

VISIBLE, NAME, PROBABILITY, PLACE, SHORT_AXIS, VOLUME, CLASS, CONTOUR, STATUS, COMMENT = range(10)
TORCH = ("torch", "monai", "safetensors")
VIEWS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


@dataclass(frozen=True)
class Step:
    """What the docs page says of a step, and how it is run.

    Attributes
    ----------
    number, title
    does
        What the user does and sees.
    mrml, stand_ins, application
        What of it was run on real MRML, what on stand-ins, and what only the application can show.
    run
        Does it and looks at what comes of it.
    """

    number: int
    title: str
    does: str
    mrml: str
    stand_ins: str
    application: str
    run: Callable[[ReviewFlow], None]

    @property
    def file(self) -> str:
        return f"step_{self.number:02d}.png"


STEPS: list[Step] = []


def step(title: str, does: str, mrml: str, stand_ins: str, application: str) -> Callable:
    def keep(function: Callable[[ReviewFlow], None]) -> Callable[[ReviewFlow], None]:
        STEPS.append(Step(len(STEPS), title, does, mrml, stand_ins, application, function))
        return function

    return keep


class SliceNodes:
    """The slice views of the layout without anything drawn; the command that draws has views that are."""

    def __init__(self) -> None:
        import slicer

        for name, orientation in VIEWS.items():
            node = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceNode())
            node.SetLayoutName(name)
            node.SetOrientation(orientation)
            slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceCompositeNode()).SetLayoutName(name)

    def fit(self, volumeNode) -> None:
        """The application does this when a scan is loaded."""
        show_scan(volumeNode)


def slicer_layout() -> None:
    """The application has one from the start, which stays when the scene is closed."""
    import slicer

    node = slicer.vtkMRMLLayoutNode()
    node.SetSingletonTag("vtkMRMLLayoutNode")
    slicer.mrmlScene.AddNode(node)


def show_scan(volumeNode) -> None:
    import slicer

    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(volumeNode.GetID())


class ReviewFlow:
    """One review from the first start of the module to the export and the next case.

    Parameters
    ----------
    folder
        Everything is written here.
    shape, spacing_mm
        Of the simulated scan, (K, J, I) and along (k, j, i).
    makeViews
        Slice views; called when there is a scene.
    """

    def __init__(self, folder: Path, shape, spacing_mm, makeViews: Callable = SliceNodes) -> None:
        panel_host.startQt().setStyle("Fusion")
        panel_host.startSlicer(folder)
        self.folder = folder
        self.case = a_simulated_case.write(folder / "hospital", shape, spacing_mm)
        self.worker = panel_host.FakeWorker(folder / "asked.jsonl", self.case.result)
        slicer_layout()
        self.views = makeViews()
        self.widget = self.volumeNode = None
        self.pictured = 0
        self.patches = [mock.patch.dict(os.environ, {"ECE_MODELS": str(folder / "own models")})]
        for patch in self.patches:
            patch.start()

    def close(self) -> None:
        for patch in self.patches:
            patch.stop()
        if self.widget is not None:
            self.widget.cleanup()
            self.widget.parent.hide()
            self.widget.parent.deleteLater()

    def picture(self, widget=None, scan: bool = True) -> None:
        """The moment worth seeing: the panel (or a dialog) beside the views (or none: there is no scan yet)."""
        self.pictured += 1

    # What the steps look at

    @property
    def panel(self):
        return self.widget.panel

    @property
    def ui(self):
        return self.panel.ui

    @property
    def table(self):
        return self.ui.lymphNodeTable

    @property
    def state(self):
        return self.panel.reviewPart.state

    @property
    def display(self):
        return self.panel.parameters.segmentation.GetDisplayNode()

    def row(self, name: str) -> int:
        return column(self.table, NAME).index(name)

    def center_of(self, name: str) -> np.ndarray:
        from ece_core.scene.jump import lymph_node_center_ras

        return lymph_node_center_ras(self.panel.parameters.segmentation, name)

    def axial_mm(self) -> float:
        import slicer

        nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
        return next(node for node in nodes if node.GetLayoutName() == "Red").GetSliceToRAS().GetElement(2, 3)

    def load_series(self) -> None:
        """What the DICOM module does: the scan into database, scene, patient and study, and into the views."""
        import slicer

        self.volumeNode = read_series(self.case.series)
        fill_database(self.case.series, self.volumeNode)
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        study = tree.CreateStudyItem(tree.CreateSubjectItem(tree.GetSceneItemID(), "Simulated"), "CT neck")
        item = tree.GetItemByDataNode(self.volumeNode) or tree.CreateItem(study, self.volumeNode)
        tree.SetItemParent(item, study)
        tree.SetItemAttribute(item, "DICOM.Modality", "CT")
        self.views.fit(self.volumeNode)
        panel_host.processEvents()

    def series_item(self):
        import slicer

        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        return tree, tree.GetItemByDataNode(self.volumeNode)


def read_series(folder: Path):
    """By Slicer's own DICOM reader, given the files in the order of the slices, as the DICOM module does."""
    import pydicom
    import slicer
    import vtk

    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in folder.rglob("*.dcm")]
    files = vtk.vtkStringArray()
    for header in sorted(headers, key=lambda header: float(header.ImagePositionPatient[2])):
        files.InsertNextValue(str(header.filename))
    node = slicer.modules.volumes.logic().AddArchetypeVolume(files.GetValue(0), "2: Simulated neck CT", 0, files)
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(350, 40)
    return node


def fill_database(folder: Path, volumeNode) -> None:
    import a_result

    a_result.fillDatabase(folder.parent, volumeNode)


# The steps


@step(
    "Set up, once",
    "Both modules open without a package installed. One line each says what is there: Python packages, PyTorch and its "
    "device, models; one button each mends it. A hospital without internet imports models from a file, and removes "
    "them again.",
    "terminologies are loaded by the real module logic at start-up",
    "set-up lines and buttons; `slicer.packaging`, the file dialog and the question before removing answer by doubles",
    "Extensions Manager, the installation itself, PyTorch's extension",
)
def set_up(flow: ReviewFlow) -> None:
    import qt
    import slicer
    from test_panel_setup import a_bundle

    for name in ("LymphNodeSeg", "ECEDetector"):
        getattr(importlib.import_module(name), name)(SimpleNamespace())
    for _, receiver in slicer.app.started:
        receiver()
    slicer.packaging.installed = {"scipy>=1.11"}
    flow.widget = panel_host.openModule("ECEDetector", flow.worker.makeProcess)
    flow.widget.enter()
    ui = flow.ui
    assert not ui.setupCollapsibleButton.collapsed, "what is missing is shown without being asked for"
    assert ui.packagesLabel.text.startswith("✘ Python packages")
    flow.picture(scan=False)
    click(ui.packagesButton)
    assert ui.packagesLabel.text == "✔ Python packages"
    file = a_bundle(flow.folder)
    with mock.patch.object(qt.QFileDialog, "getOpenFileName", lambda *_: str(file)):
        click(ui.importModelButton)
    assert "✔ outlines: tiny 1" in ui.modelsLabel.text
    with mock.patch.object(slicer.util, "confirmYesNoDisplay", lambda *_: True):
        click(ui.removeModelButton)
    assert "✔ outlines: lymph-node-unet" in ui.modelsLabel.text
    ui.setupCollapsibleButton.collapsed = True


@step(
    "Load a scan",
    "Sample Data, *Neck CT (simulated)*, makes a scan on this computer; nothing is downloaded. Or DICOM, import, "
    "double click on the series: here a simulated one, which all further steps use.",
    "sample scan; Slicer's own DICOM reader; patient, study and series in the subject hierarchy; slice views",
    "the tile (its call), the DICOM database (a double that knows the files)",
    "DICOM browser, Sample Data gallery, drag and drop",
)
def load_a_scan(flow: ReviewFlow) -> None:
    import SampleData
    import slicer
    from ece_core.scene import sample_ct

    (source,) = SampleData.SampleDataLogic.registered
    assert source["sampleName"] == "Neck CT (simulated)" and "http" not in source["uris"]
    real = sample_ct.add_sample_ct
    with (
        mock.patch.object(sample_ct, "add_sample_ct", lambda: real((40, 64, 64), (5.0, 3.9, 3.9))),
        mock.patch.object(slicer.util, "setSliceViewerLayers", lambda **layers: show_scan(layers["background"])),
        mock.patch.object(slicer.util, "showStatusMessage", lambda *_: None),
    ):
        (sample,) = source["customDownloader"](source)
    assert "not a patient. Research use only" in sample.GetDescription()
    slicer.mrmlScene.Clear(False)
    flow.load_series()
    dimensions = flow.volumeNode.GetImageData().GetDimensions()
    assert dimensions[2] == len(list(flow.case.series.rglob("*.dcm")))
    assert slicer.util.arrayFromVolume(flow.volumeNode).min() == -1024, "HU, not stored values"
    flow.picture()


@step(
    "Open the module",
    "Segmentation, ECE Detector: the scan is chosen already, and what is odd about it is told in place. Where it "
    "cannot be analyzed (in the picture its header was made to say MR), the button is disabled and its tooltip says "
    "why; else device and expected time are shown.",
    "pre-check of the voxels and the grid of the volume node; modality from the subject hierarchy",
    "panel and node selector",
    "module selector, active volume of the Data module",
)
def open_the_module(flow: ReviewFlow) -> None:
    flow.widget.enter()
    panel_host.processEvents()
    ui = flow.ui
    assert ui.inputSelector.currentNode() is flow.volumeNode
    assert not ui.problemLabel.visible
    tree, item = flow.series_item()
    tree.SetItemAttribute(item, "DICOM.Modality", "MR")
    again(flow)
    assert not ui.applyButton.enabled and "modality MR, not CT" in ui.applyButton.toolTip
    assert "modality MR, not CT" in ui.precheckLabel.text
    flow.picture()
    tree.SetItemAttribute(item, "DICOM.Modality", "CT")
    again(flow)
    assert ui.applyButton.enabled and "modality" not in ui.precheckLabel.text
    waitFor(lambda: flow.panel.run.client.device, "the worker")
    assert ui.expectedLabel.text.startswith("Device: CPU. About ")


def again(flow: ReviewFlow) -> None:
    """The scan is looked at anew when it has changed."""
    import slicer

    slicer.util.arrayFromVolumeModified(flow.volumeNode)
    flow.panel.refresh()


@step(
    "Analyze, or cancel",
    "Analyze becomes Cancel; stage, share, elapsed and remaining time are shown, and the reader scrolls on. Cancel "
    "leaves nothing behind.",
    "slice views move during the run",
    "button, progress bar; a fake worker in a real process of its own",
    "that Slicer stays fluid while PythonSlicer computes on the same machine",
)
def analyze_or_cancel(flow: ReviewFlow) -> None:
    import slicer

    ui, results = flow.ui, flow.folder / "results"
    ui.resultsPathLineEdit.currentPath = str(results)
    flow.worker.mode = "slow"
    click(ui.applyButton)
    waitFor(lambda: flow.panel.run.fraction == 0.6, "progress")
    assert ui.applyButton.text == "Cancel" and ui.stageLabel.text == "Finding lymph nodes"
    assert "elapsed, about" in ui.timeLabel.text and ui.progressBar.value == 60
    assert ui.detailsCollapsibleButton.collapsed, "the log is folded away"
    before = flow.axial_mm()
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 0, 0, before + 12, slicer.vtkMRMLSliceNode.OffsetJumpSlice)
    assert abs(flow.axial_mm() - before) > 6
    flow.picture()
    click(ui.applyButton)
    waitFor(lambda: not flow.panel.run.isActive, "the cancel")
    assert ui.applyButton.text == "Analyze" and not list(results.glob("*/result.json"))
    assert flow.table.rowCount == 0


@step(
    "The result",
    "Outlines, table and heatmaps lie in the study of the scan. The banner says the patient's ECE probability, how "
    "many lymph nodes are suspicious, and that it is for research only. No popup; the layout *ECE review* comes when "
    "asked for.",
    "result folder into segmentation, heatmaps and table in one go; subject hierarchy; surfaces; the layout node",
    "banner, table, layout button",
    "the layout drawn with the table below, its entry in the layout menu, the status bar",
)
def the_result(flow: ReviewFlow) -> None:
    from ece_core.scene.review_layout import is_review_layout

    flow.worker.mode = "happy"
    click(flow.ui.applyButton)
    waitFor(lambda: not flow.panel.run.isActive, "the end of the run")
    ui = flow.ui
    assert flow.panel.run.problem == "" and flow.table.rowCount == flow.case.count
    assert ui.patientLabel.text.startswith("ECE probability 0.")
    assert "Research use only. Not a medical device." in ui.patientDetailsLabel.text
    tree, item = flow.series_item()
    segmentation = tree.GetItemByDataNode(flow.panel.parameters.segmentation)
    assert segmentation and tree.GetItemParent(segmentation) == tree.GetItemParent(item)
    assert not is_review_layout(), "nobody asked for it yet"
    click(ui.reviewLayoutButton)
    assert is_review_layout()
    flow.picture()


@step(
    "The table",
    "One row per lymph node, highest ECE probability first: visibility, number, ECE probability with a bar, side and "
    "level, short axis, volume, class, risk of the outline, status, comment. A click on a header sorts by number; "
    "text, status and probability filter.",
    "what is listed is the review of the loaded result",
    "table, headers and filters",
    "the look of the bars in the application's style",
)
def the_table(flow: ReviewFlow) -> None:
    ui, table = flow.ui, flow.table
    values = [float(text) for text in column(table, PROBABILITY)]
    assert values == sorted(values, reverse=True) and values[1] >= 0.5
    clickHeader(table, SHORT_AXIS)
    axes = [float(text) for text in column(table, SHORT_AXIS)]
    assert axes == sorted(axes, reverse=True) and axes[0] >= 10 > axes[-1], "by number: 10.2 comes before 9.8"
    clickHeader(table, PROBABILITY)
    write(ui.filterLineEdit, "left")
    assert 0 < table.rowCount < flow.case.count and all(text.startswith("left") for text in column(table, PLACE))
    ui.filterLineEdit.clear()
    ui.probabilityFilterSpinBox.value = 0.1
    assert all(float(text) >= 0.1 for text in column(table, PROBABILITY))
    assert f"{table.rowCount} of {flow.case.count} listed." in ui.reviewLabel.text
    flow.picture()
    ui.probabilityFilterSpinBox.value = 0.0


@step(
    "One lymph node",
    "A click on a row selects it and dims the others; a double click, Enter or *Center views* centers all views on it "
    "and turns the 3D view to it; with *Center views on a single click* (in *Options*) one click does. N and P go to "
    "the next and the previous suspicious one.",
    "opacity of the segments; slice views centered; camera of the 3D view turned",
    "mouse and keys in the table",
    "how PythonQt hands the keys on",
)
def one_lymph_node(flow: ReviewFlow) -> None:
    table, before = flow.table, flow.axial_mm()
    first, second = column(table, NAME)[:2]
    clickRow(table, 0)
    assert flow.axial_mm() == before, "a single click moves no view"
    assert flow.display.GetSegmentOpacity2DFill(first) == 1 > flow.display.GetSegmentOpacity2DFill(second)
    clickRow(table, 0, double=True)
    assert abs(flow.axial_mm() - flow.center_of(first)[2]) < 0.01
    press(table, "n")
    assert flow.panel.table.selected().id == second and abs(flow.axial_mm() - flow.center_of(second)[2]) < 0.01
    press(table, "p")
    assert flow.panel.table.selected().id == first and abs(flow.axial_mm() - flow.center_of(first)[2]) < 0.01
    flow.picture()


@step(
    "Heatmap",
    "A menu of all methods, each with what it shows and what it cannot; opacity, threshold and a legend; of all lymph "
    "nodes or of the selected one; in 3D as a cloud or painted on the surface. H, held, shows the scan without it. The "
    "panel says how values were scaled.",
    "foreground, threshold, legend; cut to one lymph node; painted surface",
    "menu, sliders and key",
    "volume rendering on a graphics card",
)
def heatmap(flow: ReviewFlow) -> None:
    import slicer

    ui, combo = flow.ui, flow.ui.heatmapMethodComboBox
    combo.setCurrentIndex(combo.findData("gradcam"))
    assert "; cannot " in ui.guideLabel.text and "per lymph node" in ui.scalingLabel.text
    ui.heatmapOpacitySlider.value, ui.heatmapThresholdSlider.value = 0.6, 0.2
    ui.heatmapScopeComboBox.setCurrentIndex(1)
    ui.heatmapModeComboBox.setCurrentIndex(2)
    panel_host.processEvents()
    selected = flow.panel.table.selected().id
    shown = foreground()
    assert shown is not None and shown.GetAttribute("ECE.HeatmapSelection") == selected
    assert shown.GetDisplayNode().GetLowerThreshold() == 0.2
    painted = [node for node in slicer.util.getNodesByClass("vtkMRMLModelNode")
               if node.GetAttribute("ECE.PaintedLymphNode")]
    assert [node.GetAttribute("ECE.PaintedLymphNode") for node in painted] == [selected]
    press(flow.table, "h", hold=True)
    assert foreground() is None
    release(flow.table, "h")
    assert foreground() is shown
    flow.picture()
    ui.heatmapScopeComboBox.setCurrentIndex(0)
    ui.heatmapModeComboBox.setCurrentIndex(0)


def foreground():
    import slicer

    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    return slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID() or "")


@step(
    "Edit, re-classify",
    "Edit opens the Segment Editor on this lymph node; it overwrites no other. When the strokes end, measures are new "
    "and the row says *edited, ECE out of date*; Re-classify asks the classifier, and the old value stays in view.",
    "labelmap of the segment, measures, algorithm type SEMIAUTOMATIC",
    "buttons and row; voxels are erased as the eraser does; the fake worker classifies",
    "painting with the Segment Editor's effects and its undo (z)",
)
def edit(flow: ReviewFlow) -> None:
    import slicer

    ui, table = flow.ui, flow.table
    clickRow(table, 0)
    name, axis = flow.panel.table.selected().id, column(table, VOLUME)[0]
    former = column(table, PROBABILITY)[0]
    click(ui.editButton)
    editor = ui.segmentEditorWidget
    assert editor.visible and editor.currentSegmentID() == name
    assert editor.mrmlSegmentEditorNode().GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteNone
    erase(flow.panel, name, slices=1)
    waitFor(lambda: flow.state.get(name).out_of_date, "the edit to settle")
    row = flow.row(name)
    assert column(table, STATUS)[row] == "edited, ECE out of date" and column(table, VOLUME)[row] != axis
    assert column(table, PROBABILITY)[row] == f"was {former}"
    click(ui.editButton)
    clickRow(table, row)
    flow.picture()
    click(ui.reclassifyAllButton)
    waitFor(lambda: not flow.state.edited, "the classifier")
    assert column(table, PROBABILITY)[flow.row(name)].endswith(f"(was {former})")
    assert flow.state.get(name).lymph_node.source == "SEMIAUTOMATIC"


@step(
    "Add, merge, split, undo",
    "*Add by click*, then a click into the missed lymph node: it is outlined from there. Rows are merged, split and "
    "deleted; one list of undo and redo goes over everything.",
    "place mode, markups point, grown outline; segments come and go with undo",
    "buttons; the click in the slice view is a point put into the markups node",
    "placing the point with the mouse in a slice view",
)
def add_merge_split_undo(flow: ReviewFlow) -> None:
    ui, table = flow.ui, flow.table
    count = flow.case.count
    click(ui.addButton)
    assert "Click into the missed lymph node" in ui.reviewLabel.text
    x, y, z = flow.case.missed_lps
    flow.panel.reviewPart.place.node.AddControlPointWorld(-x, -y, z)
    waitFor(lambda: len(flow.state.ids) == count + 1 or flow.panel.run.problem, "the new lymph node")
    assert flow.panel.run.problem == "", flow.panel.run.problem
    added = flow.panel.table.selected().id
    assert added == f"LN{count + 1}" and segment(flow, added) is not None
    click(ui.jumpButton)
    assert abs(flow.axial_mm() - z) < 12
    flow.picture()
    clickRow(table, 0)
    clickRow(table, 1, control=True)
    click(ui.mergeButton)
    assert len(flow.state.ids) == count
    assert ui.undoButton.toolTip.startswith("Undo: merge")
    click(ui.undoButton)
    assert len(flow.state.ids) == count + 1
    click(ui.redoButton)
    clickRow(table, flow.row(merged_name(flow)))
    click(ui.splitButton)
    assert len(flow.state.ids) == count + 1, flow.panel.run.problem
    for _ in range(2):
        click(ui.undoButton)
    clickRow(table, table.rowCount - 1)
    gone = flow.panel.table.selected().id
    click(ui.deleteButton)
    assert segment(flow, gone) is None
    click(ui.undoButton)
    assert segment(flow, gone) is not None and len(flow.state.ids) == count + 1


def merged_name(flow: ReviewFlow) -> str:
    event = next(event for event in reversed(flow.panel.reviewPart.review.history) if event.action == "merge")
    return event.words.removeprefix("into ")


def segment(flow: ReviewFlow, name: str):
    return flow.panel.parameters.segmentation.GetSegmentation().GetSegment(name)


@step(
    "Accept, reject, flag; the final call",
    "A, R, F judge the selected lymph nodes, with reviewer, time and comment; a rejected one is hidden. The "
    "radiologist's call of the patient stands apart from the AI's probability.",
    "Slicer's segment status, visibility, tags",
    "keys, buttons, comment and call",
    "the status column of Slicer's own segment table",
)
def judge(flow: ReviewFlow) -> None:
    import slicer

    ui, table = flow.ui, flow.table
    write(ui.reviewerLineEdit, "AB")
    names = column(table, NAME)
    for row, key in ((0, "a"), (1, "f"), (2, "r"), (3, "a")):
        clickRow(table, row)
        press(table, key)
    clickRow(table, 1, double=True)
    write(ui.commentLineEdit, "touches the carotid")
    assert column(table, STATUS)[:4] == ["accepted", "flagged", "rejected", "accepted"]
    assert flow.state.get(names[1]).comment == "touches the carotid" and flow.state.get(names[0]).reviewer == "AB"
    assert not flow.display.GetSegmentVisibility(names[2])
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    status = [logic.GetSegmentStatusAsMachineReadableString(logic.GetSegmentStatus(segment(flow, name)))
              for name in names[:4]]
    assert status == ["completed", "flagged", "completed", "completed"]
    before = ui.patientLabel.text
    ui.verdictComboBox.setCurrentIndex(1)
    ui.certaintyComboBox.setCurrentIndex(4)
    click(ui.callButton)
    assert "Final call: ENE (also ECE), more than 90 % sure (AB)" in ui.callLabel.text
    assert ui.patientLabel.text == before
    flow.picture()


@step(
    "Save the scene, open it again",
    "The scene (.mrb) holds table, heatmaps, statuses and panel. It opens on a computer without torch, and the review "
    "goes on there.",
    "saved and loaded by Slicer's own scene reader; torch cannot be imported while it is opened",
    "panel after loading",
    "the save dialog",
)
def save_and_open(flow: ReviewFlow) -> None:
    import slicer

    before, call = flow.state, flow.ui.callLabel.text
    file = flow.folder / "review.mrb"
    assert slicer.util.saveScene(str(file))
    slicer.mrmlScene.Clear(False)
    panel_host.processEvents()
    assert flow.table.rowCount == 0
    with mock.patch.dict(sys.modules, dict.fromkeys(TORCH)):
        slicer.util.loadScene(str(file))
        panel_host.processEvents()
        assert flow.state == before and flow.ui.callLabel.text == call
        assert flow.table.rowCount == flow.case.count + 1
        flow.volumeNode = flow.panel.parameters.inputVolume
        clickRow(flow.table, flow.row("LN1"))
        press(flow.table, "f")
        assert flow.state.get("LN1").status == "flagged"
        clickRow(flow.table, 0, double=True)
        flow.picture()


@step(
    "Export",
    "The list before the export says what is there and what is missing: reference series, terminology, algorithm, "
    "empty segments. Accepted lymph nodes go to DICOM SEG and SR, table and report, into the DICOM database beside the "
    "scan and into a folder; the message names files and series.",
    "outlines of the scene; SEG and SR are written and read back by pydicom",
    "dialog; the DICOM database is a double that takes files",
    "Slicer's DICOM database and browser",
)
def export(flow: ReviewFlow) -> None:
    import pydicom
    import slicer

    click(flow.ui.exportButton)
    dialog = flow.panel.exportPart.dialog
    out = flow.folder / "exports"
    dialog.ui.folderPathLineEdit.currentPath = str(out)
    assert "✔  Reference series" in dialog.ui.checksLabel.text, dialog.ui.checksLabel.text
    before = set(slicer.dicomDatabase.files)
    click(dialog.ui.exportButton)
    assert dialog.ui.problemLabel.text == "", dialog.ui.problemLabel.text
    files = {file.name: file for file in out.rglob("*") if file.is_file()}
    assert {"seg.dcm", "sr.dcm", "lymph_nodes.csv", "report.html"} <= set(files)
    seg = pydicom.dcmread(files["seg.dcm"])
    accepted = [row.id for row in flow.state.lymph_nodes if row.status == "accepted"]
    assert len(seg.SegmentSequence) == len(accepted) == 2
    assert len(set(slicer.dicomDatabase.files) - before) == 2
    assert "lymph_nodes.csv" in dialog.ui.messageLabel.text
    assert f"SEG series {seg.SeriesInstanceUID}." in dialog.ui.messageLabel.text
    dialog.ui.folderPathLineEdit.blockSignals(True)  # for the picture alone: another folder would begin anew
    dialog.ui.folderPathLineEdit.currentPath = "/home/reader/exports"
    dialog.ui.folderPathLineEdit.blockSignals(False)
    flow.picture(widget=dialog.widget)
    dialog.close()


@step(
    "The next case",
    "The scene is closed, the next scan and its saved result are opened (*Open result folder...*). Of a folder "
    "with several results, as LymphNodeSeg's batch leaves it, the first one without a final call is opened, and "
    "Ctrl+Right goes to the next. What was reviewed stays in its result folder.",
    "scene closed and filled again; review.json read back",
    "the folder dialog answers by a double; Ctrl+Right and Ctrl+Left in a list of cases (`test_panel_case_list.py`)",
    "how PythonQt hands Ctrl and arrow keys on",
)
def next_case(flow: ReviewFlow) -> None:
    import qt
    import slicer
    from ece_core.review import open_review

    (reviewed,) = (flow.folder / "results").glob("*/result.json")
    kept = flow.state
    slicer.mrmlScene.Clear(False)
    panel_host.processEvents()
    assert flow.table.rowCount == 0 and not flow.ui.acceptButton.enabled
    assert open_review(reviewed.parent).review.state == kept
    flow.load_series()
    flow.widget.enter()
    with mock.patch.object(qt.QFileDialog, "getExistingDirectory", lambda *_: str(flow.case.result)):
        click(flow.ui.openResultButton)
    panel_host.processEvents()
    assert flow.panel.run.problem == "" and column(flow.table, STATUS) == [""] * flow.case.count
    assert "No final call yet." in flow.ui.callLabel.text
    flow.picture()
