"""A review on real MRML: the segmentation says what the review says, and the review takes what was painted."""

import errno
import os
import shutil

import numpy as np
import phantom_result as phantom
import pytest
import slicer
from ece_core.errors import EmptyMaskError, InputError, RunError
from ece_core.review import Outline, open_review
from ece_core.scene import SceneReview, load_result, results_in_scene
from ece_core.scene.ct_of_node import ct_of_node, reordered
from ece_core.scene.outlines import outlines_in
from vtk.util.numpy_support import vtk_to_numpy


@pytest.fixture
def own_folder(result_folder, tmp_path):
    """A result folder that a test may write to."""
    return shutil.copytree(result_folder, tmp_path / "result")


@pytest.fixture
def reviewed(scene, ct, own_folder):
    volumeNode = phantom.add_ct_node(ct)
    return SceneReview(load_result(own_folder, volumeNode), own_folder, volumeNode)


def drawn(reviewed) -> dict:
    return outlines_in(reviewed.nodes.segmentationNode, reviewed.shape_kji, reviewed.affine)


def segment(reviewed, name):
    return reviewed.nodes.segmentationNode.GetSegmentation().GetSegment(name)


def paint(reviewed, name, box, on=True) -> None:
    """What the Segment Editor does to the segment's labelmap."""
    one = segment(reviewed, name)
    labelmap = one.GetRepresentation("Binary labelmap")
    extent = labelmap.GetExtent()
    shape = [extent[2 * axis + 1] - extent[2 * axis] + 1 for axis in (2, 1, 0)]
    array = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(shape)
    first = np.array(extent[4::-2])
    place = tuple(slice(a - f, b - f) for a, b, f in zip(*box, first, strict=True))
    array[place] = one.GetLabelValue() if on else 0
    labelmap.Modified()


def statuses(reviewed) -> dict[str, str]:
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    return {
        name: logic.GetSegmentStatusAsMachineReadableString(logic.GetSegmentStatus(segment(reviewed, name)))
        for name in reviewed.state.ids
    }


@pytest.mark.parametrize("name", list(phantom.DIRECTIONS))
def test_outlines_are_read_on_every_grid(scene, results, name):
    ct = phantom.a_ct(phantom.DIRECTIONS[name])
    nodes = load_result(results[name], phantom.add_ct_node(ct))
    found = outlines_in(nodes.segmentationNode, ct.shape, ct.affine)
    assert {key: (o.start_kji, o.stop_kji) for key, o in found.items()} == {
        f"LN{label}": box for label, box in phantom.BOXES.items()
    }


def test_a_scan_that_slicer_turned_round_is_read_as_it_was_analyzed(scene, ct):
    node = phantom.add_ct_node(ct)
    np.testing.assert_array_equal(ct_of_node(node, ct.shape, ct.affine).array, ct.array)
    flipped = np.array(ct.affine)
    flipped[:3, 2] *= -1  # slices from the other end
    flipped[:3, 3] = ct.to_lps((ct.shape[0] - 1, 0, 0))
    turned = phantom.add_ct_node(type(ct)(ct.array[::-1].copy(), flipped))
    np.testing.assert_array_equal(ct_of_node(turned, ct.shape, ct.affine).array, ct.array)


def test_axes_are_exchanged_and_turned_and_other_grids_are_refused():
    array = np.arange(24).reshape(2, 3, 4)  # k, j, i
    other = array.transpose(2, 1, 0)[::-1]  # its k is our i backwards, its i our k
    to_other = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 3], [0, 0, 0, 1]], float)
    np.testing.assert_array_equal(reordered(other, to_other), array)
    assert reordered(array, np.diag([0.5, 1, 1, 1])) is None
    shifted = np.eye(4)
    shifted[0, 3] = 0.5
    assert reordered(array, shifted) is None


def test_status_name_and_visibility_reach_the_segment(reviewed):
    reviewed.review.set_status("LN1", "rejected")
    reviewed.review.set_status("LN3", "new")
    reviewed.show()
    assert statuses(reviewed) == {"LN1": "completed", "LN2": "flagged", "LN3": "notstarted"}
    display = reviewed.nodes.segmentationNode.GetDisplayNode()
    assert not display.GetSegmentVisibility("LN1") and display.GetSegmentVisibility("LN2")
    reviewed.review.undo()
    reviewed.review.undo()
    reviewed.show()
    assert statuses(reviewed)["LN1"] == "notstarted" and display.GetSegmentVisibility("LN1")


def test_what_was_painted_becomes_an_edit_with_its_measures(reviewed):
    paint(reviewed, "LN1", ((3, 6, 8), (4, 12, 14)), on=False)  # one of three slices
    assert reviewed.take_edits() == ["LN1"]
    row = reviewed.state.get("LN1")
    assert row.outline.voxels == 2 * 6 * 6 and row.lymph_node.volume_mm3 == pytest.approx(72 * 4.5)
    assert row.lymph_node.mean_hu == 90 and row.former_ece_probability == 0.02
    reviewed.show()
    assert statuses(reviewed)["LN1"] == "inprogress"
    assert reviewed.take_edits() == []


def test_undo_puts_the_voxels_and_the_surface_back(reviewed):
    before = drawn(reviewed)
    surface = segment(reviewed, "LN1").GetRepresentation("Closed surface").GetNumberOfPoints()
    paint(reviewed, "LN1", ((3, 6, 8), (5, 12, 14)), on=False)
    reviewed.take_edits()
    reviewed.show()
    assert segment(reviewed, "LN1").GetRepresentation("Closed surface").GetNumberOfPoints() < surface
    reviewed.review.undo()
    reviewed.show()
    assert drawn(reviewed) == before
    assert segment(reviewed, "LN1").GetRepresentation("Closed surface").GetNumberOfPoints() == surface


def test_an_outline_that_was_emptied_is_put_back_in_words(reviewed):
    before = drawn(reviewed)
    paint(reviewed, "LN1", phantom.BOXES[1], on=False)
    with pytest.raises(EmptyMaskError, match="outline of LN1 was emptied; it was put back.*Delete the lymph node"):
        reviewed.take_edits()
    assert drawn(reviewed) == before and reviewed.review.history == []


def test_add_merge_split_and_delete_are_drawn_and_undone(reviewed):
    before = drawn(reviewed)
    name = reviewed.review.add(Outline((0, 0, 40), np.ones((2, 3, 3), bool)))
    reviewed.show()
    assert drawn(reviewed)[name].voxels == 18 and name == "LN4"
    reviewed.review.merge(["LN2", "LN3"])
    reviewed.review.delete("LN1")
    reviewed.show()
    assert sorted(drawn(reviewed)) == ["LN2", "LN4"]
    while reviewed.review.undo():
        pass
    reviewed.show()
    assert drawn(reviewed) == before
    labelmaps = {segment(reviewed, key).GetRepresentation("Binary labelmap").GetAddressAsString("") for key in before}
    assert len(labelmaps) == 1, "one layer, as the file format has it"


def test_a_review_is_kept_in_the_folder_and_in_the_scene(reviewed, own_folder):
    reviewed.review.set_comment("LN2", "matted")
    reviewed.save()
    assert open_review(own_folder).review.state == reviewed.state
    again = SceneReview(results_in_scene()[0], own_folder)
    assert again.state == reviewed.state and again.review.history == reviewed.review.history


def test_a_saved_scene_has_the_review_without_its_folder(reviewed, own_folder, tmp_path, scene):
    paint(reviewed, "LN1", ((3, 6, 8), (4, 12, 14)), on=False)
    reviewed.take_edits()
    reviewed.review.add(Outline((0, 0, 40), np.ones((2, 3, 3), bool)))
    reviewed.show()
    reviewed.save()
    state = reviewed.state
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    shutil.rmtree(own_folder)
    slicer.mrmlScene.Clear()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    again = SceneReview(results_in_scene()[0], own_folder)
    assert again.state == state
    assert drawn(again) == {row.id: row.outline for row in state.lymph_nodes}
    with pytest.raises(InputError, match="cannot be changed without the scan"):
        again.review.edit("LN2", Outline((0, 0, 0), np.ones((1, 1, 1), bool)))


def test_a_full_disk_keeps_the_review_in_the_scene(reviewed, monkeypatch):
    reviewed.review.set_comment("LN2", "matted")
    monkeypatch.setattr(os, "fsync", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(RunError, match="disk of the result folder is full"):
        reviewed.save()
    assert SceneReview(results_in_scene()[0]).state == reviewed.state


def test_another_scan_gives_no_measures(reviewed, ct):
    reviewed.set_volume(phantom.add_ct_node(ct.crop((0, 0, 0), (19, 40, 48))))
    with pytest.raises(InputError, match="without the scan"):
        reviewed.review.edit("LN1", Outline((3, 6, 8), np.ones((1, 6, 6), bool)))
