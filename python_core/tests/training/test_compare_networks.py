"""`scripts/compare_networks.py` trains both networks and says what each reached."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "compare_networks.py"


@pytest.mark.slow
def test_both_networks_are_trained_on_the_same_scans_and_compared(tmp_path):
    for place in ("learned", "kept_out"):
        (tmp_path / place).mkdir()
        hu = np.random.default_rng(0).normal(0, 50, (24, 30, 30)).astype(np.int16)
        classes = np.zeros(hu.shape, np.uint8)
        classes[10:14, 10:16, 10:16] = 1
        np.savez(tmp_path / place / "seg_0000.npz", hu=hu, classes=classes)
    options = ["--minutes", "0.01", "--cases", "1", "--held-out", "1", "--out", str(tmp_path)]
    run = subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, timeout=800)
    assert run.returncode == 0, run.stderr[-2000:]
    written = json.loads((tmp_path / "networks.json").read_text())
    like, light = written["rows"]
    assert (like["network"], light["network"]) == ("nnU-Net-like", "light")
    assert all(row["steps"] >= 1 and 0 <= row["dice"] <= 1 and 0 <= row["found"] <= 1 for row in (like, light))
    assert light["parameters"] < like["parameters"]
    assert run.stdout.count("\n") == 3
