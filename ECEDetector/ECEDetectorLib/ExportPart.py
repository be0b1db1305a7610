"""The button that opens the export dialog, and why it cannot."""

from slicer.i18n import tr as _

from .ExportDialog import ExportDialog
from .widgets import setEnabled


class ExportPart:
    """Makes the dialog when it is first asked for.

    Parameters
    ----------
    panel
        The DetectorPanel.
    """

    def __init__(self, panel) -> None:
        self.panel, self.ui = panel, panel.ui
        self.dialog: ExportDialog | None = None
        self.ui.exportButton.connect("clicked()", self.onExport)

    def onExport(self) -> None:
        if self.dialog is None:
            self.dialog = ExportDialog(self.panel)
        self.dialog.open()

    def refresh(self) -> None:
        reason = self._reason()
        setEnabled(self.ui.exportButton, reason, _(
            "What you accepted, as DICOM SEG and SR, table and report: into a folder and the DICOM database."))
        if self.dialog is not None and self.dialog.widget.visible:
            self.dialog.close() if reason else self.dialog.look()

    def close(self) -> None:
        if self.dialog is not None:
            self.dialog.widget.hide()
            self.dialog.widget.deleteLater()
            self.dialog = None

    def _reason(self) -> str:
        """Why nothing can be exported now: without a review there is nothing that the reader accepted."""
        return self.panel.reviewPart._reason()
