"""What importing the scene costs: neither Slicer nor torch."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_scene_imports_neither_slicer_nor_torch():
    program = "import sys, ece_core.scene; print([m for m in ('slicer', 'vtk', 'torch', 'monai') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout.strip() == "[]"


def test_a_result_is_shown_without_torch(scene, result_folder):
    from ece_core.scene import load_result

    load_result(result_folder)
    assert "torch" not in sys.modules
