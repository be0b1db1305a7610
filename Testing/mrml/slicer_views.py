"""Slice and 3D views of the MRML scene without a window: Slicer's own displayable managers, drawn by EGL.

Set ``VTK_DEFAULT_OPENGL_WINDOW=vtkEGLRenderWindow`` before the first view is made (Debian packages: see PACKAGES).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

PACKAGES = "libegl1 libegl-mesa0 libgl1-mesa-dri"
EGL = {"VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow"}
SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLColorLegendDisplayableManager",
)
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)


def can_render() -> bool:
    """Whether EGL draws here; tried in a process of its own, because a driver that fails may take its process along."""
    program = "import vtk; w = vtk.vtkRenderWindow(); w.SetOffScreenRendering(1); w.AddRenderer(vtk.vtkRenderer()); "
    program += "w.Render(); assert w.GetClassName() == 'vtkEGLRenderWindow'; assert w.SupportsOpenGL()"
    run = subprocess.run([sys.executable, "-c", program], env={**os.environ, **EGL}, capture_output=True, timeout=120)
    return run.returncode == 0


class SliceView:
    """One slice view, as the application builds it."""

    def __init__(self, name: str = "Red", orientation: str = "Axial", size: tuple[int, int] = (400, 400)) -> None:
        app, scene = slicer.app.applicationLogic(), slicer.mrmlScene
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(app)
        self.logic.SetMRMLScene(scene)
        app.GetSliceLogics().AddItem(self.logic)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
        self.window, self.renderer = _window(size)
        self.mapper = vtk.vtkImageMapper()
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        self.actor = vtk.vtkActor2D()
        self.actor.SetMapper(self.mapper)
        self.actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(self.actor)  # before the managers' props, or segment fills blend with black
        self.interactor = _interactor(self.window)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        self.group = _managers(factory, SLICE_MANAGERS, self.renderer, self.node)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self.logic.ResizeSliceNode(*size)
        self.size = size

    def close(self) -> None:
        """Let go of the managers and the window; what a failed test still holds must not draw any more."""
        _close(self.group, self.window)

    @property
    def compositeNode(self) -> vtk.vtkObject:
        return self.logic.GetSliceCompositeNode()

    def fit(self) -> None:
        self.logic.FitSliceToBackground()

    def field_of_view(self, width_mm: float) -> None:
        width, height = self.size
        self.node.SetFieldOfView(width_mm, width_mm * height / width, self.node.GetFieldOfView()[2])

    def pixels(self) -> np.ndarray:
        """(rows, columns, 3) uint8, row 0 at the top."""
        self.mapper.SetInputConnection(self.logic.GetImageDataConnection())
        return _pixels(self.window)

    def pixel_of(self, ras: tuple[float, float, float]) -> tuple[int, int]:
        """Row and column at which a point of the slice plane is drawn; x leads to the right, y up."""
        toRas = vtk.vtkMatrix4x4()
        toRas.DeepCopy(self.node.GetXYToRAS())
        toRas.Invert()
        x, y = toRas.MultiplyPoint([*ras, 1.0])[:2]
        return self.size[1] - 1 - int(np.floor(y + 0.5)), int(np.floor(x + 0.5))

    def ras_of_center(self) -> np.ndarray:
        width, height = self.size
        return np.array(self.node.GetXYToRAS().MultiplyPoint([width / 2, height / 2, 0.0, 1.0])[:3])


class ThreeDView:
    """One 3D view."""

    def __init__(self, name: str = "1", size: tuple[int, int] = (400, 400)) -> None:
        scene = slicer.mrmlScene
        self.node = scene.AddNewNodeByClass("vtkMRMLViewNode", f"View{name}")
        self.node.SetLayoutName(name)
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        self.cameraNode = scene.AddNewNodeByClass("vtkMRMLCameraNode", f"Camera{name}")
        self.cameraNode.SetLayoutName(name)
        self.window, self.renderer = _window(size)
        self.interactor = _interactor(self.window)
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        self.group = _managers(factory, THREE_D_MANAGERS, self.renderer, self.node)
        self.size = size

    def close(self) -> None:
        """Let go of the managers and the window; what a failed test still holds must not draw any more."""
        _close(self.group, self.window)

    def look_from(self, direction_ras: tuple[float, float, float], focus_ras, distance_mm: float) -> None:
        """Look at a point from a direction, with the head upwards."""
        camera = self.cameraNode.GetCamera()
        direction = np.asarray(direction_ras, float) / np.linalg.norm(direction_ras)
        camera.SetFocalPoint(*focus_ras)
        camera.SetPosition(*(np.asarray(focus_ras) + distance_mm * direction))
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCameraClippingRange()

    def pixels(self) -> np.ndarray:
        """(rows, columns, 3) uint8, row 0 at the top."""
        return _pixels(self.window)

    def pixel_of(self, ras: tuple[float, float, float]) -> tuple[int, int]:
        """Row and column at which a point in space is drawn."""
        self.renderer.SetWorldPoint(*ras, 1.0)
        self.renderer.WorldToDisplay()
        x, y, _ = self.renderer.GetDisplayPoint()
        return self.size[1] - 1 - round(y), round(x)


def write_png(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path, optimize=True)


def _window(size: tuple[int, int]) -> tuple[vtk.vtkRenderWindow, vtk.vtkRenderer]:
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(1)
    window.ShowWindowOff()
    window.SetMultiSamples(0)
    window.SetSize(*size)
    window.AddRenderer(renderer)
    return window, renderer


def _interactor(window: vtk.vtkRenderWindow) -> vtk.vtkRenderWindowInteractor:
    interactor = vtk.vtkRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    interactor.Initialize()
    return interactor


def _managers(factory: vtk.vtkObject, names: tuple[str, ...], renderer: vtk.vtkRenderer, viewNode: vtk.vtkObject):
    factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.SetRenderer(renderer)
    group.Initialize(factory, renderer)
    group.SetMRMLDisplayableNode(viewNode)
    return group


def _close(group: vtk.vtkObject, window: vtk.vtkRenderWindow) -> None:
    group.SetMRMLDisplayableNode(None)
    group.SetRenderer(None)
    window.Finalize()


def _pixels(window: vtk.vtkRenderWindow) -> np.ndarray:
    window.Render()
    toImage = vtk.vtkWindowToImageFilter()
    toImage.SetInput(window)
    toImage.ReadFrontBufferOff()
    toImage.ShouldRerenderOff()
    toImage.SetInputBufferTypeToRGB()
    toImage.Update()
    image = toImage.GetOutput()
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].copy()
