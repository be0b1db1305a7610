"""The pre-check of a volume in the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ece_core.errors import GeometryError
from ece_core.geometry import Volume
from ece_core.preprocessing.precheck import Remark, precheck
from ece_core.scene.ras import LPS_TO_RAS

if TYPE_CHECKING:
    import slicer

MODALITY = "DICOM.Modality"  # attribute of the series' item in the subject hierarchy


def precheck_volume(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> list[Remark]:
    """What a user should know of this volume before the analysis; one with voxels. Takes no copy of them."""
    try:
        return precheck(volume_of(volumeNode), modality_of(volumeNode))
    except GeometryError as error:
        return [Remark(f"{error.problem} Such is a scan with a gantry tilt.", error.fix, True)]


def volume_of(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """(K, J, I) HU with the affine to LPS mm; a view of the node's voxels.

    Raises
    ------
    GeometryError
        Its axes are not at right angles.
    """
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    affine = LPS_TO_RAS @ slicer.util.arrayFromVTKMatrix(matrix)
    return Volume(slicer.util.arrayFromVolume(volumeNode), affine)


def modality_of(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str | None:
    """As the DICOM module noted it; None where the volume did not come from there."""
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volumeNode) if hierarchy is not None else 0
    return (hierarchy.GetItemAttribute(item, MODALITY) or None) if item else None
