"""Fixtures: a scene with the application around it, a scan, a result folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # before vtk makes its first window

import pytest
import slicer
import slicer_host
import slicer_views
from ece_core.geometry import Volume
from phantom_result import DIRECTIONS, a_ct, write_folder


@pytest.fixture
def scene():
    """A fresh scene with the application's objects around it."""
    yield slicer_host.start()
    slicer.mrmlScene.Clear(True)
    shutil.rmtree(slicer.app.temporaryPath, ignore_errors=True)


@pytest.fixture
def ct() -> Volume:
    return a_ct(DIRECTIONS["plain"])


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> dict[str, Path]:
    """Result folders by the name of their grid's direction, written once by the core. Tests do not change them."""
    base = tmp_path_factory.mktemp("results")
    folders = {name: base / str(index) for index, name in enumerate(DIRECTIONS)}
    for name, folder in folders.items():
        write_folder(folder, a_ct(DIRECTIONS[name]))
    return folders


@pytest.fixture
def result_folder(results) -> Path:
    return results["plain"]


@pytest.fixture(scope="session")
def egl() -> None:
    """Skips where nothing can be drawn."""
    if not slicer_views.can_render():
        pytest.skip(f"EGL does not draw here; on Debian: apt-get install {slicer_views.PACKAGES}")
