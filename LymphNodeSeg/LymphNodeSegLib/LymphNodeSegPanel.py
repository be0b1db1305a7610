"""Panel of the module LymphNodeSeg: the lymph nodes as a segmentation, nothing more."""

import shutil
import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from .AnalysisPanel import AnalysisPanel


class LymphNodeSegPanel(AnalysisPanel):
    """Choose a volume, click Segment; the result is one segmentation with a segment per lymph node."""

    requester = "Lymph Node Segmentation"

    privateFolder: Path | None = None  # the result goes here for a moment: only what the scene holds is kept

    def resultFolder(self) -> str:
        self.discardFolder()  # of a run that was cancelled
        self.privateFolder = Path(tempfile.mkdtemp(prefix="ece-", dir=slicer.app.temporaryPath))
        return str(self.privateFolder / "result")

    def discardFolder(self) -> None:
        if self.privateFolder is not None:
            shutil.rmtree(self.privateFolder, ignore_errors=True)
            self.privateFolder = None

    def cleanup(self) -> None:
        super().cleanup()
        self.discardFolder()

    def showResult(self, folder: str, volumeNode) -> None:
        from ece_core.scene import load_result

        try:
            nodes = load_result(folder, volumeNode)
        finally:
            self.discardFolder()
        count = len(nodes.result.lymph_nodes)
        self.run.note = _("{count} lymph nodes found.").format(count=count) if count != 1 else _("1 lymph node found.")
        self.parameters.segmentation = nodes.segmentationNode
