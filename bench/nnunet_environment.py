"""An interpreter with nnunetv2, to compare with: ``python bench/nnunet_environment.py`` makes `.venv-nnunet`.

nnU-Net comes without its own torch: the one of the project's environment serves both sides, which is fair, and saves
gigabytes. ``ECE_NNUNET_PYTHON`` names an interpreter that is there already.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-nnunet"
HOW = "it needs nnunetv2: run `python bench/nnunet_environment.py` once (some minutes)."
ITSELF = ("nnunetv2==2.8.1", "dynamic-network-architectures==0.4.4", "acvl-utils==0.2.6", "batchgenerators==0.25.5",
          "batchgeneratorsv2==0.3.6")  # fmt: skip
NEEDS = ("blosc2", "connected-components-3d", "einops", "future", "nibabel", "pandas", "requests", "tifffile", "tqdm",
         "yacs", "imagecodecs", "threadpoolctl", "matplotlib", "seaborn", "graphviz")  # fmt: skip


def interpreter() -> tuple[str | None, dict[str, str]]:
    """Which Python, and what its environment needs beside ours; None if there is none."""
    if find_spec("nnunetv2"):
        return sys.executable, {}
    there = os.environ.get("ECE_NNUNET_PYTHON") or next((str(p) for p in FOLDER.glob("*/python*") if p.is_file()), None)
    return there, {"PYTHONPATH": str(ROOT / "python_core" / "src")}


def make() -> None:
    subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
    python = interpreter()[0]
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    purelib = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    import numpy

    (Path(purelib) / "ours.pth").write_text(str(Path(numpy.__file__).parents[1]))
    for packages in (("--no-deps", *ITSELF), NEEDS):
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)


if __name__ == "__main__":
    make()
