"""What the analysis needs beyond Slicer: Python packages and PyTorch. Installed on the button, never at import."""

import importlib.metadata
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from .CorePackage import ensureCore

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"
# Slicer brings its own numpy and SimpleITK, and the PyTorch extension chooses the torch that fits the graphics card:
# pip must replace none of them.
SKIP_PACKAGES = ["numpy", "SimpleITK", "torch", "torchvision"]
TORCH_REQUIREMENT = ">=2.2"
PACS = {"dicomweb": "dicomweb-client>=0.60", "dimse": "pynetdicom>=3.0"}  # as the core's extra; a test compares


class Dependencies:
    """Checks without importing (torch in the application would lock its files), installs when asked."""

    def missing(self) -> list[str]:
        """Names of what is not installed; [] means ready."""
        return ([] if self.hasTorch() else ["PyTorch"]) + self.missingPackages()

    def missingPackages(self) -> list[str]:
        """Requirements, PyTorch left out, that are not met."""
        return [str(requirement) for requirement in self._requirements() if not self._satisfied(requirement)]

    def hasTorch(self) -> bool:
        return self._isInstalled("torch")

    def ensure(self, requester: str) -> None:
        """Install what is missing, asking the user first.

        Raises
        ------
        ECEError
            The user said no, the PyTorch extension is absent, or pip failed.
        """
        self.ensurePackages(requester)
        self.ensureTorch()

    def ensurePackages(self, requester: str) -> None:
        """The Python packages alone."""
        self._ensure(self._requirements(), requester, _("Python packages that the analysis needs are not installed."))

    def ensureSending(self, protocol: str, requester: str) -> None:
        """The library that speaks a protocol of ece_core.pacs, ``"dicomweb"`` or ``"dimse"``: an extra of the core."""
        self._ensure([PACS[protocol]], requester, _("The Python package that sends to a PACS is not installed."))

    def _ensure(self, requirements: list, requester: str, problem: str) -> None:
        if all(self._satisfied(requirement) for requirement in requirements):
            return
        try:
            slicer.packaging.pip_ensure(requirements, skip_packages=SKIP_PACKAGES, requester=requester)
        except Exception as error:  # a user who said no raises RuntimeError, pip CalledProcessError
            raise self._error(
                problem,
                _("Click the button again and agree to the installation, with access to the internet or to a "
                  "package mirror."),
            ) from error

    def ensureTorch(self) -> None:
        """PyTorch alone, by its extension."""
        if self.hasTorch() or slicer.app.testingEnabled():
            return
        try:
            import PyTorchUtils
        except ImportError as error:
            raise self._error(
                _("PyTorch is not installed, and the PyTorch extension that installs it is missing."),
                _("Open the Extensions Manager, install PyTorch, restart Slicer, and click the button again."),
            ) from error
        try:
            torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
                askConfirmation=True, torchVersionRequirement=TORCH_REQUIREMENT
            )
        except Exception as error:
            raise self._torchError() from error
        if torch is None:
            raise self._torchError()

    def _torchError(self) -> Exception:
        return self._error(
            _("PyTorch was not installed."),
            _("Click the button again and agree, or install it in the module PyTorch Util, then restart Slicer."),
        )

    @staticmethod
    def _requirements() -> list:
        lines = (line.strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    @staticmethod
    def _satisfied(requirement: str) -> bool:
        return slicer.packaging.pip_check(requirement)

    @staticmethod
    def _isInstalled(package: str) -> bool:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return False
        return True

    @staticmethod
    def _error(problem: str, fix: str) -> Exception:
        ensureCore()
        from ece_core.errors import ECEError

        return ECEError(problem, fix)
