"""The dialog that exports what the reader accepted. What is possible, and the writing, are ece_core.review's."""

import shutil
import tempfile
from pathlib import Path

import slicer
from LymphNodeSegLib.AnalysisPanel import newFolderName
from LymphNodeSegLib.CorePackage import problemAndFix
from LymphNodeSegLib.VolumeHandover import dicomFiles
from slicer.i18n import tr as _

from .DicomDatabase import isOpen, takeInto
from .widgets import setEnabled, waiting

CHOICES = ("accepted", "not-rejected")  # in the order of the .ui file
DICOM = ("seg", "sr")
SYMBOLS = {"ok": "✔", "warning": "⚠", "missing": "✘"}
EXPORTS_FOLDER = "ECEDetector exports"


class ExportDialog:
    """Shows the list of what was looked at, lets the user choose, and writes.

    Parameters
    ----------
    panel
        The DetectorPanel, whose result and review are exported.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        path = Path(__file__).resolve().parents[1] / "Resources" / "UI" / "ExportDialog.ui"
        self.widget = slicer.util.loadUI(str(path))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.plan = None
        self._headers = {}  # of a scan's files: read once, they are hundreds
        self._formats = {"seg": self.ui.segCheckBox, "sr": self.ui.srCheckBox, "csv": self.ui.csvCheckBox,
                         "html": self.ui.htmlCheckBox}
        self._wanted = set(self._formats)  # what the user ticked, also while it cannot be written
        self._filling = False
        self.ui.folderPathLineEdit.currentPath = str(Path(slicer.app.defaultScenePath) / EXPORTS_FOLDER)
        self.ui.databaseCheckBox.checked = isOpen()
        self._connect()

    def _connect(self) -> None:
        self.ui.choiceComboBox.connect("currentIndexChanged(int)", self.onChanged)
        for box in (*self._formats.values(), self.ui.folderCheckBox, self.ui.databaseCheckBox):
            box.connect("toggled(bool)", self.onChanged)
        self.ui.folderPathLineEdit.connect("currentPathChanged(QString)", self.onChanged)
        self.ui.exportButton.connect("clicked()", self.onExport)
        self.ui.closeButton.connect("clicked()", self.close)

    def open(self) -> None:
        """Show it, with the list made anew: the review may have gone on, and what was missing may be there."""
        self._headers = {key: found for key, found in self._headers.items() if not isinstance(found, Exception)}
        self._say("", "")
        self.look()
        self.widget.show()
        self.widget.activateWindow()

    def close(self) -> None:
        self.widget.hide()

    # What the user does

    def onChanged(self, value=None) -> None:
        if self._filling:
            return
        for name, box in self._formats.items():
            if box.enabled:
                (self._wanted.add if box.checked else self._wanted.discard)(name)
        self._say("", "")
        self.look()

    def onExport(self) -> None:
        """Look again, then write: the review may have gone on while the dialog was open."""
        self.look()
        if not self.ui.exportButton.enabled:
            return
        try:
            with waiting():
                message = self._export()
        except Exception as error:
            self._say(*problemAndFix(error))
            return
        self._say("", message)

    # How it is done

    def look(self) -> None:
        """Make the list, and enable what is possible."""
        try:
            self.plan = self._plan()
        except Exception as error:
            self.plan = None
            self._say(*problemAndFix(error))
        self._filling = True
        try:
            self._refresh()
        finally:
            self._filling = False

    def _plan(self):
        from ece_core.review import plan_export, reviewed_result

        part, result = self.panel.reviewPart, self.panel.result
        part.takeEdits()
        choice = CHOICES[self.ui.choiceComboBox.currentIndex]
        reviewed = reviewed_result(result, part.state, part.scene.affine, choice)
        return plan_export(reviewed, self._sources(result))

    def _sources(self, result) -> list:
        """Where the headers of the scan's slices can be: the DICOM database, or the result folder."""
        from ece_core.review import files_source, folder_source

        volumeNode, folder = self.panel.parameters.inputVolume, self.panel.parameters.resultFolder
        files = dicomFiles(volumeNode) if volumeNode is not None and volumeNode.GetImageData() else []
        grid = repr(result.input)  # another result of the same scan may lie on another grid
        sources = {(*files, grid): files_source(files, result)} if files else {}
        if folder:
            sources[folder, grid] = folder_source(folder, result)
        self._headers = {key: self._headers[key] for key in sources if key in self._headers}
        return [lambda key=key, source=source: self._read(key, source) for key, source in sources.items()]

    def _read(self, key, source):
        """A refusal is kept, too: the files of a corrected scan are always refused, and the folder has the slices."""
        if key not in self._headers:
            try:
                self._headers[key] = source()
            except Exception as error:
                self._headers[key] = error
        if isinstance(self._headers[key], Exception):
            raise self._headers[key]
        return self._headers[key]

    def chosen(self) -> list:
        """Formats that will be written."""
        return [name for name, box in self._formats.items() if box.enabled and box.checked]

    def _export(self) -> str:
        from ece_core.review import export_review

        volumeNode, part = self.panel.parameters.inputVolume, self.panel.reviewPart
        formats, toFolder = self.chosen(), self.ui.folderCheckBox.checked
        toDatabase = self._toDatabase()
        if not toFolder:
            formats = [name for name in formats if name in DICOM]
        base = self.ui.folderPathLineEdit.currentPath if toFolder else tempfile.mkdtemp(
            prefix="ece-", dir=slicer.app.temporaryPath)
        try:
            done = export_review(self.plan, formats, Path(base) / newFolderName(), part.scene.ct(volumeNode),
                                 self.panel.parameters.resultFolder or None)
            if toFolder:
                self.panel.exportPart.onExported(done.folder)
            if toDatabase:
                takeInto(done.folder, [done.instance_uids[name] for name in DICOM if name in done.instance_uids])
        finally:
            if not toFolder:
                shutil.rmtree(base, ignore_errors=True)
        return doneText(done, toFolder, toDatabase)

    def _toDatabase(self) -> bool:
        return self.ui.databaseCheckBox.enabled and self.ui.databaseCheckBox.checked

    # What the user sees

    def _refresh(self) -> None:
        for name, box in self._formats.items():
            reason = self.plan.reason_not(name) if self.plan else _("The review cannot be exported.")
            if name == "sr" and not reason and not self._formats["seg"].checked:
                reason = _("The SR refers to the outlines of the SEG: export that, too.")
            setEnabled(box, reason, "")
            box.checked = not reason and name in self._wanted
        self.ui.checksLabel.text = "\n".join(checkText(check) for check in self.plan.checks) if self.plan else ""
        dicom = any(name in DICOM for name in self.chosen())
        noDatabase = "" if isOpen() else _("Slicer's DICOM database is not open. Open the module DICOM once.")
        setEnabled(self.ui.databaseCheckBox, noDatabase or ("" if dicom else _("No DICOM object is exported.")),
                   _("They appear under the CT's study in the module DICOM."))
        self.ui.folderPathLineEdit.enabled = self.ui.folderCheckBox.checked
        setEnabled(self.ui.exportButton, self._reasonNot(), _("Write the chosen files."))

    def _reasonNot(self) -> str:
        if self.plan is None:
            return _("The review cannot be exported.")
        if not self.plan.possible:
            return self.plan.reason_not("csv")
        if not self.chosen():
            return _("Choose what to export.")
        if not (self.ui.folderCheckBox.checked or self._toDatabase()):
            return _("Choose a folder or the DICOM database.")
        if self.ui.folderCheckBox.checked and not self.ui.folderPathLineEdit.currentPath.strip():
            return _("Choose a folder.")
        return ""

    def _say(self, problem: str, message: str) -> None:
        self.ui.problemLabel.visible = bool(problem)
        self.ui.problemLabel.text = problem
        self.ui.messageLabel.visible = bool(message)
        self.ui.messageLabel.text = message


def checkText(check) -> str:
    fix = f"\n      {check.fix}" if check.fix else ""
    return f"{SYMBOLS[check.state]}  {check.name}: {check.found}{fix}"


def doneText(done, toFolder: bool, toDatabase: bool) -> str:
    """Which files and series there are now, by name."""
    parts = []
    if toFolder:
        parts.append(_("Written to the folder {folder}: {files}.").format(
            folder=done.folder.name, files=", ".join(file.name for file in done.files.values())))
    if toDatabase:
        parts.append(_("In the DICOM database, in the study of the CT."))
    for name, uid in done.series_uids.items():
        parts.append(_("{kind} series {uid}.").format(kind=name.upper(), uid=uid))
    return "\n".join([*parts, *done.notes])
