"""Runs inside 3D Slicer (see README.md beside this file); not run by our CI.

The clicks of Testing/panel once more, on the real widgets, with the fake worker.
"""

import sys
import tempfile
import time
import traceback
from pathlib import Path

import slicer

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "Testing" / "panel"))  # a_result: the phantom and its result
FAKE_WORKER = REPOSITORY / "Testing" / "panel" / "fake_worker.py"


def waitFor(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for: {what}"
        slicer.app.processEvents()
        time.sleep(0.02)


def openPanel(folder, result, mode):
    """The ECEDetector panel with a phantom in the scene and the fake worker behind it."""
    import a_result
    from LymphNodeSegLib import QtWorkerProcess

    slicer.mrmlScene.Clear()
    (folder / "mode").write_text(mode)
    arguments = tuple(str(path) for path in (FAKE_WORKER, folder / "mode", folder / "asked.jsonl", result))
    a_result.addVolume()
    slicer.util.selectModule("ECEDetector")
    panel = slicer.util.getModuleWidget("ECEDetector").panel
    panel.run.client.stop()
    panel.run.client._makeProcess = lambda: QtWorkerProcess(arguments)
    panel.dependencies.ensure = lambda requester: None
    panel.parameters.resultsPath = str(folder / "results")
    panel.enter()
    return panel


def test_both_modules_load(folder, result):
    for name in ("LymphNodeSeg", "ECEDetector"):
        slicer.util.selectModule(name)
        assert hasattr(slicer.modules, name.lower())


def test_the_button_says_why_it_is_disabled(folder, result):
    slicer.mrmlScene.Clear()
    slicer.util.selectModule("ECEDetector")
    button = slicer.util.getModuleWidget("ECEDetector").panel.ui.applyButton
    assert not button.enabled
    assert button.toolTip


def test_analyze_ends_with_the_table_and_a_jump(folder, result):
    panel = openPanel(folder, result, "happy")
    panel.ui.applyButton.click()
    waitFor(lambda: not panel.run.isActive, "the end of the run")
    assert panel.run.problem == "", panel.run.problem
    assert panel.ui.lymphNodeTable.rowCount == 3
    panel.ui.lymphNodeTable.selectRow(0)
    panel.ui.jumpButton.click()
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().GetSliceToRAS()
    expected = panel.table.selected().lymph_node.centroid_lps_mm
    assert abs(red.GetElement(2, 3) - expected[2]) < 1.0


def test_cancel_ends_the_run(folder, result):
    panel = openPanel(folder, result, "slow")
    panel.ui.applyButton.click()
    waitFor(lambda: panel.run.fraction > 0.5, "progress")
    panel.ui.applyButton.click()
    waitFor(lambda: not panel.run.isActive, "the cancel", 10)


def test_closing_the_scene_ends_the_process(folder, result):
    panel = openPanel(folder, result, "slow")
    panel.ui.applyButton.click()
    waitFor(lambda: panel.run.fraction > 0.5, "progress")
    slicer.mrmlScene.Clear()
    assert not panel.run.isActive
    assert panel.run.client.process is None


def test_the_sample_scan_is_offered_and_made_here(folder, result):
    import SampleData

    names = [source.sampleName for source in SampleData.SampleDataLogic.sampleDataSourcesByCategory("ECE Detector")]
    assert names == ["Neck CT (simulated)"]
    slicer.mrmlScene.Clear()
    (source,) = SampleData.SampleDataLogic.sampleDataSourcesByCategory("ECE Detector")
    (volumeNode,) = source.customDownloader(source)
    assert volumeNode.GetImageData().GetDimensions()[2] > 50


def test_terminologies_are_loaded_at_start_up(folder, result):
    from ece_core.export.terminology_contexts import SEGMENT_CONTEXT

    assert slicer.modules.terminologies.logic().IsTerminologyContextLoaded(SEGMENT_CONTEXT)


def test_export_of_what_was_accepted(folder, result):
    panel = openPanel(folder, result, "happy")
    panel.openResult(str(result))
    panel.ui.lymphNodeTable.selectRow(0)
    panel.ui.acceptButton.click()
    panel.ui.exportButton.click()
    dialog = panel.exportPart.dialog
    assert not dialog.ui.segCheckBox.enabled and "was not DICOM" in dialog.ui.segCheckBox.toolTip
    dialog.ui.folderPathLineEdit.currentPath = str(folder / "exports")
    dialog.ui.exportButton.click()
    assert len(list((folder / "exports").glob("*/lymph_nodes.csv"))) == 1, dialog.ui.problemLabel.text
    dialog.close()


def test_set_up_and_pre_check_are_shown(folder, result):
    panel = openPanel(folder, result, "happy")
    panel.refresh()
    assert panel.ui.modelsLabel.text.count("✔") == 2, panel.ui.modelsLabel.text
    assert "mm long" in panel.ui.precheckLabel.text


TESTS = [value for name, value in sorted(globals().items()) if name.startswith("test_")]


def main():
    import a_result
    from LymphNodeSegLib import ensureCore

    ensureCore()
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        result = a_result.write(Path(temporary) / "saved")
        for number, test in enumerate(TESTS):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            try:
                test(folder, result)
                print(f"passed  {test.__name__}")
            except Exception:
                failed += 1
                print(f"FAILED  {test.__name__}\n{traceback.format_exc()}")
    slicer.util.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
