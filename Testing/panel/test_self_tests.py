"""The application's self-tests (Testing/slicer) on the stand-ins: what we ship for Slicer does run."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import panel_host
import pytest

SCRIPT = Path(__file__).parents[1] / "slicer" / "run_self_tests.py"
TESTS = ("analyze_ends_with_the_table_and_a_jump", "both_modules_load", "cancel_ends_the_run",
         "closing_the_scene_ends_the_process", "export_of_what_was_accepted", "review_10_accept_and_call",
         "review_11_a_saved_scene_goes_on", "review_5_and_6_filter_select_and_highlight",
         "review_7_heatmap_in_slices_and_on_the_surface", "review_8_edit_and_reclassify",
         "review_9_add_merge_split_undo", "set_up_and_pre_check_are_shown",
         "terminologies_are_loaded_at_start_up", "the_button_says_why_it_is_disabled",
         "the_sample_scan_is_offered_and_made_here")


@pytest.fixture
def self_tests(scene, worker, monkeypatch):
    """The script, in front of an application that has started with both modules."""
    import slicer
    from ece_core.scene import sample_ct

    specification = importlib.util.spec_from_file_location("run_self_tests", SCRIPT)
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    widgets = {name: panel_host.openModule(name, worker.makeProcess) for name in ("LymphNodeSeg", "ECEDetector")}
    for name in widgets:
        getattr(importlib.import_module(name), name)(SimpleNamespace())
        setattr(slicer.modules, name.lower(), SimpleNamespace())
    for _, receiver in slicer.app.started:
        receiver()
    red = scene.AddNode(slicer.vtkMRMLSliceNode())
    red.SetLayoutName("Red")
    monkeypatch.setattr(slicer.app, "layoutManager", lambda: SimpleNamespace(
        sliceWidget=lambda name: SimpleNamespace(mrmlSliceNode=lambda: red)))
    monkeypatch.setattr(slicer.app, "processEvents", lambda *_: panel_host.processEvents())
    monkeypatch.setattr(slicer.util, "selectModule", lambda name: widgets[name].enter())
    monkeypatch.setattr(slicer.util, "getModuleWidget", lambda name: widgets[name])
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", lambda **_: None)
    monkeypatch.setattr(slicer.util, "showStatusMessage", lambda *_: None)
    real = sample_ct.add_sample_ct
    monkeypatch.setattr(sample_ct, "add_sample_ct", lambda: real((60, 32, 32), (3.3, 8.0, 8.0)))
    yield script
    for widget in widgets.values():
        widget.cleanup()
        widget.parent.deleteLater()


def test_every_self_test_is_run_here(self_tests):
    assert tuple(test.__name__.removeprefix("test_") for test in self_tests.TESTS) == TESTS


@pytest.mark.parametrize("name", TESTS)
def test_it_passes(name, self_tests, a_result_folder, tmp_path):
    getattr(self_tests, f"test_{name}")(tmp_path, a_result_folder)


@pytest.mark.parametrize("name", ["LymphNodeSeg", "ECEDetector"])
def test_the_modules_own_self_test_passes(name, self_tests):
    getattr(importlib.import_module(name), f"{name}Test")().runTest()
