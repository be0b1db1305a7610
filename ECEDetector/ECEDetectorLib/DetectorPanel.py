"""Panel of the module ECEDetector: analyze a scan, or open a result, and work through its lymph nodes."""

from pathlib import Path

import qt
import slicer
from LymphNodeSegLib import AnalysisPanel, ensureCore
from LymphNodeSegLib.AnalysisPanel import newFolderName, reasonNotAnalyzable
from LymphNodeSegLib.CorePackage import problemAndFix
from slicer.i18n import tr as _

from .CaseListPart import CaseListPart
from .DetectorParameters import DetectorParameters
from .ExportPart import ExportPart
from .HeatmapPart import HeatmapPart
from .ReviewLayout import ReviewLayout
from .ReviewPart import ReviewPart
from .widgets import setEnabled

SUSPICIOUS = 0.5  # counted in the banner; the table shows every probability
RESULTS_FOLDER = "ECEDetector results"
LEGEND = _("Dark violet is little, pale yellow is much (legend in the slice views).")


class DetectorPanel(AnalysisPanel):
    """The run of AnalysisPanel with the review of its result below."""

    parametersClass = DetectorParameters
    requester = "ECE Detector"
    request = "analyze"

    def __init__(self, ui, client, dependencies=None) -> None:
        self.nodes = None  # ece_core.scene.ResultNodes of the result that is shown
        self.heatmapPart = self.reviewPart = self.exportPart = self.casePart = None
        super().__init__(ui, client, dependencies)

    def applyText(self) -> str:
        return _("Analyze")

    def applyToolTip(self) -> str:
        return _("Find, measure and class the lymph nodes, with a probability of extranodal extension for each.")

    def reasonDisabled(self) -> str:
        if self.exportPart is not None and self.exportPart.isSending:
            return _("Wait until the results are sent, or cancel that.")
        return super().reasonDisabled()

    def offeredScan(self):
        """None within a list: a scan that lies in the scene may be that of a former case."""
        return None if self.casePart.cases is not None else super().offeredScan()

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

    @property
    def table(self):
        return self.reviewPart.table

    def cleanup(self) -> None:
        self.exportPart.close()
        self.reviewPart.close()
        super().cleanup()

    def connectWidgets(self) -> None:
        super().connectWidgets()
        self.heatmapPart = HeatmapPart(self)
        self.reviewLayout = ReviewLayout(self)
        self.reviewPart = ReviewPart(self, self._onFindingsShown)
        self.exportPart = ExportPart(self)
        self.casePart = CaseListPart(self)
        self.ui.readFirstCheckBox.connect("toggled(bool)", self.onOptionChanged)
        self.ui.centerOnClickCheckBox.connect("toggled(bool)", self.onOptionChanged)
        self.ui.computeHeatmapButton.connect("clicked()", self.onComputeHeatmap)
        self.ui.gradCamCheckBox.connect("toggled(bool)", self.onOptionChanged)
        self.ui.guidedBackpropCheckBox.connect("toggled(bool)", self.onOptionChanged)
        self.ui.resultsPathLineEdit.connect("currentPathChanged(QString)", self.onOptionChanged)
        self.ui.openResultButton.connect("clicked()", self.onOpenResult)
        self.ui.reportButton.connect("clicked()", self.onOpenReport)
        self.ui.heatmapMethodComboBox.connect("currentIndexChanged(int)", self.onHeatmapChanged)
        self.ui.heatmapOpacitySlider.connect("valueChanged(double)", self.onHeatmapChanged)
        self.ui.heatmapThresholdSlider.connect("valueChanged(double)", self.onHeatmapChanged)

    def fillWidgets(self) -> None:
        super().fillWidgets()
        self.ui.gradCamCheckBox.checked = self.parameters.gradCam
        self.ui.guidedBackpropCheckBox.checked = self.parameters.guidedBackprop
        self.ui.resultsPathLineEdit.currentPath = self.parameters.resultsPath or defaultResultsPath()
        self.ui.readFirstCheckBox.checked = self.parameters.readFirst
        self.ui.centerOnClickCheckBox.checked = self.parameters.centerOnClick
        self.reviewPart.fillWidgets()
        former, self.nodes = self.nodes, resultInScene(self.parameters.segmentation)
        if self.nodes is None or former is None or self.nodes.segmentationNode is not former.segmentationNode:
            self.reviewPart.open(self.nodes, self.parameters.resultFolder, self.parameters.inputVolume)
        self._fillResult()
        self._fillHeatmap()

    # The result

    def showResult(self, folder: str, volumeNode) -> None:
        """Load a result folder into the scene and show it. Needs no torch."""
        ensureCore()
        from ece_core.scene import load_result

        nodes = load_result(folder, volumeNode)
        self.casePart.onShown(folder)
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
            self.ui.openResultButton, _("Open a result folder (it holds result.json), or a folder of them"), start
        )
        if folder:
            self.openResult(folder)

    def openResult(self, folder: str) -> None:
        self.run.problem = self.run.fix = self.run.note = ""
        try:
            ensureCore()
            from ece_core.review import is_case_list

            if is_case_list(folder):
                self.casePart.open(folder)
                return
            with slicer.util.RenderBlocker():
                self.showResult(folder, self.parameters.inputVolume)
        except Exception as error:
            self.run.showProblem(*problemAndFix(error))

    def onOpenReport(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._report())))

    def onInputChanged(self, volumeNode=None) -> None:
        super().onInputChanged(volumeNode)
        if not self._updating and self.reviewPart.scene is not None:
            self.reviewPart.scene.set_volume(self.parameters.inputVolume)
            self.reviewPart.refresh()

    def _onFindingsShown(self) -> None:
        """Hidden or revealed: banner and heatmap go with the outlines."""
        self._fillResult()
        self._showHeatmap()

    # Options and heatmap

    def onOptionChanged(self, value=None) -> None:
        if not self._updating:
            self.parameters.gradCam = self.ui.gradCamCheckBox.checked
            self.parameters.guidedBackprop = self.ui.guidedBackpropCheckBox.checked
            self.parameters.readFirst = self.ui.readFirstCheckBox.checked
            self.parameters.centerOnClick = self.ui.centerOnClickCheckBox.checked
            self.parameters.resultsPath = self.ui.resultsPathLineEdit.currentPath

    def onHeatmapChanged(self, value=None) -> None:
        if self._updating:
            return
        self.parameters.heatmapMethod = self.ui.heatmapMethodComboBox.currentData or ""
        self.parameters.heatmapOpacity = self.ui.heatmapOpacitySlider.value
        self.parameters.heatmapThreshold = self.ui.heatmapThresholdSlider.value
        self._showHeatmap()

    def peekHeatmap(self, down: bool) -> None:
        """While the key is held: the scan without the heatmap; without one that is shown, the first there is."""
        if self.nodes is None or self.reviewPart.isHidden:
            return
        shown = self.parameters.heatmapMethod
        other = "" if shown in self.heatmaps else next(iter(self.heatmaps), "")
        self._showHeatmap(other if down else shown)

    def onComputeHeatmap(self) -> None:
        """Ask the worker for the chosen method; it is added to the result."""
        method = self.parameters.heatmapMethod
        try:
            self.dependencies.ensure(self.requester)
        except Exception as error:
            self.run.showProblem(*problemAndFix(error))
            return
        fields = {"result": self.parameters.resultFolder, "method": method,
                  "options": {"device": self.parameters.device}}
        self.run.start("explain", self.parameters.inputVolume, fields,
                       lambda event, volumeNode: self._onHeatmapComputed(method))

    def _onHeatmapComputed(self, method: str) -> None:
        from ece_core.scene import take_new_heatmap

        self.nodes = take_new_heatmap(self.nodes, self.parameters.resultFolder, method)
        if self.reviewPart.scene is not None:
            self.reviewPart.scene.take_result(self.nodes)
        self.updateFromParameters()
        self._showHeatmap()

    def _showHeatmap(self, method: str | None = None) -> None:
        if self.nodes is None:
            return
        node = self.heatmaps.get(self.parameters.heatmapMethod if method is None else method)
        self.heatmapPart.show(None if self.reviewPart.isHidden else node)
        self.refreshHeatmap()

    def _fillHeatmap(self) -> None:
        """All methods that there are; those that the result has no heatmap of can be computed."""
        titles = explanationTitles()
        titles |= {entry["method"]: entry.get("title") or entry["method"] for entry in self._entries()}
        combo = self.ui.heatmapMethodComboBox
        combo.clear()
        combo.addItem(_("Off"), "")
        for method in self.heatmaps:
            combo.addItem(titles.get(method, method), method)
        for method in titles if self.result else ():
            if method not in self.heatmaps:
                combo.addItem(_("{title} (not computed)").format(title=titles[method]), method)
        combo.currentIndex = max(0, combo.findData(self.parameters.heatmapMethod))
        self.ui.heatmapOpacitySlider.value = self.parameters.heatmapOpacity
        self.ui.heatmapThresholdSlider.value = self.parameters.heatmapThreshold
        self.heatmapPart.fillWidgets()

    def _entries(self) -> list:
        return list(self.result.heatmaps) if self.result else []

    # What the user sees

    def refresh(self) -> None:
        super().refresh()
        for widget in (self.ui.explainWidget, self.ui.resultsPathLineEdit):
            widget.enabled = not self.run.isActive
        self.ui.openResultButton.enabled = not self.run.isActive
        self.ui.openResultButton.toolTip = (
            _("Wait for the run to end, or cancel it.") if self.run.isActive
            else _("Open a result that was saved before, or a folder of results, case after case; "
                   "needs neither PyTorch nor a new analysis.")
        )
        self._refreshReport()
        self.refreshHeatmap()
        if self.reviewPart is not None:
            self.reviewPart.refresh()
        if self.casePart is not None:
            self.casePart.refresh()

    def _fillResult(self) -> None:
        hidden = self.reviewPart.isHidden
        self.ui.patientLabel.visible = self.result is not None
        self.ui.patientLabel.text = _("Findings are hidden") if hidden else patientText(self.result)
        self.ui.patientDetailsLabel.text = (
            _("Read the scan, then give your first opinion below. {research}").format(
                research=self.result.research_use_only) if hidden else patientDetailsText(self.result)
        )
        warnings = self.result.warnings if self.result and not hidden else ()
        self.ui.warningsLabel.visible = bool(warnings)
        self.ui.warningsLabel.text = "\n".join(f"⚠ {warning}" for warning in warnings)

    def _refreshReport(self) -> None:
        toolTip = _("Open the report in the web browser. It is in the result folder {folder}.")
        setEnabled(self.ui.reportButton, self._reasonNoReport(), toolTip.format(folder=self.parameters.resultFolder))

    def refreshHeatmap(self) -> None:
        reason = "" if self.result else _("Analyze a scan or open a result folder first.")
        if self.reviewPart is not None and self.reviewPart.isHidden:
            reason = _("Findings are hidden: give your first opinion first.")
        method = self.parameters.heatmapMethod
        toolTip = _("What is laid over the scan. Hold the key H in the table to see the scan without it.")
        setEnabled(self.ui.heatmapMethodComboBox, reason, toolTip)
        sliders = reason or ("" if method in self.heatmaps else _("Choose a method first."))
        setEnabled(self.ui.heatmapOpacitySlider, sliders, _("How strongly the heatmap covers the scan."))
        setEnabled(self.ui.heatmapThresholdSlider, sliders, _("Values below are not shown."))
        self.heatmapPart.refresh(sliders)
        setEnabled(self.ui.computeHeatmapButton, reason or self._reasonNoCompute(method),
                   _("Compute the heatmaps of this method and add them to the result."))
        self.ui.guideLabel.text = explanationGuide(method)
        entry = next((entry for entry in self._entries() if entry["method"] == method), {})
        scaling = _("Values: {scaling}. {legend}").format(
            scaling=entry.get("scaling", "").rstrip(".") or _("as computed"), legend=LEGEND) if entry else ""
        self.ui.scalingLabel.text = " ".join(text for text in (self.heatmapPart.note, scaling) if text)

    def _reasonNoCompute(self, method: str) -> str:
        if not method:
            return _("Choose a method first.")
        if method in self.heatmaps:
            return _("The result has the heatmaps of this method.")
        if not (Path(self.parameters.resultFolder) / "result.json").is_file():
            return _("The result folder is not there any more.")
        if self.run.client.isBusy:
            return _("Wait for the run to end, or cancel it.")
        return reasonNotAnalyzable(self.parameters.inputVolume)

    def _reasonNoReport(self) -> str:
        if self.result is None:
            return _("Analyze a scan or open a result folder first.")
        if self.reviewPart is not None and self.reviewPart.isHidden:
            return _("Findings are hidden: give your first opinion first.")
        return "" if self._report().is_file() else _("The result folder is not there any more.")

    def _report(self) -> Path:
        return Path(self.parameters.resultFolder) / "report.html"


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


def explanationTitles() -> dict[str, str]:
    """All methods by name; needs no torch. Empty where the core's packages are missing."""
    guides = explanationGuides()
    return {method: guide.title for method, guide in guides.items()}


def explanationGuide(method: str) -> str:
    """What the method shows and what it cannot, in a sentence."""
    guide = explanationGuides().get(method)
    return guide.sentence() if guide else ""


def explanationGuides() -> dict:
    try:
        ensureCore()
        from ece_core.pipeline.explanation_guide import GUIDES
    except ImportError:
        return {}
    return GUIDES


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
