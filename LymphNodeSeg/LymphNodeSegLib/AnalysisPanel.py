"""The panel around a run: choose a volume, one button that becomes Cancel, progress, and what went wrong."""

import re
import time

import qt
import slicer
from slicer.i18n import tr as _

from .AnalysisParameters import AnalysisParameters
from .AnalysisRun import CANCELLING, RUNNING, AnalysisRun
from .CorePackage import ensureCore, problemAndFix
from .Dependencies import Dependencies
from .Precheck import Precheck, expectedText, remember
from .SetupPart import SetupPart
from .WorkerClient import WorkerClient


class AnalysisPanel:
    """Shared by both modules: each says what its button is called, what it asks for, what it does with the result.

    Parameters
    ----------
    ui
        The widgets of the .ui file as attributes (slicer.util.childWidgetVariables).
    client
        The worker.
    dependencies
        Checked when the button is clicked.
    """

    parametersClass = AnalysisParameters
    requester = "Lymph Node Segmentation"
    request = "segment"  # of the worker

    def __init__(self, ui, client: WorkerClient, dependencies: Dependencies | None = None) -> None:
        self.ui = ui
        self.dependencies = dependencies or Dependencies()
        self.parameters = self.parametersClass.fromScene()
        self.run = AnalysisRun(client, self.refresh, self.ui.logTextEdit.appendPlainText)
        self.precheck = Precheck()
        self.setup = SetupPart(self)
        self._updating = False
        self._observedScene = slicer.mrmlScene
        self._sceneObservers = [
            self._observedScene.AddObserver(event, self.onSceneChanged)
            for event in (slicer.vtkMRMLScene.EndCloseEvent, slicer.vtkMRMLScene.EndImportEvent)
        ]
        self._clock = qt.QTimer()
        self._clock.setInterval(1000)
        self._clock.connect("timeout()", self._refreshRun)
        client.observers.append(self.refresh)
        self.connectWidgets()
        self.updateFromParameters()

    # What a module adds

    def applyText(self) -> str:
        return _("Segment")

    def applyToolTip(self) -> str:
        return _("Find and outline the lymph nodes of the volume.")

    def options(self) -> dict:
        """Options of the worker's request."""
        return {"device": self.parameters.device}

    def resultFolder(self) -> str:
        """Where the worker shall write; must not exist yet."""
        raise NotImplementedError

    def showResult(self, folder: str, volumeNode) -> None:
        """Put the result into the scene."""
        raise NotImplementedError

    def offeredScan(self):
        """What is chosen when the module is shown and nothing was chosen yet."""
        return firstScan()

    # Life of the panel

    def connectWidgets(self) -> None:
        self.ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)
        self.ui.deviceComboBox.connect("currentIndexChanged(int)", self.onDeviceChanged)
        self.ui.applyButton.connect("clicked()", self.onApply)

    def enter(self) -> None:
        """The module is shown: offer the loaded scan, and let the worker load while the user looks at it."""
        if self.parameters.inputVolume is None:
            self.parameters.inputVolume = self.offeredScan()
        self.setup.lookAgain()
        self.updateFromParameters()
        if not self._missing():
            self.run.client.warmUp()

    def cleanup(self) -> None:
        self.run.client.observers.remove(self.refresh)
        self.run.abort("")
        self._clock.stop()
        for tag in self._sceneObservers:
            self._observedScene.RemoveObserver(tag)
        self._sceneObservers = []

    def onSceneChanged(self, caller=None, event=None) -> None:
        """A scene was closed or loaded: the parameter node is a new one, or has new content."""
        self.parameters = self.parametersClass.fromScene()
        self.updateFromParameters()

    def updateFromParameters(self) -> None:
        """Show the parameters in the widgets, without writing them back."""
        self._updating = True
        try:
            self.fillWidgets()
        finally:
            self._updating = False
        self.refresh()

    def fillWidgets(self) -> None:
        self.ui.inputSelector.setCurrentNode(self.parameters.inputVolume)
        self.ui.deviceComboBox.currentIndex = self.parameters.DEVICES.index(self.parameters.device)

    # What the user does

    def onInputChanged(self, volumeNode=None) -> None:
        if not self._updating:
            self.parameters.inputVolume = self.ui.inputSelector.currentNode()
        self.refresh()

    def onDeviceChanged(self, index: int) -> None:
        if not self._updating:
            self.parameters.device = self.parameters.DEVICES[index]
            self._refreshPrecheck()

    def onApply(self) -> None:
        if self.run.isActive:
            self.run.cancel()
            return
        self.ui.logTextEdit.clear()
        try:
            ensureCore()
            self.dependencies.ensure(self.requester)
            out = self.resultFolder()
        except Exception as error:
            self.run.showProblem(*problemAndFix(error))
            return
        fields = {"out": out, "options": self.options()}
        self.run.start(self.request, self.parameters.inputVolume, fields, self._onFinished)

    def _onFinished(self, event: dict, volumeNode) -> None:
        device = {"cpu": "cpu", "cuda": "cuda:0"}.get(self.parameters.device, self.run.client.device)
        remember(self.request, device, volumeNode, self.run.elapsed)
        with slicer.util.RenderBlocker():
            self.showResult(event.get("folder", ""), volumeNode)

    # What the user sees

    def reasonDisabled(self) -> str:
        """Why the button cannot be clicked now; empty when it can. It is the button's tooltip."""
        if self.run.state == CANCELLING:
            return _("The run is being cancelled.")
        if self.run.state == RUNNING:
            return ""
        if self.run.client.isBusy:
            return _("Wait for the run in the other module to end.")
        volumeNode = self.parameters.inputVolume
        return reasonNotAnalyzable(volumeNode) or self.precheck.reason(volumeNode)

    def refresh(self) -> None:
        reason = self.reasonDisabled()
        self.ui.applyButton.enabled = not reason
        self.ui.applyButton.text = self._buttonText()
        self.ui.applyButton.toolTip = reason or (
            _("Stop the run; nothing is kept.") if self.run.isActive else self.applyToolTip()
        )
        for widget in (self.ui.inputSelector, self.ui.deviceComboBox):
            widget.enabled = not self.run.isActive
        self._refreshSetup()
        self._refreshPrecheck()
        self._refreshMessage()
        self._refreshRun()

    def _buttonText(self) -> str:
        if self.run.state == CANCELLING:
            return _("Cancelling...")
        return _("Cancel") if self.run.state == RUNNING else self.applyText()

    def _missing(self) -> list[str]:
        try:
            return self.dependencies.missing()
        except Exception:  # the line is a courtesy; the button finds out for good
            return []

    def _refreshSetup(self) -> None:
        self.setup.refresh()
        missing = [] if self.run.isActive else self._missing()
        self.ui.setupLabel.visible = bool(missing)
        if missing:
            names = ", ".join(re.split("[<>=]", requirement)[0] for requirement in missing)
            self.ui.setupLabel.text = _(
                "Setup: {button} will ask to install {names}.").format(button=self.applyText(), names=names)

    def _refreshPrecheck(self) -> None:
        volumeNode = self.parameters.inputVolume
        possible = not self.run.isActive and not reasonNotAnalyzable(volumeNode)
        remarks = self.precheck.text(volumeNode) if possible else ""
        expected = expectedText(self.request, self.parameters.device, self.run.client, volumeNode) if possible else ""
        for label, text in ((self.ui.precheckLabel, remarks), (self.ui.expectedLabel, expected)):
            label.visible = bool(text)
            label.text = text

    def _refreshMessage(self) -> None:
        problem, note = self.run.problem, self.run.note
        self.ui.problemLabel.visible = bool(problem)
        self.ui.problemLabel.text = problem
        self.ui.fixLabel.visible = bool(problem or note)
        self.ui.fixLabel.text = self.run.fix if problem else note

    def _refreshRun(self) -> None:
        active = self.run.isActive
        for widget in (self.ui.progressBar, self.ui.stageLabel, self.ui.timeLabel):
            widget.visible = active
        if not active:
            self._clock.stop()
            return
        if not self._clock.active:
            self._clock.start()
        self.ui.progressBar.value = round(100 * self.run.fraction)
        self.ui.stageLabel.text = self.run.stage[:1].upper() + self.run.stage[1:]
        self.ui.timeLabel.text = timeText(self.run.elapsed, self.run.remainingNow)


HEATMAP_ATTRIBUTE = "ECE.HeatmapMethod"  # ece_core.scene marks its heatmaps, which are volumes too


def firstScan():
    """The first volume of the scene that may be a scan, or None."""
    volumeNodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    scans = [node for node in volumeNodes if node.GetClassName() == "vtkMRMLScalarVolumeNode"]
    return next((node for node in scans if not node.GetAttribute(HEATMAP_ATTRIBUTE)), None)


def reasonNotAnalyzable(volumeNode) -> str:
    """Why this volume cannot be analyzed, in words that say what to do; empty: it can."""
    if volumeNode is None:
        return _("Choose a contrast neck CT first.")
    if volumeNode.GetAttribute(HEATMAP_ATTRIBUTE):
        return _("This volume is a heatmap. Choose the scan it was made from.")
    image = volumeNode.GetImageData()
    if image is None or 0 in image.GetDimensions():
        return _("The volume is empty. Load the scan again.")
    if min(image.GetDimensions()) < 2:
        return _("The volume is a single slice. Load the whole series.")
    if volumeNode.GetParentTransformNode() is not None:
        return _("The volume is under a transform. Harden the transform in the module Transforms first.")
    return ""


def timeText(elapsed: float, remaining: float | None) -> str:
    if remaining is None:
        return _("{elapsed} elapsed").format(elapsed=minutes(elapsed))
    return _("{elapsed} elapsed, about {remaining} left").format(elapsed=minutes(elapsed), remaining=minutes(remaining))


def minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def newFolderName() -> str:
    """Named by time: the name of the volume may be a patient's."""
    return time.strftime("%Y-%m-%d %H-%M-%S")
