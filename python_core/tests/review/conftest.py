"""Fixtures of the review tests: a review, and the same in a result folder."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import a_review as drawn
from ece_core.export.result import RESULT_FILE
from ece_core.export.seg_nrrd import write_seg_nrrd


@pytest.fixture
def review():
    return drawn.a_review()


@pytest.fixture
def result_folder(tmp_path):
    """What of a result folder a review needs."""
    folder = tmp_path / "result"
    folder.mkdir()
    write_seg_nrrd(folder / "lymph_nodes.seg.nrrd", drawn.instances(), drawn.lymph_nodes())
    (folder / RESULT_FILE).write_text(drawn.a_result().to_json(), encoding="utf-8")
    return folder
