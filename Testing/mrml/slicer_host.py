"""What the Slicer application puts into the real `slicer` package, and nothing more.

The slicer-core wheel holds MRML, the storage nodes and the module logics (the real C++), but no application: no
`slicer.mrmlScene`, `slicer.app` or `slicer.modules`. :func:`start` adds them as `qSlicerCoreApplication::setMRMLScene`
does. Nothing here imitates what Qt would do; what needs Qt stays missing.
"""

from __future__ import annotations

import tempfile
import types
from pathlib import Path

import slicer
import vtk
from slicer_io import IOManager

LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Models": "vtkSlicerModelsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
}
# The displayable manager factories are singletons that reach for the last application logic again when the next one
# is set; freed meanwhile, it takes the process along.
_ALIVE: list[vtk.vtkObject] = []


class Module:
    """`slicer.modules.<name>`: only its logic."""

    def __init__(self, logic: vtk.vtkObject) -> None:
        self._logic = logic

    def logic(self) -> vtk.vtkObject:
        return self._logic


class App:
    """`slicer.app` without a window."""

    def __init__(self, logic: vtk.vtkObject, folder: str) -> None:
        self._logic, self.temporaryPath = logic, folder
        self._ioManager = IOManager()

    def applicationLogic(self) -> vtk.vtkObject:
        return self._logic

    mrmlApplicationLogic = applicationLogic

    def coreIOManager(self) -> IOManager:
        return self._ioManager

    ioManager = coreIOManager

    def layoutManager(self) -> None:
        return None

    def processEvents(self, *_: object) -> None:
        pass

    def pauseRender(self) -> None:
        pass

    def resumeRender(self) -> None:
        pass

    def testingEnabled(self) -> bool:
        return True


def start(share: str | None = None) -> vtk.vtkObject:
    """A fresh scene with its application around it, also put into `slicer.mrmlScene`, `.app` and `.modules`.

    Parameters
    ----------
    share
        Folder with terminology JSON files. Without one, terminology strings still store, save and load, and
        messages on stderr say that the dictionaries are missing.
    """
    folder = tempfile.mkdtemp(prefix="slicer-host-")
    cache = Path(folder, "cache")
    cache.mkdir()
    _errorsToStderr()
    scene, app = slicer.vtkMRMLScene(), slicer.vtkSlicerApplicationLogic()
    _ALIVE.extend((scene, app))
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    app.SetTemporaryPath(folder)
    remote, data = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    remote.GetCacheManager().SetRemoteCacheDirectory(str(cache))
    remote.SetMRMLApplicationLogic(app)
    data.SetMRMLApplicationLogic(app)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    app.SetMRMLSceneDataIO(scene, remote, data)  # without it reading .mrb fails
    app.SetMRMLScene(scene)  # without it there is no Selection and no Interaction node
    app.GetColorLogic().SetMRMLScene(scene)
    app.GetColorLogic().AddDefaultColorNodes()
    app.SetSliceLogics(vtk.vtkCollection())
    app.SetViewLogics(vtk.vtkCollection())
    for factory in (
        slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
        slicer.vtkMRMLSliceViewDisplayableManagerFactory,
    ):
        factory.GetInstance().SetMRMLApplicationLogic(app)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    slicer.mrmlScene, slicer.app, slicer.modules = scene, App(app, folder), types.SimpleNamespace()
    slicer.app._keep = (remote, data)  # Python owns these two
    _addLogics(scene, app, share)
    return scene


def _errorsToStderr() -> None:
    output = vtk.vtkOutputWindow()
    output.SetDisplayModeToAlwaysStdErr()
    vtk.vtkOutputWindow.SetInstance(output)


def _addLogics(scene: vtk.vtkObject, app: vtk.vtkObject, share: str | None) -> None:
    for name, className in LOGICS.items():
        logic = getattr(slicer, className)()
        if share and hasattr(logic, "SetModuleShareDirectory"):
            logic.SetModuleShareDirectory(share)  # terminology JSON; before SetMRMLScene
        logic.SetMRMLApplicationLogic(app)
        logic.SetMRMLScene(scene)  # after the application logic, never before
        app.SetModuleLogic(name, logic)  # without it: "invalid Colors module logic"
        setattr(slicer.modules, name.lower(), Module(logic))
