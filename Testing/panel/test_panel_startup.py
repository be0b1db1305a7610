"""Once Slicer has started: the sample scan is offered, our terminologies are known, and neither can stop Slicer."""

import importlib
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture
def started(scene):
    """Slicer after it has started with both modules."""
    import slicer

    for name in ("LymphNodeSeg", "ECEDetector"):
        getattr(importlib.import_module(name), name)(SimpleNamespace())
    for signal, receiver in slicer.app.started:
        assert signal == "startupCompleted()"
        receiver()
    return slicer


def test_the_sample_scan_is_registered_once_and_has_no_address(started):
    import SampleData

    (source,) = SampleData.SampleDataLogic.registered
    assert (source["category"], source["sampleName"]) == ("ECE Detector", "Neck CT (simulated)")
    assert "http" not in source["uris"] and Path(source["thumbnail"]).is_file()


def test_a_click_on_it_makes_the_scan_on_this_computer(started, scene, monkeypatch):
    import SampleData
    from ece_core.preprocessing.precheck import precheck
    from ece_core.scene import sample_ct
    from ece_core.scene.precheck import volume_of

    shown = []
    real = sample_ct.add_sample_ct
    monkeypatch.setattr(sample_ct, "add_sample_ct", lambda: real((50, 96, 96), (4.0, 2.6, 2.6)))
    monkeypatch.setattr(started.util, "setSliceViewerLayers", lambda **layers: shown.append(layers))
    monkeypatch.setattr(started.util, "showStatusMessage", lambda *_: None)
    (source,) = SampleData.SampleDataLogic.registered
    (node,) = source["customDownloader"](source)
    assert node.GetName() == "Neck CT (simulated)" and node.GetScene() is scene
    assert "not a patient. Research use only" in node.GetDescription()
    assert shown == [{"background": node, "fit": True}]
    assert not [remark for remark in precheck(volume_of(node)) if remark.stops]


def test_a_scan_that_cannot_be_made_is_told(started, monkeypatch):
    import SampleData
    from ece_core.scene import sample_ct

    told = []
    monkeypatch.setattr(sample_ct, "add_sample_ct", lambda: 1 / 0)
    monkeypatch.setattr(started.util, "errorDisplay", told.append)
    monkeypatch.setattr(started.util, "showStatusMessage", lambda *_: None)
    (source,) = SampleData.SampleDataLogic.registered
    assert source["customDownloader"](source) == [] and "ZeroDivisionError" in told[0]


def test_terminologies_are_loaded(started):
    from ece_core.export.terminology_contexts import SEGMENT_CONTEXT

    assert started.modules.terminologies.logic().IsTerminologyContextLoaded(SEGMENT_CONTEXT)


def test_what_fails_at_start_up_is_logged_without_a_path_and_the_rest_is_done(scene, monkeypatch, caplog):
    import SampleData
    import slicer

    importlib.import_module("LymphNodeSeg").LymphNodeSeg(SimpleNamespace())

    def broken(**_):
        raise OSError("/home/somebody")

    monkeypatch.setattr(SampleData.SampleDataLogic, "registerCustomSampleDataSource", broken)
    with caplog.at_level(logging.WARNING):
        slicer.app.started[0][1]()
    assert "registerSampleData: OSError" in caplog.text and "somebody" not in caplog.text
    test_terminologies_are_loaded(slicer)
