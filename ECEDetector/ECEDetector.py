"""3D Slicer module ECEDetector: the review of lymph nodes on a neck CT, from Analyze to the table."""

import logging

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class ECEDetector(ScriptedLoadableModule):
    """What the module says of itself."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("ECE Detector")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["LymphNodeSeg"]  # its LymphNodeSegLib runs the worker
        self.parent.contributors = ["The ECEDetector developers"]
        self.parent.helpText = _(
            "Finds, outlines and measures the cervical lymph nodes of a contrast neck CT and estimates the probability "
            "of extranodal extension (ENE, also ECE) of each, with heatmaps that show why. "
            "Research use only. Not a medical device."
        )
        self.parent.acknowledgementText = _("Built on MONAI, PyTorch, highdicom and 3D Slicer.")
        slicer.app.connect("startupCompleted()", onStartupCompleted)


def onStartupCompleted():
    """The layout is known before a scene that was saved with it is opened."""
    try:
        from ECEDetectorLib.ReviewLayout import addToMenu

        addToMenu()
    except Exception as error:  # it must not keep Slicer from starting
        logging.warning("ECE Detector, layout: %s", type(error).__name__)


class ECEDetectorWidget(ScriptedLoadableModuleWidget):
    """Loads the .ui file and hands it to the panel, which holds the logic."""

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        # Here, not at the top: when the modules are added from a source tree, LymphNodeSeg is on the path only by now.
        from ECEDetectorLib import DetectorPanel
        from LymphNodeSegLib import WorkerClient

        self.uiWidget = slicer.util.loadUI(self.resourcePath("UI/ECEDetector.ui"))
        self.layout.addWidget(self.uiWidget)
        self.uiWidget.setMRMLScene(slicer.mrmlScene)
        self.panel = DetectorPanel(slicer.util.childWidgetVariables(self.uiWidget), WorkerClient.acquire())
        self._client = WorkerClient

    def enter(self):
        self.panel.enter()

    def cleanup(self):
        self.panel.cleanup()
        self._client.release()


class ECEDetectorTest(ScriptedLoadableModuleTest):
    """Self-test for the application (Testing/slicer); needs no torch."""

    def runTest(self):
        slicer.mrmlScene.Clear()
        self.delayDisplay(_("Opening the panel without a scan"))
        panel = slicer.util.getModuleWidget("ECEDetector").panel
        assert not panel.ui.applyButton.enabled
        assert panel.ui.applyButton.toolTip, "a disabled button says why"
        self.delayDisplay(_("Test passed"))
