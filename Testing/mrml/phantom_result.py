"""A small scan with three lymph nodes, and the result folder that the core writes for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
import slicer.util
from ece_core.export.result import Result
from ece_core.export.result_folder import write_result
from ece_core.geometry import Volume, affine_from
from ece_core.lymph_nodes.lymph_node import LymphNode

SHAPE = (20, 40, 48)  # k, j, i
SPACING_MM = (3.0, 1.0, 1.5)  # along k, j, i
ORIGIN_LPS_MM = (-30.0, 12.0, -150.0)


def rotated() -> np.ndarray:
    """Columns i, j, k of a grid turned about two axes."""
    a, b = np.deg2rad(20), np.deg2rad(-12)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


DIRECTIONS = {
    "plain": np.eye(3),
    "flipped": np.diag([1.0, 1.0, -1.0]),  # left-handed: slices run downwards
    "mirrored rows and columns": np.diag([-1.0, -1.0, 1.0]),
    "oblique": rotated(),
}
# Boxes of the three lymph nodes, half open, in k, j, i. LN2 and LN3 touch. LN1 is off-center along every axis.
BOXES = {1: ((3, 6, 8), (6, 12, 14)), 2: ((9, 20, 28), (13, 27, 33)), 3: ((13, 20, 28), (15, 26, 34))}


def a_ct(direction: np.ndarray) -> Volume:
    """Soft tissue of 40 HU with a bright corner, lymph nodes of 90 HU."""
    array = np.full(SHAPE, 40, np.int16)
    array[0, 0, 0] = 700
    for label in BOXES:
        array[box_of(label)] = 90
    return Volume(array, affine_from(SPACING_MM, ORIGIN_LPS_MM, direction))


def box_of(label: int) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in zip(*BOXES[label], strict=True))


def an_instance_map(ct: Volume) -> Volume:
    array = np.zeros(SHAPE, np.uint16)
    for label in BOXES:
        array[box_of(label)] = label
    return ct.with_array(array)


def a_heatmap(ct: Volume) -> Volume:
    """A crop of the grid that begins at voxel (2, 5, 7): 1.0 in LN1 and 0.1 around it."""
    array = np.full(SHAPE, 0.1, np.float32)
    array[box_of(1)] = 1.0
    return ct.with_array(array).crop((2, 5, 7), (16, 30, 40))


def center_lps(ct: Volume, label: int) -> tuple[float, float, float]:
    """Center of a box's voxels: half a voxel less than the middle of its half-open bounds."""
    start, stop = np.array(BOXES[label], float)
    x, y, z = ct.to_lps((start + stop - 1) / 2)
    return float(x), float(y), float(z)


def lymph_nodes_of(ct: Volume) -> tuple[LymphNode, ...]:
    """N, ENE and P; LN2 has the highest ECE probability, LN3's was not computed."""
    return (
        LymphNode("LN1", 1, "N", {"N": 0.9, "P": 0.08, "ENE": 0.02}, 0.02, "right", "II", 6.0, 9.0, 486.0,
                  center_lps(ct, 1), BOXES[1], 90.0, 0.0, 0.0),
        LymphNode("LN2", 2, "ENE", {"N": 0.1, "P": 0.2, "ENE": 0.7}, 0.71, "left", "III", 7.0, 12.0, 630.0,
                  center_lps(ct, 2), BOXES[2], 90.0, 0.0, 0.2, status="flagged"),
        LymphNode("LN3", 3, "P", {"N": 0.2, "P": 0.6, "ENE": 0.2}, None, "left", "IV", 6.0, 9.0, 324.0,
                  center_lps(ct, 3), BOXES[3], 90.0, 0.0, status="accepted"),
    )  # fmt: skip


def write_folder(folder: Path, ct: Volume, methods: tuple[str, ...] = ("gradcam", "guided-backprop")) -> Result:
    titles = {"gradcam": "Grad-CAM", "guided-backprop": "Guided backpropagation"}
    heatmaps = {method: a_heatmap(ct) for method in methods}
    result = Result(
        software={"name": "ECEDetector", "version": "0.1.0"},
        models=({"name": "lymph_node_unet", "version": "1.0.0", "task": "segmentation", "sha256": "0" * 64},),
        device="cpu",
        seconds={"segmentation": 1.0},
        warnings=(),
        input={"format": "nifti", "modality": None, "shape_kji": list(ct.shape), "spacing_mm": list(ct.spacing_mm),
               "affine_lps": ct.affine.tolist()},
        patient={"ece_probability": 0.71, "method": "noisy-or", "outputs": {}},
        lymph_nodes=lymph_nodes_of(ct),
        heatmaps=tuple(
            {"method": m, "title": titles[m], "file": f"heatmaps/{m}.nrrd", "scaling": "Each lymph node by itself."}
            for m in methods
        ),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    return write_result(folder, result, an_instance_map(ct), heatmaps, ct)


def add_ct_node(ct: Volume, name: str = "CT"):
    """The scan as the user has it in the scene. LPS to RAS written out by hand: the first two rows change sign."""
    ijk_to_ras = np.array(ct.affine)
    ijk_to_ras[0] *= -1
    ijk_to_ras[1] *= -1
    volumeNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    volumeNode.CreateDefaultDisplayNodes()
    slicer.util.updateVolumeFromArray(volumeNode, ct.array)
    volumeNode.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras))
    volumeNode.GetDisplayNode().AutoWindowLevelOff()
    volumeNode.GetDisplayNode().SetWindowLevel(400, 40)
    return volumeNode
