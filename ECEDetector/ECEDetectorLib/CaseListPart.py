"""A folder of results, case after case: which one is shown, and the way to the next one and back."""

from pathlib import Path

import slicer
from LymphNodeSegLib.CorePackage import ensureCore, problemAndFix
from slicer.i18n import tr as _

from .widgets import setEnabled


class CaseListPart:
    """Two buttons and "Case 3 of 20"; which case comes next is ece_core.review's.

    Going on saves the review, takes the case's nodes out of the scene, and its scan out of the slice views: a scan says
    nothing about the next case, so the reader chooses that one's.

    Parameters
    ----------
    panel
        The DetectorPanel.
    """

    def __init__(self, panel) -> None:
        self.panel, self.ui = panel, panel.ui
        self.cases = None  # ece_core.review.CaseList; None: no list
        self.ui.nextCaseButton.connect("clicked()", self.onNext)
        self.ui.previousCaseButton.connect("clicked()", self.onPrevious)

    def onNext(self) -> None:
        self._go(1)

    def onPrevious(self) -> None:
        self._go(-1)

    def open(self, folder: str) -> None:
        """Begin a list at its first case without a final call.

        Raises
        ------
        ECEError
            The folder cannot be read.
        """
        from ece_core.review import open_case_list

        cases = open_case_list(folder)
        if self.cases is None:
            self._putResultAside()
        elif not self._leave():
            return
        self.cases = cases
        self._show()

    def onShown(self, folder: str) -> None:
        """A result that is not the list's present case ends the list."""
        if self.cases is not None and Path(folder) != self.cases.folder:
            self.cases = None

    def refresh(self) -> None:
        self.ui.caseWidget.visible = self.cases is not None
        self.ui.caseLabel.text = self._words() if self.cases else ""
        setEnabled(self.ui.nextCaseButton, self._reason(1), _("Save the review and open the next case (Ctrl+Right)."))
        setEnabled(self.ui.previousCaseButton, self._reason(-1),
                   _("Save the review and open the previous case (Ctrl+Left)."))

    def _words(self) -> str:
        return _("Case {number} of {count}").format(number=self.cases.position + 1, count=len(self.cases.folders))

    def _reason(self, step: int) -> str:
        """Why there is no way on; empty: there is."""
        if self.cases is None:
            return _("Open a folder that holds several result folders first.")
        if self.panel.run.isActive or self.panel.exportPart.isSending:
            return _("Wait for the run to end, or cancel it.")
        if self.cases.beside(step) is None:
            return _("This is the last case.") if step > 0 else _("This is the first case.")
        return ""

    def _go(self, step: int) -> None:
        if not self._reason(step) and self._leave():
            self.cases = self.cases.beside(step)
            self._show()

    def _show(self) -> None:
        """A case that cannot be opened leaves the panel empty, with the reason; the list goes on."""
        run = self.panel.run
        run.problem = run.fix = run.note = ""
        try:
            with slicer.util.RenderBlocker():
                self._load()
        except Exception as error:
            problem, fix = problemAndFix(error)
            run.showProblem(_("{case} cannot be opened. {problem}").format(case=self._words(), problem=problem),
                            _("{fix} The list goes on with the next case.").format(fix=fix))
        self.panel.refresh()

    def _load(self) -> None:
        from ece_core.errors import GeometryError

        folder, volumeNode = str(self.cases.folder), self.panel.parameters.inputVolume
        try:
            self.panel.showResult(folder, volumeNode)
        except GeometryError:  # the scan of another case
            if volumeNode is None:
                raise
            self._putScanAside()
            self.panel.showResult(folder, None)
        if self.panel.parameters.inputVolume is None:
            self.panel.run.note += ". " + _(
                "Load its scan and choose it as input volume; a batch's cases.csv says which.")

    def _leave(self) -> bool:
        """Save the review and take the case out of the scene; False: it is not saved, and stays."""
        if self.panel.nodes is None:
            return True
        part, run = self.panel.reviewPart, self.panel.run
        run.showProblem("", "")
        part.takeEdits()
        if not run.problem and part.review is not None and part.review.history:
            part.saveInFolder()
        if run.problem:
            return False
        self._remove()
        return True

    def _remove(self) -> None:
        ensureCore()
        from ece_core.scene import remove_result

        nodes = self.panel.nodes
        self.panel.reviewPart.close()
        with slicer.util.RenderBlocker():
            remove_result(nodes)
            self._putScanAside()
            self._putResultAside()

    def _putResultAside(self) -> None:
        """No result is shown any more; its nodes stay."""
        self.panel.reviewPart.takeEdits()
        self.panel.heatmapPart.show(None)
        self.panel.parameters.segmentation = None
        self.panel.parameters.resultFolder = ""
        self.panel.updateFromParameters()

    def _putScanAside(self) -> None:
        from ece_core.scene import hide_scan

        if self.panel.parameters.inputVolume is not None:
            hide_scan(self.panel.parameters.inputVolume)
            self.panel.parameters.inputVolume = None
