"""What the panels ask of the application beyond MRML: translation, packages, module base classes, DICOM database.

Signatures as in Slicer's Base/Python/slicer; each part does only what a test looks at.
"""

from __future__ import annotations

import shutil
import sys
import types
from pathlib import Path
from typing import ClassVar

import slicer

MODULE_FOLDERS = {name: Path(__file__).parents[2] / name for name in ("LymphNodeSeg", "ECEDetector")}


def install(temporary: Path) -> None:
    """Add the doubles to `slicer`, around the scene and app that slicer_host has made."""
    slicer.app.temporaryPath = str(temporary / "slicer-temp")
    slicer.app.defaultScenePath = str(temporary / "documents")
    for folder in (slicer.app.temporaryPath, slicer.app.defaultScenePath):
        Path(folder).mkdir(exist_ok=True)
    slicer.app.testingEnabled = lambda: False
    slicer.app.topLevelWidgets = list  # no main window
    settings = Settings()
    slicer.app.userSettings = lambda: settings
    slicer.dicomDatabase = DicomDatabase(temporary)
    slicer.app.started = []  # what is called once the application has started
    slicer.app.connect = lambda signal, receiver: slicer.app.started.append((signal, receiver))
    module("SampleData", SampleDataLogic=SampleDataLogic)
    SampleDataLogic.registered = []
    utils = module("DICOMLib.DICOMUtils", importDicom=importDicom)
    module("DICOMLib", DICOMUtils=utils)
    slicer.i18n = module("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text)
    slicer.packaging = Packaging()
    slicer.ScriptedLoadableModule = module(
        "slicer.ScriptedLoadableModule",
        ScriptedLoadableModule=ScriptedLoadableModule,
        ScriptedLoadableModuleWidget=ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleTest=ScriptedLoadableModuleTest,
    )


def module(name: str, **content: object) -> types.ModuleType:
    made = types.ModuleType(name)
    vars(made).update(content)
    sys.modules[name] = made
    return made


class Settings:
    """`slicer.app.userSettings()`: a QSettings that forgets."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def value(self, key: str):
        return self.values.get(key)

    def setValue(self, key: str, value) -> None:
        self.values[key] = value


class SampleDataLogic:
    """`SampleData.SampleDataLogic`: signature as in Slicer's Modules/Scripted/SampleData."""

    registered: ClassVar[list[dict]] = []

    @staticmethod
    def registerCustomSampleDataSource(category="Custom", sampleName=None, uris=None, fileNames=None, nodeNames=None,
                                       customDownloader=None, thumbnailFileName=None, loadFileType="VolumeFile",
                                       loadFiles=None, loadFileProperties={}, checksums=None) -> None:  # noqa: B006
        assert isinstance(uris, str) and isinstance(fileNames, str) and isinstance(nodeNames, str)
        SampleDataLogic.registered.append(dict(category=category, sampleName=sampleName, uris=uris,
                                               customDownloader=customDownloader, thumbnail=thumbnailFileName))

    @staticmethod
    def sampleDataSourcesByCategory(category=None) -> list:
        return [types.SimpleNamespace(**source) for source in SampleDataLogic.registered
                if category in (None, source["category"])]


class DicomDatabase:
    """`slicer.dicomDatabase`: the file of an instance. Opened when the module DICOM is; `full`: it takes no file."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, str] = {}
        self.folder, self.isOpen, self.full = folder, False, False

    def fileForInstance(self, uid: str) -> str:
        return self.files.get(uid, "")


def importDicom(dicomDataDir, dicomDatabase=None, copyFiles=False) -> bool:
    """`DICOMLib.DICOMUtils.importDicom`: copies the DICOM files of a folder, and passes over all others."""
    from pydicom import dcmread

    database = dicomDatabase or slicer.dicomDatabase
    for file in sorted(Path(dicomDataDir).glob("*.dcm")):
        uid = str(dcmread(file, stop_before_pixels=True).SOPInstanceUID)
        if not database.full:
            database.files[uid] = shutil.copy(file, database.folder / f"{uid}.dcm") if copyFiles else str(file)
    return True


class Packaging:
    """`slicer.packaging`: remembers what it was asked to install; `declines` is a user who says no."""

    def __init__(self) -> None:
        self.installed: set[str] | None = None  # None: everything
        self.declines = False
        self.asked: list[dict] = []

    def pip_check(self, requirement: str) -> bool:
        return self.installed is None or requirement in self.installed

    def pip_ensure(self, requirements, constraints=None, skip_packages=None, prompt_install=True, prompt_restart=True,
                   requester=None, skip_in_testing=True, show_progress=True) -> None:
        self.asked.append({"requirements": list(requirements), "skip": skip_packages, "requester": requester})
        if self.declines:
            raise RuntimeError("User declined package installation")
        self.installed = None


class ScriptedLoadableModule:
    def __init__(self, parent) -> None:
        self.parent = parent


class ScriptedLoadableModuleWidget:
    """As the application makes it: the parent has a layout and the scene before setup() runs."""

    def __init__(self, parent) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, filename: str) -> str:
        return str(MODULE_FOLDERS[self.moduleName] / "Resources" / filename)

    def setup(self) -> None:
        pass

    def cleanup(self) -> None:
        pass


class ScriptedLoadableModuleTest:
    def delayDisplay(self, message: str, *_: object) -> None:
        pass
