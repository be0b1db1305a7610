"""A folder of scans, one after the other: each case says how it went, and one that fails stops no other."""

from collections.abc import Sequence
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from .CorePackage import ensureCore, problemAndFix
from .widgets import setEnabled

CASE, SCAN, STATE = range(3)
WAITING, DONE, THERE, FAILED = _("waiting"), _("done"), _("done before"), _("failed")


class BatchPart:
    """The list of cases and the one that runs. Results are files; nothing of them is loaded into the scene.

    Parameters
    ----------
    panel
        The LymphNodeSegPanel: its widgets, parameters, dependencies and worker.
    """

    def __init__(self, panel) -> None:
        self.panel, self.ui = panel, panel.ui
        self.cases: list = []
        self.states: list[str] = []
        self.failures = 0
        self._current: int | None = None
        self._stopping = False
        header = self.ui.batchTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setStretchLastSection(True)
        self.ui.batchOutPathLineEdit.currentPath = str(
            Path(slicer.app.defaultScenePath) / "Lymph node segmentations")
        self.ui.batchButton.connect("clicked()", self.onButton)
        self.ui.batchInPathLineEdit.connect("currentPathChanged(QString)", self.onPathChanged)
        self.ui.batchOutPathLineEdit.connect("currentPathChanged(QString)", self.onPathChanged)

    @property
    def isActive(self) -> bool:
        return self._current is not None

    def onPathChanged(self, path=None) -> None:
        self.panel.refresh()

    def onButton(self) -> None:
        """Start, or stop after the user has seen enough: what is done stays, and the next start goes on there."""
        if self.isActive:
            self._stopping = True
            self.panel.run.client.cancel()
            self.panel.refresh()
            return
        self._say("", "")
        try:
            ensureCore()
            self.panel.dependencies.ensure(self.panel.requester)
            from ece_core.export.batch import batch_cases

            self.cases = batch_cases(self.ui.batchInPathLineEdit.currentPath, self.ui.batchOutPathLineEdit.currentPath)
        except Exception as error:
            self._say(*problemAndFix(error))
            return
        self.states = [THERE if case.done else WAITING for case in self.cases]
        self.failures, self._stopping = 0, False
        self._fill()
        self._next()

    def stop(self) -> None:
        """The module is closed: the worker is ended by it."""
        self._stopping = True

    # One case after the other

    def _next(self) -> None:
        waiting = [number for number, state in enumerate(self.states) if state == WAITING]
        if self._stopping or not waiting:
            self._finish()
            return
        self._current = waiting[0]
        case = self.cases[self._current]
        fields = {"ct": str(case.scan), "out": str(case.out), "options": self.panel.options()}
        self._setState(_("starting"))
        self.panel.run.client.submit("segment", fields, self)
        self.panel.refresh()

    def _end(self, state: str) -> None:
        """A case has ended; the next one begins once the worker is free."""
        self._setState(state)
        self._current = None
        qt.QTimer.singleShot(0, self._next)

    def _finish(self) -> None:
        from ece_core.export.batch import write_batch_table

        self._current = None
        try:
            count = write_batch_table(self.ui.batchOutPathLineEdit.currentPath, self.cases)
        except Exception as error:
            self._say(*problemAndFix(error))
        else:
            self._say("", self._summary(count))
        self.panel.refresh()

    def _summary(self, count: int) -> str:
        words = [_("{count} of {all} cases are done.").format(count=count, all=len(self.cases))]
        if self.failures:
            words.append(_("{count} failed: the reason stands beside each. Start tries them again.").format(
                count=self.failures))
        if self._stopping:
            words.append(_("Stopped. Start goes on where it was."))
        return " ".join([*words, _("The table of all is all_lymph_nodes.csv; cases.csv says which case is which.")])

    # What the worker says (JobListener)

    def onProgress(self, stage: str, fraction: float, remaining: float | None) -> None:
        self._setState(f"{round(100 * fraction)} %  {stage}")

    def onLog(self, line: str) -> None:
        self.ui.logTextEdit.appendPlainText(line)

    def onResult(self, event: dict) -> None:
        self._end(DONE)

    def onError(self, problem: str, fix: str, failures: Sequence[dict] = ()) -> None:
        self.failures += 1
        self._end(f"{FAILED}: {problem} {fix}")

    def onCancelled(self) -> None:
        from .AnalysisRun import removeLeftovers

        removeLeftovers(str(self.cases[self._current].out))
        self._stopping = True
        self._end(WAITING)

    # What the user sees

    def refresh(self) -> None:
        active = self.isActive
        self.ui.batchButton.text = _("Stop") if active else _("Start")
        setEnabled(self.ui.batchButton, self._reason(), _("Stop after this; what is done stays.") if active else _(
            "Outline the lymph nodes of each scan in the folder. Cases that are done are left out."))
        for widget in (self.ui.batchInPathLineEdit, self.ui.batchOutPathLineEdit):
            widget.enabled = not active

    def _reason(self) -> str:
        if self.isActive:
            return _("The run is being cancelled.") if self._stopping else ""
        if self.panel.run.client.isBusy:
            return _("Wait for the run to end, or cancel it.")
        if not self.ui.batchInPathLineEdit.currentPath.strip():
            return _("Choose the folder of scans.")
        return "" if self.ui.batchOutPathLineEdit.currentPath.strip() else _("Choose a folder for the results.")

    def _fill(self) -> None:
        table = self.ui.batchTable
        table.setRowCount(len(self.cases))
        for number, case in enumerate(self.cases):
            for column, text in ((CASE, case.name), (SCAN, case.source), (STATE, self.states[number])):
                table.setItem(number, column, qt.QTableWidgetItem(text))

    def _setState(self, state: str) -> None:
        self.states[self._current] = state
        item = self.ui.batchTable.item(self._current, STATE)
        item.setText(state)
        item.setToolTip(state)
        self.ui.batchTable.scrollToItem(item)

    def _say(self, problem: str, words: str) -> None:
        self.ui.batchLabel.text = "\n".join(part for part in (problem, words) if part)
        self.ui.batchLabel.visible = bool(problem or words)
