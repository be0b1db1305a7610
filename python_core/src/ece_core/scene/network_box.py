"""Where a network that judges the patient looked: a box in the scene, one region of interest per network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.scene.ras import LPS_TO_RAS

if TYPE_CHECKING:
    import slicer

NETWORK = "ECE.PatientNetwork"  # attribute of our boxes: the network's name
COLOR = (1.0, 0.8, 0.2)


def add_box(name: str, network: str, box: dict[str, Any]) -> slicer.vtkMRMLMarkupsROINode:
    """Add a box as a locked region of interest that is drawn as lines only.

    Parameters
    ----------
    network
        By its name in ``patient.outputs``.
    box
        {center_lps_mm, size_mm, axes_lps} of ``patient.boxes`` of `result.json`: the size along each of the axes,
        which are the rows of ``axes_lps``.

    Raises
    ------
    ValueError
        The box is not a box: three sizes above 0 along three axes at right angles.
    """
    import slicer

    matrix = box_to_ras(box)
    boxNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
    boxNode.SetAttribute(NETWORK, network)
    boxNode.SetAndObserveObjectToNodeMatrix(matrix)
    boxNode.SetSize(*(float(mm) for mm in box["size_mm"]))
    boxNode.LockedOn()
    boxNode.CreateDefaultDisplayNodes()
    display = boxNode.GetDisplayNode()
    display.SetHandlesInteractive(False)
    display.SetFillVisibility(False)
    display.SetColor(*COLOR)
    display.SetSelectedColor(*COLOR)
    boxNode.SetDescription(RESEARCH_USE_ONLY)
    return boxNode


def box_to_ras(box: dict[str, Any]):
    """vtkMatrix4x4 from the box, its center at the origin and its edges along the axes, to RAS mm."""
    import vtk

    axes, size, center = (np.array(box[key], float) for key in ("axes_lps", "size_mm", "center_lps_mm"))
    if axes.shape != (3, 3) or size.shape != (3,) or center.shape != (3,):
        raise ValueError("a box has three sizes along three axes, and a center")
    if not (size > 0).all() or not np.allclose(axes @ axes.T, np.eye(3), atol=1e-3):
        raise ValueError("a box has sizes above 0 along axes at right angles")
    if np.linalg.det(axes) < 0:
        axes[2] *= -1  # the same box; a region of interest has right-handed axes
    to_lps = np.eye(4)
    to_lps[:3, :3], to_lps[:3, 3] = axes.T, center
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((LPS_TO_RAS @ to_lps).ravel())
    return matrix
