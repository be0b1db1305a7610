"""Jumping centers every slice view on the lymph node; RAS has its signs right."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from ece_core.errors import InputError
from ece_core.scene import jump_to_lymph_node, load_result
from ece_core.scene.jump import lymph_node_center_ras
from phantom_result import DIRECTIONS, add_ct_node


@pytest.fixture
def three_slices(scene):
    """Axial, sagittal and coronal slice nodes."""
    nodes = []
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        node = scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        node.SetOrientation(orientation)
        nodes.append(node)
    return nodes


def center_of(sliceNode) -> np.ndarray:
    toRas = sliceNode.GetSliceToRAS()
    return np.array([toRas.GetElement(row, 3) for row in range(3)])


def test_right_is_positive_and_superior_stays(scene, three_slices, result_folder):
    """LN1 by pencil: voxels k 3-5, j 6-11, i 8-13, so i, j, k = 10.5, 8.5, 4. Spacing 1.5, 1, 3; origin -30, 12, -150.

    LPS = (-30 + 15.75, 12 + 8.5, -150 + 12) = (-14.25, 20.5, -138), on the patient's right, hence R = +14.25.
    """
    jump_to_lymph_node(load_result(result_folder).segmentationNode, "LN1")
    for sliceNode in three_slices:
        assert center_of(sliceNode) == pytest.approx((14.25, -20.5, -138.0), abs=1e-4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_lymph_node_is_found_on_every_grid(scene, three_slices, results, direction):
    nodes = load_result(results[direction])
    for lymph_node in nodes.result.lymph_nodes:
        jump_to_lymph_node(nodes.segmentationNode, lymph_node.id)
        left, posterior, superior = lymph_node.centroid_lps_mm
        for sliceNode in three_slices:
            assert center_of(sliceNode) == pytest.approx((-left, -posterior, superior), abs=1e-4)


def test_the_jump_follows_an_edit(scene, ct, result_folder):
    volumeNode = add_ct_node(ct)
    nodes = load_result(result_folder, volumeNode)
    before = lymph_node_center_ras(nodes.segmentationNode, "LN1")
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentationNode, "LN1", volumeNode)
    voxels[3:5] = 0  # of the slices 3, 4, 5 only the last stays: 3 mm further up
    slicer.util.updateSegmentBinaryLabelmapFromArray(voxels, nodes.segmentationNode, "LN1", volumeNode)
    after = lymph_node_center_ras(nodes.segmentationNode, "LN1")
    assert after - before == pytest.approx((0, 0, 3), abs=1e-4)


def test_the_jump_follows_the_transform_of_the_scan(scene, ct, result_folder):
    volumeNode = add_ct_node(ct)
    transformNode = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 100)
    transformNode.SetMatrixTransformToParent(matrix)
    volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
    nodes = load_result(result_folder, volumeNode)
    assert lymph_node_center_ras(nodes.segmentationNode, "LN1") == pytest.approx((114.25, -20.5, -138.0), abs=1e-4)


@pytest.fixture
def camera(scene):
    """In front of the patient, 500 mm away, head upwards."""
    node = scene.AddNewNodeByClass("vtkMRMLCameraNode", "Camera")
    node.SetPosition(0, 500, -138)
    node.SetFocalPoint(0, 0, -138)
    node.SetViewUp(0, 0, 1)
    return node


def test_the_3d_camera_turns_to_the_lymph_node_from_where_it_is(camera, result_folder):
    jump_to_lymph_node(load_result(result_folder).segmentationNode, "LN1")
    assert camera.GetFocalPoint() == pytest.approx((14.25, -20.5, -138.0), abs=1e-4)
    assert camera.GetPosition() == pytest.approx((0, 500, -138)) and camera.GetViewUp() == pytest.approx((0, 0, 1))
    near, far = camera.GetCamera().GetClippingRange()
    assert near < np.linalg.norm([14.25, 520.5]) < far


@pytest.mark.parametrize(("position", "moved"), [
    ((14.25, -20.5, 300.0), (28.5, -41.0, 162.0)),  # straight above it: no direction would be upwards
    ((14.25, -20.5, -138.0), (28.5, -41.0, -276.0)),  # inside of it
])  # fmt: skip
def test_a_3d_camera_that_cannot_turn_upright_moves_along(camera, result_folder, position, moved):
    camera.SetPosition(*position)
    camera.SetFocalPoint(0, 0, 0)
    jump_to_lymph_node(load_result(result_folder).segmentationNode, "LN1")
    assert camera.GetFocalPoint() == pytest.approx((14.25, -20.5, -138.0), abs=1e-4)
    assert camera.GetPosition() == pytest.approx(moved, abs=1e-4)


def test_a_lymph_node_that_is_gone_says_so(scene, ct, result_folder):
    volumeNode = add_ct_node(ct)
    nodes = load_result(result_folder, volumeNode)
    nodes.segmentationNode.GetSegmentation().RemoveSegment("LN2")
    with pytest.raises(InputError, match=r"LN2 is not in the segmentation.*load the result again"):
        jump_to_lymph_node(nodes.segmentationNode, "LN2")
    nothing = np.zeros(ct.shape, np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(nothing, nodes.segmentationNode, "LN1", volumeNode)
    with pytest.raises(InputError, match=r"LN1 .* its outline is empty.*Undo the last edit"):
        jump_to_lymph_node(nodes.segmentationNode, "LN1")
