"""Moves the slice views to a lymph node and turns the 3D views towards it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ece_core.errors import InputError
from ece_core.scene.labelmap import array_of, box_of, start_of
from ece_core.scene.surfaces import BINARY_LABELMAP

if TYPE_CHECKING:
    import slicer

LEAST_SINE = 0.05  # of the angle between view and up; about 3 degrees


def jump_to_lymph_node(segmentationNode: slicer.vtkMRMLSegmentationNode, lymph_node_id: str) -> None:
    """Center all slice views on a lymph node, as it is outlined now (also after an edit); turn all 3D cameras to it.

    A camera stays where it is; only where turning would leave it no upright view (the lymph node straight above or
    below it, or at its own place) does it move along, with the direction it had.

    Raises
    ------
    InputError
        The segmentation has no such lymph node any more, or its outline is empty.
    """
    import slicer

    center = lymph_node_center_ras(segmentationNode, lymph_node_id)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *center, slicer.vtkMRMLSliceNode.CenteredJumpSlice)
    for cameraNode in slicer.util.getNodesByClass("vtkMRMLCameraNode"):
        _turn(cameraNode, center)


def _turn(cameraNode: slicer.vtkMRMLCameraNode, point_ras: np.ndarray) -> None:
    position, focus, up = (np.array(value()) for value in (
        cameraNode.GetPosition, cameraNode.GetFocalPoint, cameraNode.GetViewUp))  # fmt: skip
    direction = point_ras - position
    distance = float(np.linalg.norm(direction))
    across = float(np.linalg.norm(np.cross(direction, up / np.linalg.norm(up))))  # mm beside the axis of the camera
    if across < max(1.0, LEAST_SINE * distance):
        cameraNode.SetPosition(*(position + point_ras - focus))
    cameraNode.SetFocalPoint(*point_ras)
    cameraNode.ResetClippingRange()


def lymph_node_center_ras(segmentationNode: slicer.vtkMRMLSegmentationNode, lymph_node_id: str) -> np.ndarray:
    """Mean of the lymph node's voxel centers, (3,) RAS mm in the world, so with the segmentation's transform.

    Raises
    ------
    InputError
        As :func:`jump_to_lymph_node`.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(lymph_node_id)
    labelmap = segment.GetRepresentation(BINARY_LABELMAP) if segment is not None else None
    box = box_of(labelmap, segment.GetLabelValue()) if segment is not None else None
    if labelmap is None or box is None:
        raise _gone(lymph_node_id)
    array: Any = array_of(labelmap)
    voxels = np.argwhere(array[box] == segment.GetLabelValue()) + [side.start for side in box]
    return _to_world(segmentationNode, labelmap, (voxels.mean(axis=0) + start_of(labelmap))[::-1])


def _to_world(segmentationNode, labelmap: slicer.vtkOrientedImageData, index_ijk: np.ndarray) -> np.ndarray:
    import vtk

    imageToWorld = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(imageToWorld)
    point = imageToWorld.MultiplyPoint([*index_ijk, 1.0])[:3]
    transformNode = segmentationNode.GetParentTransformNode()
    if transformNode is not None:
        toWorld = vtk.vtkGeneralTransform()
        transformNode.GetTransformToWorld(toWorld)
        point = toWorld.TransformPoint(point)
    return np.array(point)


def _gone(lymph_node_id: str) -> InputError:
    return InputError(
        f"Lymph node {lymph_node_id} is not in the segmentation, or its outline is empty.",
        "Undo the last edit, or load the result again.",
    )
