"""The panel against the real worker: `python -m ece_core.worker` in its own process."""

import a_result
import panel_host
import pytest
from panel_host import click, waitFor

pytestmark = pytest.mark.slow
SECONDS = 400  # importing torch and monai alone takes long on a busy machine


@pytest.fixture
def panel(a_neck_ct):
    import sys

    widget = panel_host.openModule("ECEDetector")
    # The tests' Python stands for PythonSlicer; ece_core.worker is the real one.
    sys.modules["LymphNodeSegLib.WorkerProcess"].pythonExecutable = lambda: sys.executable
    widget.enter()
    yield widget.panel
    widget.cleanup()
    widget.parent.hide()


def test_what_the_core_refuses_is_told_in_its_own_words(panel, monkeypatch):
    import sys

    def broken(volumeNode, path):
        path.write_bytes(b"not an image")
        return path

    monkeypatch.setattr(sys.modules["LymphNodeSegLib.VolumeHandover"], "writeNrrd", broken)
    click(panel.ui.applyButton)
    waitFor(lambda: not panel.run.isActive, "the worker's answer", SECONDS)
    assert "NRRD" in panel.ui.problemLabel.text and panel.ui.fixLabel.text
    assert str(panel.run._out) not in panel.ui.problemLabel.text + panel.ui.fixLabel.text


def test_analyze_ends_with_a_result_in_the_scene(panel):
    from ece_core.errors import ECEError
    from ece_core.models import find_bundle
    from ece_core.pipeline.networks import CLASSIFICATION, SEGMENTATION

    try:
        for task in (SEGMENTATION, CLASSIFICATION):
            find_bundle(task)
    except ECEError as error:
        pytest.skip(f"no model bundles: {error.problem}")
    click(panel.ui.applyButton)
    waitFor(lambda: panel.run.fraction > 0, "progress", SECONDS)
    waitFor(lambda: not panel.run.isActive, "the end of the run", SECONDS)
    assert panel.run.problem == ""
    assert panel.result.input["shape_kji"] == list(a_result.SHAPE_KJI)
    assert panel.parameters.segmentation is not None and panel.ui.reportButton.enabled
    assert panel.ui.lymphNodeTable.rowCount == len(panel.result.lymph_nodes)


def test_cancel_is_answered_and_the_worker_stays_for_the_next_run(panel, tmp_path, monkeypatch):
    import sys

    # A worker that is still importing answers late on a busy machine; that it is then ended is tested elsewhere.
    monkeypatch.setattr(sys.modules["LymphNodeSegLib.WorkerClient"], "CANCEL_GRACE_MS", 1000 * SECONDS)
    click(panel.ui.applyButton)
    click(panel.ui.applyButton)
    waitFor(lambda: not panel.run.isActive, "the cancel", SECONDS)
    assert panel.ui.fixLabel.text == "Cancelled. Nothing was written."
    assert list(tmp_path.glob("**/*.partial-*")) == [] and list(tmp_path.glob("slicer-temp/ece-*")) == []
    assert panel.run.client.process is not None


def test_an_edited_lymph_node_is_classified_by_the_real_classifier(panel, a_result_folder, tmp_path):
    import shutil

    from ece_core.errors import ECEError
    from ece_core.models import find_bundle
    from ece_core.pipeline.networks import CLASSIFICATION
    from make_screenshots import erase

    try:
        find_bundle(CLASSIFICATION)
    except ECEError as error:
        pytest.skip(f"no model bundle: {error.problem}")
    panel.openResult(str(shutil.copytree(a_result_folder, tmp_path / "own")))
    erase(panel, "LN2", slices=1)
    waitFor(lambda: panel.reviewPart.state.edited, "the edit")
    volume_mm3 = panel.reviewPart.state.get("LN2").lymph_node.volume_mm3
    click(panel.ui.reclassifyAllButton)
    waitFor(lambda: panel.run.problem or not panel.reviewPart.state.edited, "the classifier", SECONDS)
    assert panel.run.problem == ""
    row = panel.reviewPart.state.get("LN2")
    assert row.lymph_node.volume_mm3 == pytest.approx(volume_mm3), "the worker measured the same outline"
    assert sum(row.lymph_node.class_probabilities.values()) == pytest.approx(1)
    assert (row.lymph_node.ece_probability is None) == bool(row.lymph_node.not_evaluable)
    assert row.former_ece_probability == pytest.approx(0.871) and row.lymph_node.source == "SEMIAUTOMATIC"
