"""The page docs/review_in_13_pictures.md, out of the steps that are run."""

from __future__ import annotations

from pathlib import Path

from review_steps import STEPS, Step

PAGE = Path(__file__).resolve().parents[2] / "docs" / "review_in_13_pictures.md"
HEAD = """# A review in 13 pictures

From the first start (step 0) to the next case (step 13), as a reader clicks it. Research use only. Not a medical
device. The scan is simulated and no network has run: a fake worker answers, and outlines, ECE probabilities and
heatmaps are made up from the simulation's truth; whatever it re-classifies is 5.5 mm and 0.5 mL to it. Nothing here
says how well anything is found. Tissue in the views is drawn without its noise, to keep the files small.

`python Testing/panel/make_review_pictures.py` draws all pictures and writes this page;
`Testing/panel/test_review_flow.py` runs the same steps (`Testing/panel/review_steps.py`). Left is our panel on
stand-ins of Slicer's widgets (how they look is the stand-ins', what they say is the extension's), right are slice
and 3D views that Slicer's own MRML code draws.
"""
LIST = """## What ran where

Real MRML is the C++ of Slicer in the package `slicer-core`. Stand-ins are our doubles of Slicer's and CTK's
widgets, held to the names in Slicer's headers, with real mouse and key events. The rest only the application can
show: its self-tests (`Testing/slicer`) need Slicer and are **not** run by our CI; on the stand-ins they are
(`test_self_tests.py`).

| Step | Run on real MRML | Run on stand-ins | Only the application can show |
| --- | --- | --- | --- |
"""


def text() -> str:
    rows = "".join(f"| {s.number} {s.title} | {s.mrml} | {s.stand_ins} | {s.application} |\n" for s in STEPS)
    return HEAD + "".join(section(step) for step in STEPS) + "\n" + LIST + rows


def section(step: Step) -> str:
    picture = f"![Step {step.number}: {step.title}](../Resources/Screenshots/review/{step.file})"
    return f"\n## {step.number}. {step.title}\n\n{step.does}\n\n{picture}\n"
