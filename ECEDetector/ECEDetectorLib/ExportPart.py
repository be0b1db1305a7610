"""The buttons that open the export dialog and the one that sends to a PACS, and why they cannot."""

from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from .ExportDialog import ExportDialog
from .SendDialog import SendDialog
from .widgets import setEnabled


@dataclass(frozen=True)
class Exported:
    """A folder that was exported into, the review that it is of, and the state of it that it shows."""

    folder: Path
    scene: object
    state: object


class ExportPart:
    """Makes the dialogs when they are first asked for.

    Parameters
    ----------
    panel
        The DetectorPanel.
    """

    def __init__(self, panel) -> None:
        self.panel, self.ui = panel, panel.ui
        self.dialog: ExportDialog | None = None
        self.sendDialog: SendDialog | None = None
        self._exported: Exported | None = None
        self.ui.exportButton.connect("clicked()", self.onExport)
        self.ui.sendButton.connect("clicked()", self.onSend)

    @property
    def isSending(self) -> bool:
        return self.sendDialog is not None and self.sendDialog.isActive

    @property
    def exported(self) -> Exported | None:
        """The last export of the review that is shown, as long as its folder is there."""
        last = self._exported
        there = last is not None and last.scene is self.panel.reviewPart.scene and last.folder.is_dir()
        return last if there else None

    def onExport(self) -> None:
        if self.dialog is None:
            self.dialog = ExportDialog(self.panel)
        self.dialog.open()

    def onExported(self, folder: Path) -> None:
        part = self.panel.reviewPart
        self._exported = Exported(folder, part.scene, part.state)
        if self.sendDialog is not None and self.sendDialog.widget.visible:
            self.sendDialog.look()

    def onSend(self) -> None:
        if self.sendDialog is None:
            self.sendDialog = SendDialog(self.panel)
        self.sendDialog.open()

    def refresh(self) -> None:
        reason = self._reason()
        setEnabled(self.ui.exportButton, reason, _(
            "What you accepted, as DICOM SEG and SR, table and report: into a folder and the DICOM database."))
        setEnabled(self.ui.sendButton, "" if self.isSending else reason, _(
            "The DICOM objects of your last export, or of the result folder, to a PACS that you name."))
        self.ui.sendButton.text = _("Sending...") if self.isSending else _("Send results...")
        if self.dialog is not None and self.dialog.widget.visible:
            self.dialog.close() if reason else self.dialog.look()
        if self.sendDialog is not None and self.sendDialog.widget.visible:
            self.sendDialog.close() if reason and not self.isSending else self.sendDialog.refresh()

    def close(self) -> None:
        if self.isSending:
            self.sendDialog.abort()
        for dialog in (self.dialog, self.sendDialog):
            if dialog is not None:
                dialog.widget.hide()
                dialog.widget.deleteLater()
        self.dialog = self.sendDialog = None

    def _reason(self) -> str:
        """Why nothing can be exported now: without a review there is nothing that the reader accepted."""
        return self.panel.reviewPart._reason()
