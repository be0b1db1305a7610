"""What the extension adds to the application once it has started, for both modules: sample data and terminologies."""

import logging
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from .CorePackage import ensureCore, problemAndFix
from .widgets import waiting

CATEGORY = "ECE Detector"
NAME = "Neck CT (simulated)"
MADE_HERE = "made-on-this-computer:neck-ct"  # no address: nothing is downloaded
ICON = Path(__file__).resolve().parents[1] / "Resources" / "Icons" / "LymphNodeSeg.png"


def onStartupCompleted() -> None:
    """Neither may keep Slicer from starting: what fails is logged, and the rest is done."""
    for step in (registerSampleData, loadTerminologies):
        try:
            step()
        except Exception as error:
            logging.warning("ECE Detector, %s: %s", step.__name__, type(error).__name__)


def registerSampleData() -> None:
    """A tile in the module Sample Data."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY, sampleName=NAME, uris=MADE_HERE, fileNames="neck-ct.nrrd", nodeNames=NAME,
        thumbnailFileName=str(ICON), customDownloader=makeSample)


def loadTerminologies() -> None:
    """Neck levels and classes of lymph nodes, for the Segment Editor's terminology chooser."""
    ensureCore()
    from ece_core.scene.terminologies import load_terminologies

    load_terminologies()


def makeSample(source=None) -> list:
    """Simulate the scan and show it in the slice views."""
    try:
        ensureCore()
        from ece_core.scene.sample_ct import add_sample_ct

        slicer.util.showStatusMessage(_("Simulating a neck CT on this computer, a few seconds..."), 10000)
        with waiting():
            volumeNode = add_sample_ct()
    except Exception as error:
        slicer.util.errorDisplay("\n".join(problemAndFix(error)))
        return []
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)
    return [volumeNode]
