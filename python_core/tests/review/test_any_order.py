"""Any order of actions keeps table, masks and log consistent, and undo and redo go exactly back and forth."""

import a_review as drawn
import hypothesis.strategies as st
import numpy as np
import pytest
from ece_core.errors import ECEError
from ece_core.review import Opinion, Outline, from_text, listed, outlines_of, to_text
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

RESULT, INSTANCES = drawn.a_result(), drawn.instances()
AI_OUTLINES = outlines_of(INSTANCES)
corners = st.tuples(*(st.integers(0, size - 1) for size in drawn.SHAPE))
sizes = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))


@st.composite
def outlines(draw) -> Outline:
    start, size = draw(corners), draw(sizes)
    stop = [min(a + b, c) for a, b, c in zip(start, size, drawn.SHAPE, strict=True)]
    block = np.ones([b - a for a, b in zip(start, stop, strict=True)], bool)
    return Outline(start, block)


class ReviewMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.review = drawn.a_review()
        self.past, self.future = [], []  # the model: states as they were, kept beside the review's own list
        self.saved = None
        self.events = 0

    def attempt(self, action) -> None:
        """An action happens as a whole, or it raises in words and changes nothing."""
        before = self.review.state
        try:
            action()
        except ECEError as error:
            assert error.problem and error.fix
            assert self.review.state is before
            return
        if self.review.state != before:
            self.past.append(before)
            self.future = []

    def any_id(self, data) -> str:
        return data.draw(st.sampled_from(self.review.state.ids))

    @property
    def has_rows(self) -> bool:
        return bool(self.review.state.ids)

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), status=st.sampled_from(("new", "accepted", "rejected", "flagged")))
    def judge(self, data, status) -> None:
        name = self.any_id(data)
        self.attempt(lambda: self.review.set_status(name, status))
        assert self.review.state.get(name).status == status

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), text=st.text(max_size=8), visible=st.booleans())
    def comment_and_hide(self, data, text, visible) -> None:
        name = self.any_id(data)
        self.attempt(lambda: self.review.set_comment(name, text))
        self.attempt(lambda: self.review.set_visible(name, visible))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), outline=outlines())
    def edit(self, data, outline) -> None:
        self.attempt(lambda: self.review.edit(self.any_id(data), outline))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), probability=st.floats(0, 1))
    def reclassify(self, data, probability) -> None:
        row = self.review.state.get(self.any_id(data))
        answer = drawn.answer(row.label, probability)
        # The worker measures the outline it was given, as the review does.
        answer = type(answer)(**{**vars(answer), "volume_mm3": row.outline.voxels * drawn.VOXEL_MM3})
        self.attempt(lambda: self.review.reclassify(row.id, row.outline, answer))
        assert not self.review.state.get(row.id).out_of_date

    @rule(outline=outlines(), source=st.sampled_from(("MANUAL", "SEMIAUTOMATIC")))
    def add(self, outline, source) -> None:
        self.attempt(lambda: self.review.add(outline, source))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data())
    def merge(self, data) -> None:
        ids = [self.any_id(data), self.any_id(data)]
        self.attempt(lambda: self.review.merge(ids))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data(), share=st.integers(1, 5))
    def split(self, data, share) -> None:
        row = self.review.state.get(self.any_id(data))
        inside = np.argwhere(row.outline.block)
        first = np.zeros_like(row.outline.block)
        first[tuple(inside[: len(inside) * share // 6].T)] = True
        second = row.outline.block & ~first
        if first.any() and second.any():
            parts = [Outline.from_block(row.outline.start_kji, part) for part in (first, second)]
            self.attempt(lambda: self.review.split(row.id, parts))

    @precondition(lambda self: self.has_rows)
    @rule(data=st.data())
    def delete(self, data) -> None:
        self.attempt(lambda: self.review.delete(self.any_id(data)))

    @rule(verdict=st.sampled_from(("ene", "no ene", "not evaluable")), certainty=st.sampled_from(("", "50", ">90")))
    def call(self, verdict, certainty) -> None:
        self.attempt(lambda: self.review.set_final_call(Opinion(verdict, certainty)))

    @rule()
    def undo(self) -> None:
        before = self.review.state
        assert self.review.undo() == bool(self.past)
        if self.past:
            self.future.append(before)
            assert self.review.state == self.past.pop()

    @rule()
    def redo(self) -> None:
        before = self.review.state
        assert self.review.redo() == bool(self.future)
        if self.future:
            self.past.append(before)
            assert self.review.state == self.future.pop()

    @rule()
    def save(self) -> None:
        self.saved = to_text(self.review, RESULT, AI_OUTLINES), self.review.state

    @precondition(lambda self: self.saved is not None)
    @rule()
    def load(self) -> None:
        text, state = self.saved
        self.review = from_text(text, RESULT, AI_OUTLINES, drawn.SHAPE, drawn.counted, now=drawn.Clock())
        assert self.review.state == state
        assert to_text(self.review, RESULT, AI_OUTLINES) == text
        self.past, self.future, self.events = [], [], 0

    @invariant()
    def masks_and_table_say_the_same(self) -> None:
        if not hasattr(self, "review"):
            return
        state = self.review.state
        instances = state.instances(INSTANCES.affine).array
        for row in state.lymph_nodes:
            voxels = int((instances == row.label).sum())
            assert voxels == row.outline.voxels, "no two lymph nodes share a voxel"
            assert row.lymph_node.volume_mm3 == voxels * drawn.VOXEL_MM3
            assert row.id == f"LN{row.label}" and row.label < state.next_label
            assert not (row.out_of_date and row.lymph_node.ece_probability is not None)
            unlike_the_ai = AI_OUTLINES.get(row.label) != row.outline
            assert (row.lymph_node.source == "AUTOMATIC") <= (not unlike_the_ai)
        assert sorted(row.id for row in listed(state.lymph_nodes)) == sorted(set(state.ids))

    @invariant()
    def the_log_only_grows(self) -> None:
        if hasattr(self, "review"):
            assert len(self.review.history) >= self.events
            self.events = len(self.review.history)


ReviewMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestAnyOrder = pytest.mark.slow(ReviewMachine.TestCase)
