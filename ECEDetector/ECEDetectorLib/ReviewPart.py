"""The part of the panel in which a reader works on a result. The review itself is ece_core.review's; this shows it."""

from collections.abc import Callable

import qt
import slicer
from LymphNodeSegLib.AnalysisPanel import reasonNotAnalyzable
from LymphNodeSegLib.CorePackage import ensureCore, problemAndFix
from slicer.i18n import tr as _

from .LymphNodeTable import LymphNodeTable
from .PlacePoint import PlacePoint
from .Reclassification import Reclassification
from .ReviewKeys import ReviewKeys
from .SegmentEditing import SegmentEditing
from .widgets import setEnabled

EDIT_SETTLES_MS = 500  # a stroke is many changes of the segmentation; the measures are made when it has ended
STATUS_FILTERS = ("", "new", "accepted", "rejected", "flagged")  # in the order of the .ui file
VERDICTS = ("", "ene", "no ene", "not evaluable")
CERTAINTIES = ("", "<25", "50", "75", ">90")


class ReviewPart:
    """Table, actions, undo, filters and final call.

    Parameters
    ----------
    panel
        The DetectorPanel: its widgets, parameters and run.
    onShown
        Called when findings were hidden or revealed.
    """

    def __init__(self, panel, onShown: Callable[[], None]) -> None:
        self.panel, self.ui = panel, panel.ui
        self.scene = None  # ece_core.scene.SceneReview
        self._onShown = onShown
        self._observed, self._tag = None, None
        self._filling = False
        self.saveProblem = ""
        self.table = LymphNodeTable(
            self.ui.lymphNodeTable, self.onLymphNodeSelected, self.onLymphNodeActivated, self.onVisibilityClicked,
            self.onLymphNodeClicked,
        )  # fmt: skip
        self.place = PlacePoint(self.onPointPlaced)
        self.editing = SegmentEditing(self.ui.segmentEditorWidget)
        self.reclassification: Reclassification | None = None
        self._settled = qt.QTimer()
        self._settled.setSingleShot(True)
        self._settled.connect("timeout()", self.takeEdits)
        self._connect()

    def _connect(self) -> None:
        ui = self.ui
        ui.acceptButton.connect("clicked()", self.onAccept)
        ui.rejectButton.connect("clicked()", self.onReject)
        ui.flagButton.connect("clicked()", self.onFlag)
        ui.clearStatusButton.connect("clicked()", self.onClearStatus)
        ui.nextButton.connect("clicked()", self.onNext)
        ui.previousButton.connect("clicked()", self.onPrevious)
        ui.jumpButton.connect("clicked()", self.onJump)
        ui.undoButton.connect("clicked()", self.onUndo)
        ui.redoButton.connect("clicked()", self.onRedo)
        ui.editButton.connect("clicked()", self.onEdit)
        ui.addButton.connect("clicked()", self.onAdd)
        ui.splitButton.connect("clicked()", self.onSplit)
        ui.mergeButton.connect("clicked()", self.onMerge)
        ui.deleteButton.connect("clicked()", self.onDelete)
        ui.reclassifyButton.connect("clicked()", self.onReclassify)
        ui.reclassifyAllButton.connect("clicked()", self.onReclassifyAll)
        ui.commentLineEdit.connect("editingFinished()", self.onComment)
        ui.reviewerLineEdit.connect("editingFinished()", self.onReviewer)
        ui.callButton.connect("clicked()", self.onCall)
        ui.verdictComboBox.connect("currentIndexChanged(int)", self.onVerdictChosen)
        ui.filterLineEdit.connect("textChanged(QString)", self.onFilter)
        ui.statusFilterComboBox.connect("currentIndexChanged(int)", self.onFilter)
        ui.probabilityFilterSpinBox.connect("valueChanged(double)", self.onFilter)
        pressed = {"a": self.onAccept, "r": self.onReject, "f": self.onFlag, "n": self.onNext, "p": self.onPrevious,
                   "h": lambda: self.panel.peekHeatmap(True),
                   "ctrl+right": lambda: self.panel.casePart.onNext(),
                   "ctrl+left": lambda: self.panel.casePart.onPrevious()}
        self._keys = ReviewKeys(pressed, {"h": lambda: self.panel.peekHeatmap(False)})
        ui.lymphNodeTable.installEventFilter(self._keys)

    # Life

    @property
    def review(self):
        return self.scene.review if self.scene else None

    @property
    def state(self):
        return self.scene.state if self.scene else None

    @property
    def isHidden(self) -> bool:
        """Whether the reader must not see findings yet."""
        return self.state is not None and self.state.hidden

    def open(self, nodes, folder: str, volumeNode) -> None:
        """Go on with the review of this result, or begin one."""
        self.close()
        if nodes is not None:
            try:
                self._open(nodes, folder, volumeNode)
            except Exception as error:
                self.scene = None
                self.panel.run.showProblem(*problemAndFix(error))
        self._fillCall()
        self.table.reset(self._visibleRows())
        self.refresh()

    def _fillCall(self) -> None:
        """The choices begin with what was called before."""
        call = self.state.final_call if self.state else None
        self.ui.verdictComboBox.currentIndex = VERDICTS.index(call.verdict) if call else 0
        self.ui.certaintyComboBox.currentIndex = CERTAINTIES.index(call.certainty) if call else 0

    def _open(self, nodes, folder: str, volumeNode) -> None:
        ensureCore()
        from ece_core.scene import SceneReview

        self.scene = SceneReview(nodes, folder or None, volumeNode)
        self.review.reviewer = self.panel.parameters.reviewer
        if self.panel.parameters.readFirst and not self.review.history:
            self.review.start_read_first()
            self._save()
        self.scene.show()
        self._observed = nodes.segmentationNode
        segmentation = self._observed.GetSegmentation()
        self._tag = segmentation.AddObserver(slicer.vtkSegmentation.SourceRepresentationModified, self._onPainted)
        self._showOrHide()

    def close(self) -> None:
        self.place.stop()
        self.editing.stop()
        self._settled.stop()
        if self._observed is not None:
            self._observed.GetSegmentation().RemoveObserver(self._tag)
        self._observed = self._tag = self.scene = None
        self.saveProblem = ""

    # One lymph node

    def onAccept(self) -> None:
        self._setStatus("accepted")

    def onReject(self) -> None:
        self._setStatus("rejected")

    def onFlag(self) -> None:
        self._setStatus("flagged")

    def onClearStatus(self) -> None:
        self._setStatus("new")

    def _setStatus(self, status: str) -> None:
        rows = self.table.selectedAll()
        if rows and not self._reason():
            self.do(lambda: [self.review.set_status(row.id, status) for row in rows])

    def onComment(self) -> None:
        selected = self.table.selected()
        if not self._filling and selected is not None and selected.comment != self.ui.commentLineEdit.text.strip():
            self.do(lambda: self.review.set_comment(selected.id, self.ui.commentLineEdit.text))

    def onReviewer(self) -> None:
        self.panel.parameters.reviewer = self.ui.reviewerLineEdit.text.strip()
        if self.review is not None:
            self.review.reviewer = self.panel.parameters.reviewer

    def onVisibilityClicked(self, row) -> None:
        if self.scene is not None:
            self.do(lambda: self.review.set_visible(row.id, not row.visible))

    def onSplit(self) -> None:
        selected = self.table.selected()

        def split() -> None:
            from ece_core.review.outline_tools import parts_of

            self.review.split(selected.id, parts_of(selected.outline, self.scene.affine))

        self.do(split)

    def onMerge(self) -> None:
        self.do(lambda: self.review.merge([row.id for row in self.table.selectedAll()]))

    def onDelete(self) -> None:
        self.do(lambda: self.review.delete(self.table.selected().id))

    def onAdd(self) -> None:
        """Wait for a click into the lymph node; again: give up."""
        if self.place.isWaiting:
            self.place.stop()
        else:
            self.place.start()
        self.refresh()

    def onPointPlaced(self, point_lps) -> None:
        def add() -> str:
            from ece_core.review.outline_tools import grown_outline

            measure = self.review._measure()
            return self.review.add(grown_outline(measure.ct, self.state, point_lps), "SEMIAUTOMATIC")

        name = self.do(add)
        if name:
            self.table.select(name)

    # The Segment Editor

    def onEdit(self) -> None:
        """Open the Segment Editor on the selected lymph node; again: done."""
        if self.editing.isActive:
            self.editing.stop()
            self.takeEdits()
        else:
            self.editing.start(
                self.scene.nodes.segmentationNode, self.panel.parameters.inputVolume, self.table.selected().id
            )
        self.refresh()

    def _onPainted(self, caller=None, event=None) -> None:
        self._settled.start(EDIT_SETTLES_MS)

    def takeEdits(self) -> None:
        """What was painted becomes an edit, with new measures; called when the strokes have ended."""
        if self.scene is None or self.isHidden:
            return
        try:
            changed = self.scene.take_edits()
        except Exception as error:
            self.panel.run.showProblem(*problemAndFix(error))
            changed = []
        if changed:
            self._changed()

    # Re-classify

    def onReclassify(self) -> None:
        self._reclassify(self.table.selectedAll())

    def onReclassifyAll(self) -> None:
        self._reclassify(list(self.state.edited))

    def _reclassify(self, rows: list) -> None:
        self.takeEdits()
        rows = [self.state.get(row.id) for row in rows if row.id in self.state.ids]
        try:
            self.panel.dependencies.ensure(self.panel.requester)
        except Exception as error:
            self.panel.run.showProblem(*problemAndFix(error))
            return
        self.reclassification = Reclassification(self.panel.run, self._onReclassified)
        options = {"device": self.panel.parameters.device}
        self.reclassification.start(self.scene, rows, self.panel.parameters.inputVolume, options)

    def _onReclassified(self, lymphNodeId: str, outline, answer) -> None:
        self.do(lambda: self.review.reclassify(lymphNodeId, outline, answer))

    # Undo, final call, filters

    def onUndo(self) -> None:
        self.takeEdits()
        self.do(lambda: self.review.undo())

    def onRedo(self) -> None:
        self.takeEdits()
        self.do(lambda: self.review.redo())

    def onCall(self) -> None:
        """The final call of the patient; while findings are hidden, the first opinion, which reveals them."""
        from ece_core.review import Opinion

        verdict = VERDICTS[self.ui.verdictComboBox.currentIndex]
        opinion = Opinion(verdict, CERTAINTIES[self.ui.certaintyComboBox.currentIndex]) if verdict else None
        if self.isHidden:
            self.do(lambda: self.review.give_first_opinion(opinion))
            self._showOrHide()
            self.table.reset(self._visibleRows())
        else:
            self.do(lambda: self.review.set_final_call(opinion))

    def onVerdictChosen(self, index: int) -> None:
        self._refreshCall()

    def onFilter(self, value=None) -> None:
        if self._filling or self.scene is None:
            return
        from ece_core.review import Filter

        status = STATUS_FILTERS[self.ui.statusFilterComboBox.currentIndex]
        self.table.setFilter(Filter(
            self.ui.filterLineEdit.text,
            frozenset([status] if status else []),
            round(self.ui.probabilityFilterSpinBox.value, 6),
        ))  # fmt: skip
        self.refresh()

    # Selection and views

    def onLymphNodeSelected(self, row) -> None:
        segmentationNode = self.scene.nodes.segmentationNode if self.scene else self.panel.parameters.segmentation
        if segmentationNode is not None:
            ensureCore()
            from ece_core.scene import highlight_lymph_node

            highlight_lymph_node(segmentationNode, row.id if row else None)
            self.panel.heatmapPart.onSelected()
        self._fillComment(row)
        if row is not None:
            self.editing.select(row.id)
        self.refresh()

    def onLymphNodeClicked(self, row) -> None:
        if self.panel.parameters.centerOnClick:
            self.onLymphNodeActivated(row)

    def onLymphNodeActivated(self, row) -> None:
        from ece_core.scene import jump_to_lymph_node

        try:
            jump_to_lymph_node(self.panel.parameters.segmentation, row.id)
        except Exception as error:  # its outline was erased, or the segmentation deleted
            self.panel.run.showProblem(*problemAndFix(error))

    def onJump(self) -> None:
        self.onLymphNodeActivated(self.table.selected())

    def onNext(self) -> None:
        self._goTo(1)

    def onPrevious(self) -> None:
        self._goTo(-1)

    def _goTo(self, step: int) -> None:
        if self.scene is None:
            return
        from ece_core.review import suspicious_beside

        selected = self.table.selected()
        row = suspicious_beside(self.table.listed, selected.id if selected else None, step)
        if row is not None:
            self.table.select(row.id)
            self.onLymphNodeActivated(row)

    # How it is done

    def do(self, action: Callable[[], object]):
        """An action of the review: it happens, or the panel says why not."""
        self.panel.run.showProblem("", "")
        try:
            answer = action()
        except Exception as error:
            self.panel.run.showProblem(*problemAndFix(error))
            self.refresh()
            return None
        self._changed()
        return answer

    def _changed(self) -> None:
        with slicer.util.RenderBlocker():
            self.scene.show()
            self.panel.heatmapPart.follow()
        self._save()
        self.table.fill(self._visibleRows())
        self.refresh()

    def _save(self) -> None:
        self.saveProblem = ""
        try:
            self.scene.save()
        except Exception as error:
            self.saveProblem, fix = problemAndFix(error)
            self.panel.run.showProblem(self.saveProblem, fix)

    def saveInFolder(self) -> None:
        """Before the nodes go: a review that only the scene has would be lost with them."""
        if self.scene.file is None or not self.scene.file.folder.is_dir():
            self.panel.run.showProblem(_("The result folder is not there any more; the scene alone has the review."),
                                       _("Save the scene, or put the folder back."))
            return
        self._save()

    def _visibleRows(self) -> list:
        return [] if self.scene is None or self.isHidden else list(self.state.lymph_nodes)

    def _showOrHide(self) -> None:
        """Outlines are findings, too."""
        display = self.scene.nodes.segmentationNode.GetDisplayNode()
        if display is not None:
            display.SetVisibility(not self.isHidden)
        self._onShown()

    def _fillComment(self, row) -> None:
        self._filling = True
        try:
            self.ui.commentLineEdit.text = row.comment if row else ""
        finally:
            self._filling = False

    # What the user sees

    def fillWidgets(self) -> None:
        self.ui.reviewerLineEdit.text = self.panel.parameters.reviewer

    def refresh(self) -> None:
        """Each button that is disabled says why in its tooltip."""
        reason = self._reason()
        selected = self.table.selected()
        one = reason or ("" if selected else _("Select a lymph node in the table first."))
        ui = self.ui
        setEnabled(ui.acceptButton, one, _("Accept the selected lymph nodes (key A)."))
        setEnabled(ui.rejectButton, one, _("Reject and hide the selected lymph nodes (key R)."))
        setEnabled(ui.flagButton, one, _("Flag the selected lymph nodes for a second look (key F)."))
        setEnabled(ui.clearStatusButton, one, _("Not judged yet: take accept, reject or flag back."))
        setEnabled(ui.commentLineEdit, one, _("Comment on the selected lymph node; Enter keeps it."))
        setEnabled(ui.jumpButton, one, _(
            "Center the slice views on the lymph node and turn the 3D view to it (double click or Enter)."))
        setEnabled(ui.deleteButton, one, _("Remove the lymph node from the review; undo brings it back."))
        for button, words, key in ((ui.nextButton, _("Next"), "N"), (ui.previousButton, _("Previous"), "P")):
            setEnabled(button, reason or self._reasonNothingSuspicious(),
                       _("{which} suspicious lymph node in the order of the table (key {key}).").format(
                           which=words, key=key))
        self._refreshUndo(reason)
        self._refreshOutlines(reason, one)
        self._refreshReclassify(reason, one)
        self._refreshCall()
        for widget in (ui.filterLineEdit, ui.statusFilterComboBox, ui.probabilityFilterSpinBox):
            widget.enabled = not reason
        self._refreshLabel()
        if self.panel.exportPart is not None:
            self.panel.exportPart.refresh()

    def _reason(self) -> str:
        """Why nothing can be done with lymph nodes now; empty: something can."""
        if self.panel.result is None:
            return _("Analyze a scan or open a result folder first.")
        if self.scene is None:
            return _("The review of this result cannot be opened.")
        if self.isHidden:
            return _("Findings are hidden: give your first opinion first.")
        return ""

    def _reasonNothingSuspicious(self) -> str:
        from ece_core.review import is_suspicious

        found = any(is_suspicious(row) for row in self.table.listed)
        return "" if found else _("No suspicious lymph node is listed.")

    def _refreshUndo(self, reason: str) -> None:
        undo = self.review.undo_words if self.review else ""
        redo = self.review.redo_words if self.review else ""
        setEnabled(self.ui.undoButton, reason or ("" if undo else _("There is nothing to undo.")),
                   _("Undo: {what}").format(what=undo))
        setEnabled(self.ui.redoButton, reason or ("" if redo else _("There is nothing to redo.")),
                   _("Redo: {what}").format(what=redo))

    def _refreshOutlines(self, reason: str, one: str) -> None:
        noScan = "" if self.review is None or self.review.measure else _(
            "Choose the scan that was analyzed as input volume: measures need it.")
        several = reason or ("" if len(self.table.selectedAll()) > 1 else _(
            "Select two lymph nodes or more, with Ctrl or Shift."))
        setEnabled(self.ui.editButton, "" if self.editing.isActive else one or noScan, _(
            "Paint or erase the outline of the selected lymph node; the others cannot be overwritten. Measures follow "
            "when you pause, the ECE probability with Re-classify."))
        self.ui.editButton.text = _("Done") if self.editing.isActive else _("Edit")
        setEnabled(self.ui.addButton, reason or noScan,
                   _("Add a missed lymph node: click into it in a slice view; it is outlined from there."))
        self.ui.addButton.text = _("Cancel adding") if self.place.isWaiting else _("Add by click")
        setEnabled(self.ui.splitButton, one or noScan, _("Cut the lymph node in two where it is narrowest."))
        setEnabled(self.ui.mergeButton, several or noScan, _("Make the selected lymph nodes one."))

    def _refreshReclassify(self, reason: str, one: str) -> None:
        busy = _("Wait for the run to end, or cancel it.") if self.panel.run.client.isBusy else ""
        noScan = busy or reasonNotAnalyzable(self.panel.parameters.inputVolume)
        edited = len(self.state.edited) if self.state else 0
        setEnabled(self.ui.reclassifyButton, one or noScan,
                   _("Compute class and ECE probability of the selected lymph nodes as they are outlined now."))
        setEnabled(self.ui.reclassifyAllButton, reason or noScan or ("" if edited else _("No outline was edited.")),
                   _("Compute class and ECE probability of all edited lymph nodes ({count}).").format(count=edited))

    def _refreshCall(self) -> None:
        noResult = "" if self.scene else _("Analyze a scan or open a result folder first.")
        call = self.state.final_call if self.state else None
        self.ui.callButton.text = _("First opinion, then reveal") if self.isHidden else _("Set final call")
        noVerdict = ""
        if self.isHidden and not self.ui.verdictComboBox.currentIndex:
            noVerdict = _("Choose your opinion first.")
        setEnabled(self.ui.callButton, noResult or noVerdict, _(
            "It is kept with the time and cannot be changed; then the findings are shown.") if self.isHidden else _(
            "Your call of the patient. The AI's value stays as it is."))
        for widget in (self.ui.verdictComboBox, self.ui.certaintyComboBox):
            widget.enabled = not noResult
        self.ui.callLabel.text = callText(call, self.state.first_opinion if self.state else None)

    def _refreshLabel(self) -> None:
        if self.scene is None:
            self.ui.reviewLabel.text = ""
            return
        shown, all_ = len(self.table.listed), len(self.state.lymph_nodes)
        parts = [] if self.isHidden else [_("{shown} of {count} listed.").format(shown=shown, count=all_)]
        if not self.isHidden and self.state.edited:
            parts.append(_("{count} edited, ECE out of date.").format(count=len(self.state.edited)))
        if self.place.isWaiting:
            parts.append(_("Click into the missed lymph node in a slice view."))
        parts.append(savedText(self.scene, self.saveProblem))
        self.ui.reviewLabel.text = " ".join(parts)


def savedText(scene, problem: str) -> str:
    if problem:
        return _("NOT saved in the result folder.")
    if not scene.review.history:
        return ""
    return _("Saved in the result folder.") if scene.file is not None else _("Kept in the scene: save it.")


def callText(final, first) -> str:
    lines = []
    for title, call in ((_("First opinion"), first), (_("Final call"), final)):
        if call is not None:
            who = f" ({call.reviewer})" if call.reviewer else ""
            lines.append(f"{title}: {call.words}{who}, {call.time[:16].replace('T', ' ')} UTC")
    return "\n".join(lines) or _("No final call yet.")
