"""The LymphNodeSeg panel, and what both modules share."""

import panel_host
from panel_host import click, waitFor


def test_segment_puts_the_lymph_nodes_into_the_scene(segmenter, worker, scene, tmp_path):
    click(segmenter.ui.applyButton)
    waitFor(lambda: not segmenter.run.isActive, "the end of the run")
    assert segmenter.run.problem == ""
    assert worker.request("segment")["options"] == {"device": "auto"}
    assert segmenter.parameters.segmentation.GetSegmentation().GetNumberOfSegments() == 3
    assert segmenter.ui.fixLabel.text == "3 lymph nodes found."
    assert list(tmp_path.glob("slicer-temp/ece-*")) == []


def test_the_segmentation_does_not_point_at_the_folder_that_is_gone(segmenter, worker, scene, tmp_path):
    import slicer

    click(segmenter.ui.applyButton)
    waitFor(lambda: not segmenter.run.isActive, "the end of the run")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert node.GetSegmentation().GetNumberOfSegments() == 3


def test_segment_becomes_cancel(segmenter, worker):
    worker.mode = "slow"
    assert segmenter.ui.applyButton.text == "Segment"
    click(segmenter.ui.applyButton)
    waitFor(lambda: segmenter.run.fraction == 0.6, "progress")
    assert segmenter.ui.applyButton.text == "Cancel"
    click(segmenter.ui.applyButton)
    waitFor(lambda: not segmenter.run.isActive, "the cancel")
    assert segmenter.ui.applyButton.text == "Segment"


def test_two_modules_share_one_worker_and_one_waits_for_the_other(segmenter, open_panel, worker):
    detector = open_panel("ECEDetector")
    detector.enter()
    worker.mode = "slow"
    click(segmenter.ui.applyButton)
    waitFor(lambda: segmenter.run.fraction == 0.6, "progress")
    assert len(worker.processes) == 1
    assert not detector.ui.applyButton.enabled
    assert detector.ui.applyButton.toolTip == "Wait for the run in the other module to end."
    click(segmenter.ui.applyButton)
    waitFor(lambda: not segmenter.run.isActive, "the cancel")
    assert detector.ui.applyButton.enabled


def test_the_worker_starts_when_the_panel_opens_and_stays_for_the_next_run(segmenter, worker):
    waitFor(lambda: worker.processes and worker.processes[0].processId(), "the warm worker")
    for _ in range(2):
        click(segmenter.ui.applyButton)
        waitFor(lambda: not segmenter.run.isActive, "the end of the run")
    assert len(worker.processes) == 1 and len(worker.asked) == 2


def test_with_packages_missing_the_worker_is_not_started_before_the_click(scene, a_neck_ct, open_panel, worker):
    import slicer

    slicer.packaging.installed = set()
    open_panel("LymphNodeSeg").enter()
    panel_host.processEvents()
    assert worker.processes == []


def test_the_first_scan_of_the_scene_is_chosen_when_the_module_is_shown(open_panel, a_neck_ct):
    panel = open_panel("LymphNodeSeg")
    panel.enter()
    assert panel.parameters.inputVolume is a_neck_ct
    assert panel.ui.inputSelector.currentNode() is a_neck_ct
    assert panel.ui.applyButton.enabled


def test_the_volume_that_the_user_chose_is_kept(segmenter, scene):
    import a_result

    other = a_result.addVolume("another")
    segmenter.ui.inputSelector.setCurrentNode(other)
    segmenter.enter()
    assert segmenter.parameters.inputVolume is other


def test_a_run_of_the_one_module_leaves_the_review_of_the_other_as_it_is(
    segmenter, open_panel, a_result_folder, tmp_path
):
    """Two modules open at once, on the same scan: nothing lost."""
    import shutil

    from panel_host import clickRow, press

    shutil.copytree(a_result_folder, tmp_path / "saved")
    detector = open_panel("ECEDetector")
    detector.enter()
    detector.openResult(str(tmp_path / "saved"))
    panel_host.processEvents()
    clickRow(detector.ui.lymphNodeTable, 0)
    press(detector.ui.lymphNodeTable, "f")
    click(segmenter.ui.applyButton)
    waitFor(lambda: not segmenter.run.isActive, "the end of the run")
    assert segmenter.run.problem == "" and detector.run.problem == ""
    assert detector.reviewPart.state.get("LN2").status == "flagged" and detector.ui.lymphNodeTable.rowCount == 3
    press(detector.ui.lymphNodeTable, "a")
    assert detector.reviewPart.state.get("LN2").status == "accepted"
    assert '"status": "accepted"' in (tmp_path / "saved" / "review.json").read_text()
