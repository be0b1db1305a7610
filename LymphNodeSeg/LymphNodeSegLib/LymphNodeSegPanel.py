"""Panel of the module LymphNodeSeg: the lymph nodes as a segmentation, nothing more."""

import shutil
import tempfile
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from .AnalysisPanel import AnalysisPanel
from .BatchPart import BatchPart
from .CorePackage import problemAndFix
from .MeasuresTable import MeasuresTable
from .widgets import setEnabled


class LymphNodeSegPanel(AnalysisPanel):
    """Choose a volume, click Segment; the result is one segmentation with a segment per lymph node."""

    requester = "Lymph Node Segmentation"

    privateFolder: Path | None = None  # the result goes here for a moment: only what the scene holds is kept

    measures: MeasuresTable | None = None
    batch: BatchPart | None = None

    def connectWidgets(self) -> None:
        super().connectWidgets()
        self.measures = MeasuresTable(self.ui.measuresTable)
        self.batch = BatchPart(self)
        self.ui.saveTableButton.connect("clicked()", self.onSaveTable)

    def onSceneChanged(self, caller=None, event=None) -> None:
        self.measures.show(None)
        super().onSceneChanged(caller, event)

    def onSaveTable(self) -> None:
        file = qt.QFileDialog.getSaveFileName(
            self.ui.saveTableButton, _("Save the table"), str(Path.home() / "lymph_nodes.csv"), _("Table (*.csv)"))
        if not file:
            return
        self.run.problem = self.run.fix = self.run.note = ""
        try:
            self.measures.save(file)
        except OSError:
            self.run.showProblem(_("The table could not be saved."),
                                 _("Check that the disk is not full and that you may write there."))
        except Exception as error:
            self.run.showProblem(*problemAndFix(error))
        else:
            self.run.note = _("Saved: {file}").format(file=Path(file).name)
        self.refresh()

    def reasonDisabled(self) -> str:
        if self.batch.isActive:
            return _("Wait for the batch to end, or stop it.")
        return super().reasonDisabled()

    def refresh(self) -> None:
        super().refresh()
        noTable = "" if self.measures.result else _("Segment a volume first.")
        setEnabled(self.ui.saveTableButton, noTable, _("All measures of all lymph nodes, as CSV."))
        self.batch.refresh()

    def resultFolder(self) -> str:
        self.discardFolder()  # of a run that was cancelled
        self.privateFolder = Path(tempfile.mkdtemp(prefix="ece-", dir=slicer.app.temporaryPath))
        return str(self.privateFolder / "result")

    def discardFolder(self) -> None:
        if self.privateFolder is not None:
            shutil.rmtree(self.privateFolder, ignore_errors=True)
            self.privateFolder = None

    def cleanup(self) -> None:
        self.batch.stop()
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
        self.measures.show(nodes.result)
