"""The pre-check and the sample scan on real MRML; neither needs torch."""

import numpy as np
import pytest
import slicer
import vtk
from ece_core.preprocessing.precheck import precheck
from ece_core.scene.precheck import modality_of, precheck_volume, volume_of
from ece_core.scene.sample_ct import NAME, add_sample_ct


@pytest.fixture
def a_block(scene):
    """60 x 40 x 20 voxels of 2 x 2 x 3 mm of tissue with air around, columns to the left, rows to the back."""
    array = np.full((20, 40, 60), -1000, np.int16)
    array[:, 5:35, 5:55] = 40
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.diag([-2.0, -2.0, 3.0, 1.0]).ravel())
    return slicer.util.addVolumeFromArray(array, matrix, "block")


def test_the_volume_comes_over_in_lps_without_a_copy(a_block):
    volume = volume_of(a_block)
    assert np.allclose(volume.affine, np.diag([2.0, 2.0, 3.0, 1.0])) and volume.spacing_mm == (3.0, 2.0, 2.0)
    assert np.shares_memory(volume.array, slicer.util.arrayFromVolume(a_block))


def test_what_is_said_of_it(a_block):
    (remark,) = precheck_volume(a_block)
    assert remark.words == "The scan is 60 mm long; a neck takes about 235 mm." and not remark.stops


def test_the_modality_is_that_of_the_series(a_block, scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert modality_of(a_block) is None
    item = hierarchy.GetItemByDataNode(a_block) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), a_block)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "PT")
    assert modality_of(a_block) == "PT" and precheck_volume(a_block)[0].stops


def test_a_sheared_volume_stops_as_a_gantry_tilt(a_block):
    matrix = vtk.vtkMatrix4x4()
    a_block.GetIJKToRASMatrix(matrix)
    matrix.SetElement(1, 2, 0.8)
    a_block.SetIJKToRASMatrix(matrix)
    (remark,) = precheck_volume(a_block)
    assert remark.stops and "gantry tilt" in remark.words and "Resample the scan" in remark.fix


def test_the_sample_scan_is_the_same_each_time_and_one_to_analyze(scene):
    one, other = (add_sample_ct((50, 32, 32), (4.0, 8.0, 8.0)) for _ in range(2))
    assert one.GetName().startswith(NAME) and "not a patient" in one.GetDescription()
    assert np.array_equal(slicer.util.arrayFromVolume(one), slicer.util.arrayFromVolume(other))
    assert one.GetDisplayNode().GetWindow() == 350
    assert not [remark for remark in precheck(volume_of(one)) if remark.stops]
