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

    def resultFolder(self) -> str:
        # Only what the scene holds is kept; a folder of its own because the worker wants a name that is free.
        return str(Path(tempfile.mkdtemp(prefix="ece-", dir=slicer.app.temporaryPath)) / "result")

    def showResult(self, folder: str, volumeNode) -> None:
        from ece_core.scene import load_result

        try:
            nodes = load_result(folder, volumeNode)
        finally:
            shutil.rmtree(Path(folder).parent, ignore_errors=True)
        count = len(nodes.result.lymph_nodes)
        self.run.note = _("{count} lymph nodes found.").format(count=count) if count != 1 else _("1 lymph node found.")
        self.parameters.segmentation = nodes.segmentationNode
