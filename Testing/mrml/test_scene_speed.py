"""What keeps a scene of sixty lymph nodes quick: only what changed is made anew, and it is the same as Slicer's own.

The times themselves are `make bench ONLY="scene_load scene_select scene_edit"`.
"""

import numpy as np
import phantom_result as phantom
import pytest
import slicer
from ece_core.scene import SceneReview, highlight_lymph_node, load_result
from ece_core.scene.labelmap import array_of, box_of
from vtk.util.numpy_support import vtk_to_numpy


@pytest.fixture
def nodes(scene, ct, result_folder):
    return load_result(result_folder, phantom.add_ct_node(ct))


def surface(nodes, name):
    return nodes.segmentationNode.GetSegmentation().GetSegment(name).GetRepresentation("Closed surface")


@pytest.mark.parametrize("smoothing", ["0.5", "0.0"])
@pytest.mark.parametrize("direction", phantom.DIRECTIONS)
def test_surfaces_are_those_that_slicer_makes_of_all_voxels(scene, results, direction, smoothing):
    nodes = load_result(results[direction], phantom.add_ct_node(phantom.a_ct(phantom.DIRECTIONS[direction])))
    review = SceneReview(nodes)
    segmentation = nodes.segmentationNode.GetSegmentation()
    segmentation.SetConversionParameter("Smoothing factor", smoothing)
    segmentation.RemoveRepresentation("Closed surface")
    review.show()
    ours = {name: vtk_to_numpy(surface(nodes, name).GetPoints().GetData()).copy() for name in review.state.ids}
    segmentation.RemoveRepresentation("Closed surface")
    nodes.segmentationNode.CreateClosedSurfaceRepresentation()
    for name, points in ours.items():
        theirs = vtk_to_numpy(surface(nodes, name).GetPoints().GetData())
        np.testing.assert_allclose(points, theirs, atol=1e-3)


def test_a_stroke_of_the_segment_editor_makes_one_surface(nodes, ct, result_folder):
    review = SceneReview(nodes, volumeNode=slicer.util.getNode("CT"))
    review.show()
    before = {name: vtk_to_numpy(surface(nodes, name).GetPoints().GetData()).copy() for name in review.state.ids}
    editor, editorNode = slicer.vtkSlicerSegmentEditorLogic(), slicer.vtkMRMLSegmentEditorNode()
    editor.SetMRMLScene(slicer.mrmlScene)
    editor.SetSegmentEditorNode(slicer.mrmlScene.AddNode(editorNode))
    editor.SetSegmentationNode(nodes.segmentationNode)
    editor.SetSourceVolumeNode(slicer.util.getNode("CT"))
    editor.SetCurrentSegmentID("LN1")
    editor.UpdateReferenceGeometryImage()
    editor.ResetModifierLabelmapToDefault()
    array_of(editor.GetModifierLabelmap())[3, 6:12, 8:14] = 1
    editor.ModifySegmentByLabelmap(
        nodes.segmentationNode, "LN1", editor.GetModifierLabelmap(), editor.ModificationModeRemove, False, False
    )
    assert review.take_edits() == ["LN1"]
    kept = {name: surface(nodes, name).GetMTime() for name in review.state.ids}
    review.show()
    assert surface(nodes, "LN1").GetNumberOfPoints() < len(before["LN1"])
    for name in ("LN2", "LN3"):
        assert surface(nodes, name).GetMTime() == kept[name]
        np.testing.assert_array_equal(vtk_to_numpy(surface(nodes, name).GetPoints().GetData()), before[name])


def test_opening_a_review_of_what_is_drawn_writes_no_voxel(nodes):
    segmentation, written = nodes.segmentationNode.GetSegmentation(), []
    labelmap = segmentation.GetSegment("LN1").GetRepresentation("Binary labelmap")
    segmentation.AddObserver(slicer.vtkSegmentation.SourceRepresentationModified, lambda *_: written.append(1))
    SceneReview(nodes).show()
    assert segmentation.GetSegment("LN1").GetRepresentation("Binary labelmap") is labelmap
    assert not written


def test_a_changed_labelmap_is_looked_at_again(nodes):
    segment = nodes.segmentationNode.GetSegmentation().GetSegment("LN1")
    labelmap = segment.GetRepresentation("Binary labelmap")
    box = box_of(labelmap, 1)
    assert box_of(labelmap, 1) == box and box_of(labelmap, 4) is None
    array_of(labelmap)[box][0] = 0
    labelmap.Modified()
    assert [side.start for side in box_of(labelmap, 1)] == [box[0].start + 1, box[1].start, box[2].start]


def test_the_others_are_dimmed_and_the_views_are_told_once(nodes):
    display, told = nodes.segmentationNode.GetDisplayNode(), []
    display.AddObserver("ModifiedEvent", lambda *_: told.append(1))
    highlight_lymph_node(nodes.segmentationNode, "LN2")
    assert [display.GetSegmentOpacity2DFill(name) for name in ("LN1", "LN2", "LN3")] == [0.25, 1.0, 0.25]
    assert [display.GetSegmentOpacity2DOutline(name) for name in ("LN1", "LN2", "LN3")] == [0.25, 1.0, 0.25]
    assert len(told) == 1
    highlight_lymph_node(nodes.segmentationNode, None)
    assert [display.GetSegmentOpacity2DFill(name) for name in ("LN1", "LN2", "LN3")] == [1.0] * 3
