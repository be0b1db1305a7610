"""The dialog that sends DICOM objects to a PACS, by the worker. Nothing leaves without the click that says where to."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import slicer
from LymphNodeSegLib.CorePackage import problemAndFix
from slicer.i18n import tr as _

from .widgets import setEnabled

SETTING = "ECEDetector/pacsServer"  # the address alone; who we are is in a file, or in the environment
ENVIRONMENT = "ECE_PACS"
NOT_REVIEWED = _("⚠ These are the objects as the analysis wrote them, without your review. Export first to send that.")
OUT_OF_DATE = _("⚠ The review has gone on since this export. Export again to send it as it is now.")
UNENCRYPTED = _("⚠ The connection is not encrypted: whoever is on the network can read it.")


@dataclass(frozen=True)
class Choice:
    """A folder that can be sent, what it is called, and what is to be known about it."""

    folder: Path
    name: str
    remark: str = ""


class SendDialog:
    """Shows what would be sent and where to, sends it, and says what became of each object.

    Parameters
    ----------
    panel
        The DetectorPanel, whose export or result is sent by its worker.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        path = Path(__file__).resolve().parents[1] / "Resources" / "UI" / "SendDialog.ui"
        self.widget = slicer.util.loadUI(str(path))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.choices: list[Choice] = []
        self._files: dict = {}  # of ece_core.pacs.files_to_send
        self._unsendable = ""
        self._active = self._cancelling = self._filling = False
        self._fraction = 0.0
        self._unseen = False  # it ended while the dialog was hidden
        self._known: set = set()  # folders that have been offered
        self.ui.serverLineEdit.text = slicer.app.userSettings().value(SETTING) or ""
        self.ui.serverLineEdit.placeholderText = os.environ.get(ENVIRONMENT) or "https://HOST/PATH"
        self._say("", "")
        self._connect()

    def _connect(self) -> None:
        self.ui.whatComboBox.connect("currentIndexChanged(int)", self.onChosen)
        self.ui.serverLineEdit.connect("textChanged(QString)", self.onChanged)
        self.ui.credentialsPathLineEdit.connect("currentPathChanged(QString)", self.onChanged)
        self.ui.sendButton.connect("clicked()", self.onSend)
        self.ui.closeButton.connect("clicked()", self.close)

    @property
    def isActive(self) -> bool:
        return self._active

    def open(self) -> None:
        if not (self._active or self._unseen):
            self._say("", "")
        self._unseen = False
        self.look()
        self.widget.show()
        self.widget.activateWindow()

    def close(self) -> None:
        """Hides it; what is being sent goes on, and the panel's button shows it again."""
        self.widget.hide()

    def abort(self) -> None:
        """The module goes away: end it now."""
        self.panel.run.client.stop()

    # What the user does

    def onChosen(self, index: int) -> None:
        if not self._filling:
            self._say("", "")
            self._readFiles()
            self.refresh()

    def onChanged(self, value=None) -> None:
        self._say("", "")
        self.refresh()

    def onSend(self) -> None:
        """Send what the button names; while it sends, the button cancels."""
        if self._active:
            self._cancelling = True
            self.panel.run.client.cancel()
            self.refresh()
            return
        named = self.ui.sendButton.text
        self._say("", "")
        self.look()
        if not self.ui.sendButton.enabled:
            return
        if self.ui.sendButton.text != named:
            self._say(_("The folder has changed since the count was made; nothing was sent."),
                      _("Look at the count on the button and click it again."))
            return
        try:
            self._start()
        except Exception as error:
            self._active = False
            self._say(*problemAndFix(error))
        self.panel.refresh()

    # How it is done

    def look(self) -> None:
        """What there is to send may have changed on the disk."""
        if not self._active:
            self._fillChoices()
            self._readFiles()
        self.refresh()

    def _start(self) -> None:
        from ece_core.pacs import read_server

        server = self._address()
        self.panel.dependencies.ensureSending(read_server(server).protocol, self.panel.requester)
        slicer.app.userSettings().setValue(SETTING, server)
        fields = {"path": str(self._choice().folder), "server": server}
        credentials = self.ui.credentialsPathLineEdit.currentPath.strip()
        if credentials:
            fields["credentials"] = credentials
        self._active, self._cancelling, self._fraction = True, False, 0.0
        self.panel.run.client.submit("send", fields, self)

    def _fillChoices(self) -> None:
        """A new export comes first and is chosen; else the choice stays."""
        before = self._choice()
        self.choices = self._offered()
        folders = [choice.folder for choice in self.choices]
        new = bool(folders) and folders[0] not in self._known
        self._known |= set(folders)
        kept = folders.index(before.folder) if before is not None and before.folder in folders else 0
        self._filling = True
        try:
            self.ui.whatComboBox.clear()
            for choice in self.choices:
                self.ui.whatComboBox.addItem(choice.name)
            self.ui.whatComboBox.setCurrentIndex(0 if new else kept)
        finally:
            self._filling = False

    def _offered(self) -> list[Choice]:
        exported, folder = self.panel.exportPart.exported, self.panel.parameters.resultFolder
        found = []
        if exported is not None:
            name = _("Your last export ({name})").format(name=exported.folder.name)
            remark = "" if exported.state is self.panel.reviewPart.state else OUT_OF_DATE
            found.append(Choice(exported.folder, name, remark))
        if folder and Path(folder).is_dir():
            name = _("The result folder, as analyzed ({name})").format(name=Path(folder).name)
            found.append(Choice(Path(folder), name, NOT_REVIEWED))
        return found

    def _choice(self) -> Choice | None:
        index = self.ui.whatComboBox.currentIndex
        return self.choices[index] if 0 <= index < len(self.choices) else None

    def _readFiles(self) -> None:
        self._files, self._unsendable = {}, ""
        choice = self._choice()
        if choice is None:
            self._unsendable = _("There is nothing to send. Export the review into a folder first.")
            return
        try:
            from ece_core.pacs import files_to_send

            self._files = files_to_send(choice.folder)
        except Exception as error:
            self._unsendable = " ".join(problemAndFix(error))

    def _address(self) -> str:
        return self.ui.serverLineEdit.text.strip() or os.environ.get(ENVIRONMENT, "")

    def _server(self) -> tuple:
        """The server that is named, or None and why not."""
        if not self._address():
            return None, _("Type the address of the PACS.")
        try:
            from ece_core.pacs import read_server

            return read_server(self._address()), ""
        except Exception as error:
            return None, " ".join(problemAndFix(error))

    # What the worker says (JobListener)

    def onProgress(self, stage: str, fraction: float, remaining: float | None) -> None:
        self._fraction = min(max(float(fraction), 0.0), 1.0)
        self.refresh()

    def onLog(self, line: str) -> None:
        self.panel.ui.logTextEdit.appendPlainText(line)

    def onResult(self, event: dict) -> None:
        words = [doneText(event.get("transfer") or {}), *(f"⚠ {warning}" for warning in event.get("warnings") or ())]
        self._end("", "\n".join(words))

    def onError(self, problem: str, fix: str, failures: Sequence[dict] = ()) -> None:
        names = {instance.alias: file.name for instance, file in self._files.items()}
        said = [f"{names.get(one.get('instance'), one.get('instance'))}: {one.get('reason')}" for one in failures]
        self._end(problem, fix, said)

    def onCancelled(self) -> None:
        self._end("", _("Cancelled. What has arrived stays there; sending again moves only the rest."))

    def _end(self, problem: str, message: str, failures: Sequence[str] = ()) -> None:
        self._active = self._cancelling = False
        self._unseen = not self.widget.visible
        self._say(problem, message, failures)
        self.refresh()

    # What the user sees

    def refresh(self) -> None:
        """What is named on the button is what a click sends."""
        server, unnamed = self._server()
        self.ui.objectsLabel.text = self._objectsText()
        self.ui.serverLabel.text = serverText(server) if server else unnamed
        for widget in (self.ui.whatComboBox, self.ui.serverLineEdit, self.ui.credentialsPathLineEdit):
            widget.enabled = not self._active
        self.ui.progressBar.visible = self._active
        self.ui.progressBar.value = round(100 * self._fraction)
        self.ui.progressLabel.visible = self._active
        self.ui.progressLabel.text = _("{there} of {all} objects are there.").format(
            there=round(self._fraction * len(self._files)), all=len(self._files))
        self._refreshButton(server, unnamed)

    def _refreshButton(self, server, unnamed: str) -> None:
        button = self.ui.sendButton
        if self._active:
            button.text = _("Cancelling...") if self._cancelling else _("Cancel")
            setEnabled(button, _("It is being cancelled.") if self._cancelling else "",
                       _("Stop sending; what has arrived stays there."))
            return
        busy = _("Wait for the run to end, or cancel it.") if self.panel.run.client.isBusy else ""
        reason = self._unsendable or unnamed or busy
        button.text = _("Send") if self._unsendable or unnamed else _("Send {objects} to {host}").format(
            objects=countText(len(self._files)), host=hostOf(server))
        setEnabled(button, reason, _("Send them now; what the PACS has already is not sent again."))

    def _objectsText(self) -> str:
        choice = self._choice()
        if self._unsendable:
            return self._unsendable
        names = ", ".join(sorted(file.name for file in self._files.values()))
        return "\n".join(text for text in (f"{countText(len(self._files))}: {names}", choice.remark) if text)

    def _say(self, problem: str, message: str, failures: Sequence[str] = ()) -> None:
        self.ui.problemLabel.visible = bool(problem)
        self.ui.problemLabel.text = problem
        self.ui.failuresTextEdit.visible = bool(failures)
        self.ui.failuresTextEdit.plainText = "\n".join(failures)
        self.ui.messageLabel.visible = bool(message)
        self.ui.messageLabel.text = message


def countText(count: int) -> str:
    return _("1 DICOM object") if count == 1 else _("{count} DICOM objects").format(count=count)


def hostOf(server) -> str:
    """Host and port: what a click names."""
    return f"{server.host}:{server.port}" if server.protocol == "dimse" else urlsplit(server.url).netloc


def serverText(server) -> str:
    """How they would travel."""
    kind = "DICOMweb" if server.protocol == "dicomweb" else _("DIMSE, AE title {title}").format(title=server.ae_title)
    how = _("{host} ({kind}, {line})").format(
        host=hostOf(server), kind=kind, line=_("encrypted") if server.encrypted else _("not encrypted"))
    return how if server.encrypted or server.is_here else f"{how}\n{UNENCRYPTED}"


def doneText(transfer: dict) -> str:
    before = transfer.get("there_before", 0)
    words = _("Sent: {count} of {all}.").format(count=transfer.get("sent", 0), all=countText(transfer.get("total", 0)))
    return f"{words} " + _("{count} had arrived before.").format(count=before) if before else words
