"""3D Slicer module LymphNodeSeg: the cervical lymph nodes of a neck CT as a segmentation."""

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class LymphNodeSeg(ScriptedLoadableModule):
    """What the module says of itself."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Lymph Node Segmentation")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["The ECEDetector developers"]
        self.parent.helpText = _(
            "Finds and outlines the cervical lymph nodes of a contrast neck CT. "
            "Research use only. Not a medical device."
        )
        self.parent.acknowledgementText = _("Built on MONAI, PyTorch and 3D Slicer.")
        slicer.app.connect("startupCompleted()", onStartupCompleted)


def onStartupCompleted():
    """Sample data and terminologies, of both modules."""
    from LymphNodeSegLib.StartUp import onStartupCompleted as start

    start()


class LymphNodeSegWidget(ScriptedLoadableModuleWidget):
    """Loads the .ui file and hands it to the panel, which holds the logic."""

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        from LymphNodeSegLib import LymphNodeSegPanel, WorkerClient

        self.uiWidget = slicer.util.loadUI(self.resourcePath("UI/LymphNodeSeg.ui"))
        self.layout.addWidget(self.uiWidget)
        self.uiWidget.setMRMLScene(slicer.mrmlScene)
        self.panel = LymphNodeSegPanel(slicer.util.childWidgetVariables(self.uiWidget), WorkerClient.acquire())
        self._client = WorkerClient

    def enter(self):
        self.panel.enter()

    def cleanup(self):
        self.panel.cleanup()
        self._client.release()


class LymphNodeSegTest(ScriptedLoadableModuleTest):
    """Self-test for the application (Testing/slicer); needs no torch."""

    def runTest(self):
        slicer.mrmlScene.Clear()
        self.delayDisplay(_("Opening the panel without a scan"))
        panel = slicer.util.getModuleWidget("LymphNodeSeg").panel
        assert not panel.ui.applyButton.enabled
        assert panel.ui.applyButton.toolTip, "a disabled button says why"
        self.delayDisplay(_("Test passed"))
