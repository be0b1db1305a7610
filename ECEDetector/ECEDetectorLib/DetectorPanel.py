"""Panel of the module ECEDetector: analyze a scan, or open a result, and work through its lymph nodes."""

from pathlib import Path

import qt
import slicer
from LymphNodeSegLib import AnalysisPanel, ensureCore
from LymphNodeSegLib.AnalysisPanel import newFolderName
from LymphNodeSegLib.CorePackage import problemAndFix
from slicer.i18n import tr as _

from .DetectorParameters import DetectorParameters
from .Highlight import highlight
from .LymphNodeTable import LymphNodeTable

SUSPICIOUS = 0.5  # counted in the banner; the table shows every probability
RESULTS_FOLDER = "ECEDetector results"


class DetectorPanel(AnalysisPanel):
    """The run of AnalysisPanel with the review of its result below."""

    parametersClass = DetectorParameters
    requester = "ECE Detector"
    request = "analyze"

    def __init__(self, ui, client, dependencies=None) -> None:
        self.nodes = None  # ece_core.scene.ResultNodes of the result that is shown
        self.table = LymphNodeTable(ui.lymphNodeTable, self.onLymphNodeSelected, self.onLymphNodeActivated)
        super().__init__(ui, client, dependencies)

    def applyText(self) -> str:
        return _("Analyze")

    def applyToolTip(self) -> str:
        return _("Find, measure and class the lymph nodes, with a probability of extranodal extension for each.")

    def options(self) -> dict:
        return {"device": self.parameters.device, "explain": self.parameters.explain}

    def resultFolder(self) -> str:
        base = self.parameters.resultsPath or defaultResultsPath()
        return str(Path(base) / newFolderName())

    @property
    def result(self):
        """What result.json says of the result that is shown, or None."""
        return self.nodes.result if self.nodes else None

    @property
    def heatmaps(self) -> dict:
        """Heatmap nodes by method; those that the user deleted are left out."""
        nodes = self.nodes.heatmapNodes if self.nodes else {}
        return {method: node for method, node in nodes.items() if node.GetScene() is not None}

    def connectWidgets(self) -> None:
        super().connectWidgets()
        self.ui.gradCamCheckBox.connect("toggled(bool)", self.onOptionChanged)
        self.ui.guidedBackpropCheckBox.connect("toggled(bool)", self.onOptionChanged)
        self.ui.resultsPathLineEdit.connect("currentPathChanged(QString)", self.onOptionChanged)
        self.ui.openResultButton.connect("clicked()", self.onOpenResult)
        self.ui.jumpButton.connect("clicked()", self.onJump)
        self.ui.reportButton.connect("clicked()", self.onOpenReport)
        self.ui.heatmapMethodComboBox.connect("currentIndexChanged(int)", self.onHeatmapChanged)
        self.ui.heatmapOpacitySlider.connect("valueChanged(double)", self.onHeatmapChanged)
        self.ui.heatmapThresholdSlider.connect("valueChanged(double)", self.onHeatmapChanged)

    def fillWidgets(self) -> None:
        super().fillWidgets()
        self.ui.gradCamCheckBox.checked = self.parameters.gradCam
        self.ui.guidedBackpropCheckBox.checked = self.parameters.guidedBackprop
        self.ui.resultsPathLineEdit.currentPath = self.parameters.resultsPath or defaultResultsPath()
        self.nodes = resultInScene(self.parameters.segmentation)
        self._fillResult()
        self._fillHeatmap()

    # The result

    def showResult(self, folder: str, volumeNode) -> None:
        """Load a result folder into the scene and show it. Needs no torch."""
        ensureCore()
        from ece_core.scene import load_result

        nodes = load_result(folder, volumeNode)
        self.parameters.segmentation = nodes.segmentationNode
        self.parameters.resultFolder = str(folder)
        if self.parameters.heatmapMethod not in nodes.heatmapNodes:
            self.parameters.heatmapMethod = next(iter(nodes.heatmapNodes), "")
        self.run.note = _("Result folder: {name}").format(name=Path(folder).name)
        self.updateFromParameters()
        self._showHeatmap()

    def onOpenResult(self) -> None:
        start = self.parameters.resultsPath or defaultResultsPath()
        folder = qt.QFileDialog.getExistingDirectory(
            self.ui.openResultButton, _("Open a result folder (it holds result.json)"), start
        )
        if folder:
            self.openResult(folder)

    def openResult(self, folder: str) -> None:
        self.run.problem = self.run.fix = self.run.note = ""
        try:
            with slicer.util.RenderBlocker():
                self.showResult(folder, self.parameters.inputVolume)
        except Exception as error:
            self.run.showProblem(*problemAndFix(error))

    def onOpenReport(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._report())))

    # The table

    def onLymphNodeSelected(self, lymphNode) -> None:
        highlight(self.parameters.segmentation, lymphNode.id if lymphNode else None)
        self._refreshButtons()

    def onLymphNodeActivated(self, lymphNode) -> None:
        from ece_core.scene import jump_to_lymph_node

        try:
            jump_to_lymph_node(self.parameters.segmentation, lymphNode.id)
        except Exception as error:  # its outline was erased, or the segmentation deleted
            self.run.showProblem(*problemAndFix(error))

    def onJump(self) -> None:
        self.onLymphNodeActivated(self.table.selected())

    # Options and heatmap

    def onOptionChanged(self, value=None) -> None:
        if not self._updating:
            self.parameters.gradCam = self.ui.gradCamCheckBox.checked
            self.parameters.guidedBackprop = self.ui.guidedBackpropCheckBox.checked
            self.parameters.resultsPath = self.ui.resultsPathLineEdit.currentPath

    def onHeatmapChanged(self, value=None) -> None:
        if self._updating:
            return
        self.parameters.heatmapMethod = self.ui.heatmapMethodComboBox.currentData or ""
        self.parameters.heatmapOpacity = self.ui.heatmapOpacitySlider.value
        self.parameters.heatmapThreshold = self.ui.heatmapThresholdSlider.value
        self._showHeatmap()

    def _showHeatmap(self) -> None:
        if self.nodes is None:
            return
        from ece_core.scene import hide_heatmaps, show_heatmap

        node = self.heatmaps.get(self.parameters.heatmapMethod)
        if node is None:
            hide_heatmaps()
        else:
            show_heatmap(node, self.parameters.heatmapOpacity, self.parameters.heatmapThreshold)
        self._refreshHeatmap()

    def _fillHeatmap(self) -> None:
        titles = {heatmap["method"]: heatmap.get("title") for heatmap in self.result.heatmaps} if self.result else {}
        combo = self.ui.heatmapMethodComboBox
        combo.clear()
        combo.addItem(_("Off"), "")
        for method in self.heatmaps:
            combo.addItem(titles.get(method) or method, method)
        combo.currentIndex = max(0, combo.findData(self.parameters.heatmapMethod))
        self.ui.heatmapOpacitySlider.value = self.parameters.heatmapOpacity
        self.ui.heatmapThresholdSlider.value = self.parameters.heatmapThreshold

    # What the user sees

    def refresh(self) -> None:
        super().refresh()
        for widget in (self.ui.explainWidget, self.ui.resultsPathLineEdit):
            widget.enabled = not self.run.isActive
        self.ui.openResultButton.enabled = not self.run.isActive
        self.ui.openResultButton.toolTip = (
            _("Wait for the run to end, or cancel it.") if self.run.isActive
            else _("Open a result that was saved before; needs neither PyTorch nor a new analysis.")
        )
        self._refreshButtons()
        self._refreshHeatmap()

    def _fillResult(self) -> None:
        lymphNodes = self.result.lymph_nodes if self.result else ()
        self.ui.patientLabel.visible = self.result is not None
        self.ui.patientLabel.text = patientText(self.result)
        self.ui.patientDetailsLabel.text = patientDetailsText(self.result)
        warnings = self.result.warnings if self.result else ()
        self.ui.warningsLabel.visible = bool(warnings)
        self.ui.warningsLabel.text = "\n".join(f"⚠ {warning}" for warning in warnings)
        self.table.fill(lymphNodes)

    def _refreshButtons(self) -> None:
        selected = self.table.selected()
        setEnabled(self.ui.jumpButton, self._reasonNoJump(selected), _("Center the slice views on the lymph node."))
        toolTip = _("Open the report in the web browser. It is in the result folder {folder}.")
        setEnabled(self.ui.reportButton, self._reasonNoReport(), toolTip.format(folder=self.parameters.resultFolder))

    def _refreshHeatmap(self) -> None:
        reason = "" if self.heatmaps else _("The result has no heatmaps. Choose some under Options.")
        if self.result is None:
            reason = _("Analyze a scan or open a result folder first.")
        setEnabled(self.ui.heatmapMethodComboBox, reason, _("What is laid over the scan. Values are scaled per lymph "
                                                            "node: compare them within one lymph node only."))
        shown = self.parameters.heatmapMethod in self.heatmaps
        reason = reason or ("" if shown else _("Choose a method first."))
        setEnabled(self.ui.heatmapOpacitySlider, reason, _("How strongly the heatmap covers the scan."))
        setEnabled(self.ui.heatmapThresholdSlider, reason, _("Values below are not shown."))

    def _reasonNoJump(self, lymphNode) -> str:
        if self.result is None:
            return _("Analyze a scan or open a result folder first.")
        return "" if lymphNode else _("Select a lymph node in the table first.")

    def _reasonNoReport(self) -> str:
        if self.result is None:
            return _("Analyze a scan or open a result folder first.")
        return "" if self._report().is_file() else _("The result folder is not there any more.")

    def _report(self) -> Path:
        return Path(self.parameters.resultFolder) / "report.html"


def setEnabled(widget, reason: str, toolTip: str) -> None:
    """A widget that is disabled says why."""
    widget.enabled = not reason
    widget.toolTip = reason or toolTip


def defaultResultsPath() -> str:
    return str(Path(slicer.app.defaultScenePath) / RESULTS_FOLDER)


def resultInScene(segmentationNode):
    """The result that this segmentation belongs to, also in a scene that was saved and opened again; or None."""
    if segmentationNode is None:
        return None
    ensureCore()
    from ece_core.errors import ECEError
    from ece_core.scene import results_in_scene

    try:
        results = results_in_scene()
    except ECEError:  # written by a newer version: its nodes can be looked at, its table not
        return None
    return next((nodes for nodes in results if nodes.segmentationNode is segmentationNode), None)


def patientText(result) -> str:
    probability = result.patient.get("ece_probability") if result else None
    if probability is None:
        return _("ECE probability not computed")
    return _("ECE probability {probability:.2f}").format(probability=probability)


def patientDetailsText(result) -> str:
    if result is None:
        return _("No result yet. Analyze a scan or open a result folder.")
    suspicious = sum((lymphNode.ece_probability or 0) >= SUSPICIOUS for lymphNode in result.lymph_nodes)
    parts = [_("{suspicious} of {count} lymph nodes at {limit:.2f} or more.").format(
        suspicious=suspicious, count=len(result.lymph_nodes), limit=SUSPICIOUS)]
    if result.patient.get("not_evaluable"):
        parts.append(_("{count} not evaluable, left out.").format(count=result.patient["not_evaluable"]))
    if result.patient.get("method"):
        parts.append(_("Patient value by {method}.").format(method=result.patient["method"]))
    return " ".join([*parts, result.research_use_only])
