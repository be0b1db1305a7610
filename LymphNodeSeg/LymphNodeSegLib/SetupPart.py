"""The set-up in the panel: packages, device and models, each with its state and one button."""

import re
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from .CorePackage import ensureCore, problemAndFix
from .widgets import setEnabled

TASKS = {"lymph_node_segmentation": _("outlines"), "lymph_node_classification": _("classes and ECE")}
YES, NO = "✔", "✘"


class SetupPart:
    """What is there, what is missing, and the way to get it; review and export need none of it.

    Parameters
    ----------
    panel
        The AnalysisPanel: its widgets, dependencies, worker and messages.
    """

    def __init__(self, panel) -> None:
        self.panel, self.ui = panel, panel.ui
        self._models = None  # as modelsHere() says it; looked for when the module is shown, and after a change
        self.ui.packagesButton.connect("clicked()", self.onInstallPackages)
        self.ui.torchButton.connect("clicked()", self.onTorch)
        self.ui.importModelButton.connect("clicked()", self.onImport)
        self.ui.removeModelButton.connect("clicked()", self.onRemove)

    # What the user does

    def onInstallPackages(self) -> None:
        self._do(lambda: self.panel.dependencies.ensurePackages(self.panel.requester))

    def onTorch(self) -> None:
        """Install PyTorch; where it is, start the worker, which then says the device."""
        if self.panel.dependencies.hasTorch():
            self._do(self.panel.run.client.warmUp)
        else:
            self._do(self.panel.dependencies.ensureTorch)

    def onImport(self) -> None:
        path = qt.QFileDialog.getOpenFileName(
            self.ui.importModelButton, _("Import a model bundle"), str(Path.home()),
            _("Model bundle (*.zip model.json)"))
        if path:
            self.importModel(path)

    def importModel(self, path: str) -> None:
        """A zip file, or the model.json in a bundle's folder."""
        source = Path(path).parent if Path(path).name == "model.json" else Path(path)
        self._do(lambda: self._import(source))

    def onRemove(self) -> None:
        name = self.ui.ownModelsComboBox.currentText
        if slicer.util.confirmYesNoDisplay(_("Remove the model {name} from this computer?").format(name=name)):
            self._do(lambda: self._remove(name))

    # How it is done

    def _import(self, source: Path) -> str:
        from ece_core.errors import InputError
        from ece_core.models.user_models import import_bundle

        try:
            spec = import_bundle(source)
        except InputError as error:
            if "already have" not in error.problem or not slicer.util.confirmYesNoDisplay(
                    _("{problem} Replace it?").format(problem=error.problem)):
                raise
            spec = import_bundle(source, replace=True)
        self.panel.run.client.stop()  # the next run loads the new one
        return _("Imported {name} {version}.").format(name=spec["name"], version=spec["version"])

    def _remove(self, name: str) -> str:
        from ece_core.models.user_models import remove_bundle

        remove_bundle(name)
        self.panel.run.client.stop()
        return _("Removed {name}.").format(name=name)

    def _do(self, action) -> None:
        self.panel.run.problem = self.panel.run.fix = self.panel.run.note = ""
        self._models = None
        try:
            ensureCore()
            self.panel.run.note = action() or ""
        except Exception as error:
            self.panel.run.showProblem(*problemAndFix(error))
        self.panel.refresh()

    # What the user sees

    def lookAgain(self) -> None:
        """The module is shown: models may have come from elsewhere, such as `ece models import`."""
        self._models = None
        if self.panel.dependencies.missing():
            self.ui.setupCollapsibleButton.collapsed = False

    def refresh(self) -> None:
        busy = _("Wait for the run to end, or cancel it.") if self.panel.run.client.isBusy else ""
        if busy:  # while it runs nothing changes but this
            for button in (self.ui.packagesButton, self.ui.torchButton, self.ui.importModelButton,
                           self.ui.removeModelButton):
                setEnabled(button, busy, "")
            return
        self._refreshPackages()
        self._refreshTorch()
        self._refreshModels()

    def _refreshPackages(self) -> None:
        missing = self.panel.dependencies.missingPackages()
        names = ", ".join(re.split("[<>=]", requirement)[0] for requirement in missing)
        self.ui.packagesLabel.text = (
            _("{no} Python packages: {names} missing").format(no=NO, names=names) if missing
            else _("{yes} Python packages").format(yes=YES))
        setEnabled(self.ui.packagesButton, "" if missing else _("All are installed."),
                 _("Install the Python packages that the analysis needs; reviewing and exporting work without."))

    def _refreshTorch(self) -> None:
        client, there = self.panel.run.client, self.panel.dependencies.hasTorch()
        if not there:
            text = _("{no} PyTorch is not installed").format(no=NO)
        elif client.device:
            text = _("{yes} PyTorch, device: {device}").format(yes=YES, device=deviceText(client.device))
        else:
            text = _("{yes} PyTorch; the device is not known yet").format(yes=YES)
        self.ui.torchLabel.text = text
        self.ui.torchButton.text = _("Look for the device") if there else _("Install PyTorch...")
        setEnabled(self.ui.torchButton, _("It is known.") if there and client.device else "",
                 _("Start the analysis process, which says which device it takes.") if there
                 else _("Install PyTorch by Slicer's PyTorch extension; reviewing and exporting work without."))

    def _refreshModels(self) -> None:
        if self._models is None:
            self._models = modelsHere()
        found, own, problem = self._models
        lines = [f"{YES if task in found else NO} {title}: {found.get(task) or _('no model')}"
                 for task, title in TASKS.items()]
        self.ui.modelsLabel.text = problem or _("Models") + "\n" + "\n".join(lines)
        setEnabled(self.ui.importModelButton, "", _(
            "A model bundle as a zip file or folder, for computers without internet. It is checked before anything is "
            "replaced; only safetensors are taken."))
        combo = self.ui.ownModelsComboBox
        if [combo.itemText(n) for n in range(combo.count)] != own:
            combo.clear()
            combo.addItems(own)
        setEnabled(self.ui.removeModelButton, "" if own else _("You have imported no model."),
                 _("Remove the model that you imported from this computer."))
        combo.enabled = bool(own)


def modelsHere() -> tuple:
    """By task what an analysis would take, names of the user's own models, and why where it cannot be told."""
    try:
        ensureCore()
        from ece_core.models.user_models import installed, user_bundles

        return installed(), [path.name for path in user_bundles()], ""
    except Exception as error:
        return {}, [], _("{no} Models: {problem}").format(no=NO, problem=problemAndFix(error)[0])


def deviceText(device: str) -> str:
    return _("CPU") if device == "cpu" else _("graphics card {device}").format(device=device)
