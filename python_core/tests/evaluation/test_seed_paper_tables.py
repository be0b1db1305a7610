"""The page beside the seed paper's tables, from a cohort that is counted by hand."""

import importlib.util
import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from .tiny_cohort import two_scans

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "seed_paper_tables.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("seed_paper_tables", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def a_page(script, tmp_path_factory):
    root = two_scans(tmp_path_factory.mktemp("cohort"))
    (root / "reference" / "manifest.json").write_text(json.dumps({"seed": 7, "difficulty": "medium"}))
    page = root / "docs" / "tables.md"
    page.parent.mkdir()
    kept, sys.argv = sys.argv, ["", str(root / "predictions"), str(root / "reference"), "--page", str(page)]
    try:
        assert script.main() == 0
    finally:
        sys.argv = kept
    return page


def row(page, start):
    (line,) = (line for line in page.read_text().splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_it_says_whose_figures_are_whose(a_page):
    text = a_page.read_text()
    assert "Our figures are from simulated patients, the paper's from real ones" in text
    assert "2 simulated patients (medium, seed 7)" in text and "Cancers 2023;15:5890" in text


def test_the_papers_figures_stand_beside_ours(a_page):
    assert row(a_page, "N, paper")[1:] == ["221", "10", "167", "9"]
    assert row(a_page, "N, ours")[1:] == ["2", "0", "0", "0"]
    assert row(a_page, "False positives per volume")[1:] == ["2.36", "1.00 (1.00 to 1.00)"]
    assert row(a_page, "P as ENE")[1:] == ["11", "0.0 (0.0 to 0.0)"]
    assert row(a_page, "> 50 %")[1:3] == ["> 60", "40.0 (33.3 to 50.0)"]
    assert row(a_page, "detection > 0 %, paper")[1:] == ["87.50", "76.58", "92.50", "75.68"]
    ours = row(a_page, "detection > 0 %, ours")
    assert ours[1].startswith("66.67") and ours[3:] == ["not evaluated", "not evaluated"]


def test_every_picture_that_is_shown_is_there(a_page):
    shown = [part.split(")")[0] for part in a_page.read_text().split("](")[1:]]
    pictures = [name for name in shown if name.endswith(".png")]
    assert len(pictures) == 7  # no montage: the tiny cohort has no CT
    assert all((a_page.parent / name).stat().st_size > 1000 for name in pictures)


def test_its_tables_are_whole(a_page):
    widths = [line.count("|") for line in a_page.read_text().splitlines()]
    for before, after in pairwise(widths):
        assert not (before and after) or before == after


def test_every_figure_of_the_paper_is_in_the_reference_table(script):
    paper = json.loads((SCRIPT.parent / "seed_paper_figures.json").read_text())
    assert [len(numbers) for numbers in paper["sizes"].values()] == [4, 4, 4]
    assert paper["dice"] == "0.71" and paper["detection_percent"]["all"] == "80"
