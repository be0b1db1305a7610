"""The flow of a review, steps 0 to 13, one after the other (review_steps.py); its page and pictures."""

from pathlib import Path

import pytest
import review_page
from review_steps import STEPS, ReviewFlow

ROOT = Path(__file__).resolve().parents[2]
SHAPE, SPACING_MM = (56, 112, 112), (3.5, 2.2, 2.2)


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    flow = ReviewFlow(tmp_path_factory.mktemp("flow"), SHAPE, SPACING_MM)
    yield flow
    flow.close()


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"step {step.number}, {step.title}")
def test_step(flow, step):
    if flow.pictured < step.number:
        pytest.fail("an earlier step failed") if flow.pictured else run_up_to(flow, step)
    step.run(flow)
    assert flow.pictured == step.number + 1, "one picture in each step"


def run_up_to(flow, step) -> None:
    """One step alone was asked for: those before it lead there."""
    for earlier in STEPS[: step.number]:
        earlier.run(flow)


# The page


def test_steps_are_those_of_the_flow():
    assert [step.number for step in STEPS] == list(range(14))
    assert all(text and text[-1] != " " for step in STEPS
               for text in (step.title, step.does, step.mrml, step.stand_ins, step.application))


def test_the_page_is_what_the_steps_say():
    assert review_page.PAGE.read_text(encoding="utf-8") == review_page.text(), (
        "run Testing/panel/make_review_pictures.py")


def test_each_step_has_a_small_picture():
    pictures = ROOT / "Resources" / "Screenshots" / "review"
    assert sorted(file.name for file in pictures.iterdir()) == [step.file for step in STEPS]
    assert max(file.stat().st_size for file in pictures.iterdir()) < 150_000
