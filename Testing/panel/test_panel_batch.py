"""LymphNodeSeg alone: measures beside the segmentation, and a folder of scans one after the other."""

import csv
import shutil

import panel_host
import pytest
from panel_host import click, column, waitFor

CASE, SCAN, STATE = range(3)


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a.nrrd", "b.nii.gz", "c.mha"):
        (folder / name).write_bytes(b"x")
    return folder


@pytest.fixture
def batch(segmenter, scans, tmp_path):
    """The panel with the batch unfolded and its folders chosen."""
    segmenter.ui.batchCollapsibleButton.collapsed = False
    segmenter.ui.batchInPathLineEdit.currentPath = str(scans)
    segmenter.ui.batchOutPathLineEdit.currentPath = str(tmp_path / "out")
    panel_host.processEvents()
    return segmenter


def states(panel) -> list:
    return column(panel.ui.batchTable, STATE)


def runToTheEnd(panel) -> None:
    click(panel.ui.batchButton)
    waitFor(lambda: not panel.batch.isActive and not panel.run.client.isBusy and panel.ui.batchLabel.visible, "the end")


# One volume


def test_measures_stand_in_the_panel_and_go_into_a_file(segmenter, tmp_path, monkeypatch):
    import qt

    assert segmenter.ui.saveTableButton.toolTip == "Segment a volume first."
    click(segmenter.ui.applyButton)
    waitFor(lambda: not segmenter.run.isActive, "the end of the run")
    table = segmenter.ui.measuresTable
    assert column(table, 0) == ["LN2", "LN1", "LN3"] and column(table, 2) == ["21.4", "9.5", "6.2"]
    assert column(table, 1)[0] == "left, III" and column(table, 3)[0] == "–"
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(tmp_path / "table.csv"))
    click(segmenter.ui.saveTableButton)
    with (tmp_path / "table.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["LN1", "LN2", "LN3"]
    assert segmenter.ui.fixLabel.text == "Saved: table.csv"
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", lambda *_: str(tmp_path / "nowhere" / "table.csv"))
    click(segmenter.ui.saveTableButton)
    assert segmenter.ui.problemLabel.text == "The table could not be saved."
    assert "disk is not full" in segmenter.ui.fixLabel.text


def test_closing_the_scene_empties_the_table(segmenter, scene):
    click(segmenter.ui.applyButton)
    waitFor(lambda: not segmenter.run.isActive, "the end of the run")
    scene.Clear()
    panel_host.processEvents()
    assert segmenter.ui.measuresTable.rowCount == 0 and not segmenter.ui.saveTableButton.enabled


# A folder


def test_each_scan_of_a_folder_gets_its_result_and_all_one_table(batch, worker, tmp_path):
    runToTheEnd(batch)
    assert states(batch) == ["done", "done", "done"]
    assert column(batch.ui.batchTable, SCAN) == ["a.nrrd", "b.nii.gz", "c.mha"]
    assert [request["request"] for request in worker.asked] == ["segment"] * 3
    assert batch.ui.batchLabel.text.startswith("3 of 3 cases are done. The table of all is all_lymph_nodes.csv")
    with (tmp_path / "out" / "all_lymph_nodes.csv").open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == [f"case_000{n}" for n in (1, 2, 3) for _ in range(3)]
    assert len(worker.processes) == 1, "one warm worker for all"


def test_a_case_that_fails_stops_no_other_and_start_tries_it_again(batch, worker, tmp_path):
    worker.mode = "fails on b"
    runToTheEnd(batch)
    assert [state[:6] for state in states(batch)] == ["done", "failed", "done"]
    assert "gantry tilt of 18.5 degrees. Reconstruct" in states(batch)[1]
    assert "2 of 3 cases are done. 1 failed: the reason stands beside each." in batch.ui.batchLabel.text
    worker.mode = "happy"
    before = len(worker.asked)
    runToTheEnd(batch)
    assert states(batch) == ["done before", "done", "done before"] and len(worker.asked) == before + 1


def test_a_worker_that_dies_costs_one_case(batch, worker):
    worker.mode = "dies on b"
    runToTheEnd(batch)
    assert [state[:6] for state in states(batch)] == ["done", "failed", "done"]
    assert "ended unexpectedly" in states(batch)[1] and len(worker.processes) == 2


def test_it_can_be_stopped_and_goes_on_where_it_was(batch, worker, tmp_path):
    worker.mode = "slow on b"
    click(batch.ui.batchButton)
    waitFor(lambda: "60 %" in states(batch)[1], "the second case")
    assert batch.ui.batchButton.text == "Stop" and not batch.ui.batchInPathLineEdit.enabled
    assert batch.ui.applyButton.toolTip == "Wait for the batch to end, or stop it."
    click(batch.ui.batchButton)
    waitFor(lambda: not batch.batch.isActive, "the stop")
    panel_host.processEvents()
    assert states(batch) == ["done", "waiting", "waiting"]
    assert "Stopped. Start goes on where it was." in batch.ui.batchLabel.text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "all_lymph_nodes.csv", "case_0001", "cases.csv"], "nothing half-written"
    worker.mode = "happy"
    runToTheEnd(batch)
    assert states(batch) == ["done before", "done", "done"]


def test_the_scene_can_be_closed_while_it_runs(batch, worker, scene):
    worker.mode = "slow on b"
    click(batch.ui.batchButton)
    waitFor(lambda: "60 %" in states(batch)[1], "the second case")
    scene.Clear()
    panel_host.processEvents()
    assert batch.batch.isActive, "it works on files, not on the scene"
    click(batch.ui.batchButton)
    waitFor(lambda: not batch.batch.isActive, "the stop")


def test_closing_the_module_ends_the_worker(scene, a_neck_ct, worker, scans, tmp_path):
    worker.mode = "slow"
    widget = panel_host.openModule("LymphNodeSeg", worker.makeProcess)
    panel = widget.panel
    panel.ui.batchCollapsibleButton.collapsed = False
    panel.ui.batchInPathLineEdit.currentPath = str(scans)
    panel.ui.batchOutPathLineEdit.currentPath = str(tmp_path / "out")
    panel_host.processEvents()
    click(panel.ui.batchButton)
    waitFor(lambda: "60 %" in states(panel)[0], "the first case")
    process = panel.run.client.process
    widget.cleanup()
    assert process.processId() == 0 and not list((tmp_path / "out").glob(".case*"))


def test_what_cannot_be_a_batch_is_told_in_place(batch, scans, tmp_path):
    batch.ui.batchOutPathLineEdit.currentPath = str(scans / "out")
    click(batch.ui.batchButton)
    assert batch.ui.batchLabel.text.startswith("The results would lie among the scans.\nChoose a folder outside")
    batch.ui.batchInPathLineEdit.currentPath = ""
    assert batch.ui.batchButton.toolTip == "Choose the folder of scans." and not batch.ui.batchButton.enabled
    batch.ui.batchInPathLineEdit.currentPath = str(scans)
    batch.ui.batchOutPathLineEdit.currentPath = ""
    assert batch.ui.batchButton.toolTip == "Choose a folder for the results."
    shutil.rmtree(scans)


def test_a_batch_waits_for_a_run_and_the_other_module_for_the_batch(batch, worker, open_panel):
    detector = open_panel("ECEDetector")
    detector.enter()
    worker.mode = "slow"
    click(batch.ui.applyButton)
    waitFor(lambda: batch.run.fraction == 0.6, "progress")
    assert batch.ui.batchButton.toolTip == "Wait for the run to end, or cancel it."
    click(batch.ui.applyButton)
    waitFor(lambda: not batch.run.isActive, "the cancel")
    click(batch.ui.batchButton)
    waitFor(lambda: "60 %" in states(batch)[0], "the first case")
    assert detector.ui.applyButton.toolTip == "Wait for the run in the other module to end."
    click(batch.ui.batchButton)
    waitFor(lambda: not batch.batch.isActive, "the stop")
