"""Pictures of a result in slice and 3D views, drawn by Slicer's own displayable managers without a window.

    .venv/bin/python Testing/mrml/make_screenshots.py RESULT_FOLDER CT

writes Resources/Screenshots/result_slice.png and result_3d.png (or into ``--out``). RESULT_FOLDER is what `ece analyze`
wrote, CT the scan it was given. Use a simulated patient: the pictures are published.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # before vtk makes its first window

import numpy as np
import slicer
import slicer.util
import slicer_host
import slicer_views
import vtk
from ece_core import RESEARCH_USE_ONLY
from ece_core.errors import ECEError, InputError
from ece_core.geometry import Volume
from ece_core.io import read_ct
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.preprocessing import resample
from ece_core.scene import ResultNodes, jump_to_lymph_node, load_result
from ece_core.scene.jump import lymph_node_center_ras
from ece_core.scene.ras import ijk_to_ras, image_of
from ece_core.scene.table import by_ece_probability
from scipy import ndimage

SCREENSHOTS = Path(__file__).resolve().parents[2] / "Resources" / "Screenshots"
SLICE_SIZE, THREE_D_SIZE = (760, 760), (1000, 800)
SOFT_TISSUE = (350.0, 50.0)  # window and level of the neck, HU
NECK_MM = 190.0  # field of view that holds a neck
SKIN_HU, BONE_HU, AIR_HU = -250.0, 260.0, -1000.0
SKIN_COLOR, BONE_COLOR = (0.93, 0.78, 0.68), (0.93, 0.91, 0.84)
CLASSES = "Green: negative. Yellow: metastatic. Red: metastatic with ENE (also ECE)."
SURFACE_SPACING_MM = 1.5  # of the grid from which skin and bone are drawn
FRONT_RIGHT, DISTANCE_MM = (0.75, 1.0, 0.12), 520.0  # from where the 3D view looks, RAS


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("ct", type=Path)
    parser.add_argument("--out", type=Path, default=SCREENSHOTS)
    options = parser.parse_args(arguments)
    try:
        if not slicer_views.can_render():
            raise InputError("EGL does not draw here.", f"On Debian: apt-get install {slicer_views.PACKAGES}")
        make_screenshots(options.result, options.ct, options.out)
    except ECEError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def make_screenshots(result: Path, ct_path: Path, out: Path) -> None:
    """Write both pictures.

    Raises
    ------
    InputError
        The result or the CT cannot be read, they do not belong together, or there is no lymph node to show.
    """
    ct = read_ct(ct_path).volume
    slicer_host.start()
    axial = slicer_views.SliceView("Red", "Axial", SLICE_SIZE)
    coronal = slicer_views.SliceView("Green", "Coronal", SLICE_SIZE)
    nodes = load_result(result, add_ct(ct))
    lymph_node = most_suspicious(nodes)
    out.mkdir(parents=True, exist_ok=True)
    slicer_views.write_png(slice_picture(axial, coronal, nodes, lymph_node), out / "result_slice.png")
    slicer_views.write_png(three_d_picture(ct, nodes, lymph_node), out / "result_3d.png")


def most_suspicious(nodes: ResultNodes) -> LymphNode:
    if not nodes.result.lymph_nodes:
        raise InputError("The result has no lymph node to show.", "Choose a result with lymph nodes.")
    return by_ece_probability(nodes.result.lymph_nodes)[0]


def add_ct(ct: Volume):
    volumeNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    volumeNode.SetIJKToRASMatrix(ijk_to_ras(ct))
    volumeNode.SetAndObserveImageData(image_of(ct.array))
    volumeNode.CreateDefaultDisplayNodes()
    volumeNode.GetDisplayNode().AutoWindowLevelOff()
    volumeNode.GetDisplayNode().SetWindowLevel(*SOFT_TISSUE)
    return volumeNode


def slice_picture(axial, coronal, nodes: ResultNodes, lymph_node: LymphNode) -> np.ndarray:
    """Axial and coronal slice through a lymph node, side by side; the color legend in the right one only."""
    jump_to_lymph_node(nodes.segmentationNode, lymph_node.id)
    legends = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    for legend in legends:
        legend.AddViewNodeID(coronal.node.GetID())
        legend.SetPosition(0.97, 0.03)
    for view in (axial, coronal):
        view.fit()
        view.field_of_view(NECK_MM)
    center = lymph_node_center_ras(nodes.segmentationNode, lymph_node.id)
    middle = middle_of_the_neck(nodes)
    axial.node.JumpSliceByCentering(middle[0], middle[1], center[2])
    coronal.node.JumpSliceByCentering(middle[0], center[1], center[2])
    annotate(axial.renderer, axial.size, f"Axial. {caption(lymph_node)}", f"{CLASSES}\n{RESEARCH_USE_ONLY}")
    annotate(coronal.renderer, coronal.size, "Coronal")
    gap = np.full((SLICE_SIZE[1], 4, 3), 60, np.uint8)
    return np.concatenate([axial.pixels(), gap, coronal.pixels()], axis=1)


def middle_of_the_neck(nodes: ResultNodes) -> np.ndarray:
    """Middle of the lymph nodes' centers, RAS: right and left are then both in view."""
    names = [row.id for row in nodes.result.lymph_nodes]
    centers = np.array([lymph_node_center_ras(nodes.segmentationNode, name) for name in names])
    return (centers.min(axis=0) + centers.max(axis=0)) / 2


def caption(lymph_node: LymphNode) -> str:
    place = " ".join(word for word in (lymph_node.id, lymph_node.side, lymph_node.level) if word)
    if lymph_node.ece_probability is None:
        return place
    return f"{place}: ECE probability {lymph_node.ece_probability:.2f}"


def three_d_picture(ct: Volume, nodes: ResultNodes, lymph_node: LymphNode) -> np.ndarray:
    """Surfaces of the lymph nodes within translucent skin and bone."""
    view = slicer_views.ThreeDView("1", THREE_D_SIZE)
    view.node.SetBackgroundColor(0.07, 0.08, 0.11)
    view.node.SetBackgroundColor2(0.20, 0.22, 0.28)
    view.node.SetUseDepthPeeling(True)
    body = body_of(resample(ct, (SURFACE_SPACING_MM,) * 3))
    add_surface("Skin", isosurface(body, SKIN_HU), SKIN_COLOR, 0.16)
    add_surface("Bone", isosurface(body, BONE_HU), BONE_COLOR, 0.5)
    for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        legend.SetVisibility(False)  # it belongs to the slices
    view.look_from(FRONT_RIGHT, middle_of_the_neck(nodes), DISTANCE_MM)
    count = len(nodes.result.lymph_nodes)
    top = f"{count} lymph nodes. Most suspicious: {caption(lymph_node)}"
    annotate(view.renderer, view.size, top, f"{CLASSES}\n{RESEARCH_USE_ONLY}")
    return view.pixels()


def body_of(ct: Volume) -> Volume:
    """The CT with air in place of couch and head rest: only the largest thing in it is kept."""
    solid = ndimage.binary_opening(ct.array > SKIN_HU, iterations=2)
    parts, count = ndimage.label(solid)
    if count == 0:
        return ct
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return ct.with_array(np.where(ndimage.binary_dilation(largest, iterations=3), ct.array, AIR_HU))


def isosurface(volume: Volume, level: float) -> vtk.vtkPolyData:
    """Surface at a level, smoothed, in RAS mm."""
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image_of(volume.array.astype(np.float32)))
    contour.SetValue(0, level)
    contour.ComputeScalarsOff()  # or the model is colored by them
    smooth = vtk.vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(contour.GetOutputPort())
    smooth.SetNumberOfIterations(20)
    smooth.SetPassBand(0.08)
    smooth.NormalizeCoordinatesOn()
    toRas = vtk.vtkTransform()
    toRas.SetMatrix(ijk_to_ras(volume))
    moved = vtk.vtkTransformPolyDataFilter()
    moved.SetInputConnection(smooth.GetOutputPort())
    moved.SetTransform(toRas)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(moved.GetOutputPort())
    normals.SplittingOff()
    normals.Update()
    return normals.GetOutput()


def add_surface(name: str, surface: vtk.vtkPolyData, color: tuple[float, float, float], opacity: float) -> None:
    display = slicer.modules.models.logic().AddModel(surface).GetDisplayNode()
    display.GetDisplayableNode().SetName(name)
    display.SetColor(*color)
    display.SetOpacity(opacity)
    display.SetBackfaceCulling(False)


def annotate(renderer: vtk.vtkRenderer, size: tuple[int, int], top: str, bottom: str = "") -> None:
    """Text in the upper and the lower left corner of a view."""
    for text, y, to_top in ((top, size[1] - 14, True), (bottom, 14, False)):
        actor = vtk.vtkTextActor()
        actor.SetInput(text)
        actor.SetPosition(14, y)
        words = actor.GetTextProperty()
        words.SetFontSize(17)
        words.SetColor(0.95, 0.95, 0.95)
        words.SetShadow(True)
        if to_top:
            words.SetVerticalJustificationToTop()
        renderer.AddViewProp(actor)


if __name__ == "__main__":
    sys.exit(main())
