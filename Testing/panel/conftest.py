"""Fixtures of the panel tests: a scene, a phantom, a result, and both panels in front of a fake worker."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "mrml", HERE.parents[1] / "LymphNodeSeg", HERE.parents[1] / "ECEDetector"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

pytest.importorskip("slicer", reason="slicer-core is not installed")
pytest.importorskip("PySide6", reason="PySide6_Essentials is not installed")

import a_result  # noqa: E402
import panel_host  # noqa: E402


@pytest.fixture
def application():
    return panel_host.startQt()


@pytest.fixture
def scene(application, tmp_path):
    """A fresh scene in a fresh application."""
    return panel_host.startSlicer(tmp_path)


@pytest.fixture
def a_neck_ct(scene):
    return a_result.addVolume()


@pytest.fixture(scope="session")
def a_result_folder(tmp_path_factory) -> Path:
    """A whole result folder of a phantom with three lymph nodes, written by the core."""
    return a_result.write(tmp_path_factory.mktemp("results") / "saved")


@pytest.fixture
def worker(tmp_path, a_result_folder):
    """Say how the fake worker behaves, before the panel starts it: ``worker.mode = "slow"``."""
    return panel_host.FakeWorker(tmp_path / "asked.jsonl", a_result_folder)


@pytest.fixture
def open_panel(scene, worker):
    """Opens a module as the application does; closes it after the test."""
    opened = []

    def open_(name: str):
        opened.append(panel_host.openModule(name, worker.makeProcess))
        return opened[-1].panel

    yield open_
    for widget in opened:
        widget.cleanup()
        widget.parent.hide()
        widget.parent.deleteLater()


@pytest.fixture
def detector(a_neck_ct, open_panel):
    """The ECEDetector panel with the phantom chosen."""
    panel = open_panel("ECEDetector")
    panel.enter()
    return panel


@pytest.fixture
def segmenter(a_neck_ct, open_panel):
    """The LymphNodeSeg panel with the phantom chosen."""
    panel = open_panel("LymphNodeSeg")
    panel.enter()
    return panel


@pytest.fixture(scope="session")
def a_dicom_result(tmp_path_factory) -> Path:
    """The phantom as DICOM files, and the result folder of an analysis of them."""
    return a_result.writeDicom(tmp_path_factory.mktemp("dicom"))


@pytest.fixture
def detector_of_dicom(detector, a_dicom_result, a_neck_ct, tmp_path):
    """The panel with a result of a scan out of the DICOM database, one lymph node accepted; nothing exported yet."""
    folder = tmp_path / "own" / "saved"
    shutil.copytree(a_dicom_result / "result", folder)
    a_result.fillDatabase(a_dicom_result, a_neck_ct)
    detector.openResult(str(folder))
    panel_host.processEvents()
    panel_host.clickRow(detector.ui.lymphNodeTable, 0)
    panel_host.press(detector.ui.lymphNodeTable, "a")
    return detector
