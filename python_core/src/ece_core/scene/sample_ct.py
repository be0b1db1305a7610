"""'Neck CT (simulated)': a scan to try the modules on, made on this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.scene.ras import LPS_TO_RAS

if TYPE_CHECKING:
    import slicer

NAME = "Neck CT (simulated)"
SEED = 2027  # of no training, validation or test cohort
SHAPE, SPACING_MM = (100, 384, 384), (2.0, 0.65, 0.65)


def add_sample_ct(
    shape: tuple[int, int, int] = SHAPE, spacing_mm: tuple[float, float, float] = SPACING_MM
) -> slicer.vtkMRMLScalarVolumeNode:
    """Simulate a contrast neck CT with lymph nodes and add it to the scene; the same one each time.

    Parameters
    ----------
    shape, spacing_mm
        (K, J, I), and along (k, j, i).
    """
    import slicer
    import vtk

    from ece_core.simulate import simulate_case

    ct = simulate_case(SEED, 0, "medium", shape, spacing_mm).simulation.ct
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((LPS_TO_RAS @ ct.affine).ravel())
    volumeNode = slicer.util.addVolumeFromArray(np.ascontiguousarray(ct.array), matrix, NAME)
    volumeNode.SetDescription(f"Simulated; not a patient. {RESEARCH_USE_ONLY}")
    volumeNode.CreateDefaultDisplayNodes()
    display = volumeNode.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(350, 40)  # soft tissue of the neck
    return volumeNode
