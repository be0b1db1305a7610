"""A review under way: the state as it is, one list of undo and redo over all actions, and the log of what was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ece_core.errors import InputError
from ece_core.export.result import Result
from ece_core.geometry import Volume
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.review import actions
from ece_core.review.opinion import Opinion
from ece_core.review.outline import Outline, outlines_of
from ece_core.review.state import ReviewedLymphNode, ReviewState

UNDO_LIMIT = 200  # states share what did not change, so one costs little more than its edited outline


@dataclass(frozen=True)
class Event:
    """One line of the log, which only grows: undoing an action is a line of its own.

    Attributes
    ----------
    time
        UTC, ISO 8601.
    reviewer
    action
        ``"status"``, ``"edit"``, ``"undo"`` ...
    lymph_nodes
        Ids that it was about.
    words
        What changed, from what to what.
    """

    time: str
    reviewer: str
    action: str
    lymph_nodes: tuple[str, ...] = ()
    words: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "lymph_nodes": list(self.lymph_nodes)}


class Review:
    """The reader's work on one result. Slicer's panel and the browser show it; neither keeps a state of its own.

    Every action either happens as a whole or raises and leaves everything as it was. While :attr:`ReviewState.hidden`
    holds, only :meth:`give_first_opinion` is accepted.

    Parameters
    ----------
    state
        Where the review begins or goes on.
    measure
        Measures an outline (:class:`ece_core.review.outline_measures.OutlineMeasures`); None: the scan is not at hand,
        then outlines cannot be changed.
    history
        What was done before.
    now
        The time; a test gives its own.
    """

    def __init__(
        self,
        state: ReviewState,
        measure: actions.Measure | None = None,
        history: Sequence[Event] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.state = state
        self.measure = measure
        self.history = list(history)
        self.reviewer = ""
        self._now = now
        self._undo: list[tuple[ReviewState, Event]] = []
        self._redo: list[tuple[ReviewState, Event]] = []

    # One lymph node

    def set_status(self, lymph_node_id: str, status: str) -> None:
        """``"accepted"``, ``"rejected"`` (which hides it), ``"flagged"``, or ``"new"``: not judged."""
        row = self.state.get(lymph_node_id)
        after = actions.with_status(self.state, lymph_node_id, status)
        self._do("status", (row.id,), self._signed(after, row), f"{row.status} to {status}")

    def set_comment(self, lymph_node_id: str, comment: str) -> None:
        row = self.state.get(lymph_node_id)
        after = self.state.with_rows(replace(row, comment=comment.strip()))
        self._do("comment", (row.id,), self._signed(after, row), comment.strip() or "removed")

    def set_visible(self, lymph_node_id: str, visible: bool) -> None:
        row = self.state.get(lymph_node_id)
        after = self.state.with_rows(replace(row, visible=bool(visible)))
        self._do("visible", (row.id,), after, "shown" if visible else "hidden")

    def edit(self, lymph_node_id: str, outline: Outline) -> None:
        """Another outline for a lymph node; see :func:`ece_core.review.actions.edited`."""
        after = actions.edited(self.state, lymph_node_id, outline, self._measure())
        voxels = f"{self.state.get(lymph_node_id).outline.voxels} to {after.get(lymph_node_id).outline.voxels} voxels"
        self._do("edit", (lymph_node_id,), after, voxels)

    def reclassify(self, lymph_node_id: str, outline: Outline, answer: LymphNode) -> None:
        """What the classifier said of ``outline``; see :func:`ece_core.review.actions.reclassified`."""
        after = actions.reclassified(self.state, lymph_node_id, outline, answer)
        row = after.get(lymph_node_id)
        values = (row.former_ece_probability, row.lymph_node.ece_probability)
        former, current = ("none" if value is None else f"{value:.2f}" for value in values)
        self._do("re-classify", (lymph_node_id,), after, f"ECE probability {former} to {current}")

    def add(self, outline: Outline, source: str = "MANUAL") -> str:
        """The id of one more lymph node; see :func:`ece_core.review.actions.added`."""
        after, name = actions.added(self.state, outline, self._measure(), source)
        self._do("add", (name,), after, source)
        return name

    def delete(self, lymph_node_id: str) -> None:
        self.state.get(lymph_node_id)
        self._do("delete", (lymph_node_id,), self.state.without(lymph_node_id))

    def merge(self, ids: Sequence[str]) -> str:
        """The id of the lymph node that several have become."""
        after, name = actions.merged(self.state, ids, self._measure())
        self._do("merge", tuple(ids), after, f"into {name}")
        return name

    def split(self, lymph_node_id: str, parts: Sequence[Outline]) -> tuple[str, ...]:
        """The ids of the parts, the largest first: it keeps the name."""
        after, names = actions.split(self.state, lymph_node_id, parts, self._measure())
        self._do("split", (lymph_node_id,), after, f"into {', '.join(names)}")
        return names

    # The patient

    def set_final_call(self, opinion: Opinion | None) -> None:
        """The radiologist's call of the patient; the AI's value stays as it is. None takes it back."""
        former = self.state.final_call
        if _said(former) == _said(opinion):
            return
        words = " to ".join("none" if call is None else call.words for call in (former, opinion))
        self._do("final call", (), replace(self.state, final_call=self._signed_opinion(opinion)), words)

    def start_read_first(self) -> None:
        """Hide all findings until the reader has given a first opinion. Only before any other work on the result.

        Raises
        ------
        InputError
            The findings were worked on already, so that an opinion would no longer be a first one.
        """
        if self.state.read_first:
            return
        if self.history:
            raise InputError(
                "This review has begun, so the reader has seen the findings.",
                "Use the read-first mode on a result that nobody has reviewed yet.",
            )
        self.state = replace(self.state, read_first=True)
        self._log("read first", (), "findings hidden")

    def give_first_opinion(self, opinion: Opinion) -> None:
        """The opinion before the findings are seen. It is final, and reveals them.

        Raises
        ------
        InputError
            The findings are not hidden.
        """
        if not self.state.hidden:
            raise InputError("The findings are shown already, so this is no first opinion.", "Set the final call.")
        self.state = replace(self.state, first_opinion=self._signed_opinion(opinion))
        self._log("first opinion", (), opinion.words)
        self._log("reveal", (), "findings shown")

    # Undo

    @property
    def undo_words(self) -> str:
        """What undo would take back, such as ``"status LN2"``; empty: nothing."""
        return _words(self._undo)

    @property
    def redo_words(self) -> str:
        return _words(self._redo)

    def undo(self) -> bool:
        """Take the last action back; False where there is none."""
        return self._step("undo", self._undo, self._redo)

    def redo(self) -> bool:
        """Do again what was taken back last; False where there is nothing."""
        return self._step("redo", self._redo, self._undo)

    def _step(self, name: str, source: list, target: list) -> bool:
        if not source:
            return False
        state, event = source.pop()
        target.append((self.state, event))
        self.state = state
        self._log(name, event.lymph_nodes, f"{event.action}: {event.words}" if event.words else event.action)
        return True

    # How it is done

    def _do(self, action: str, ids: tuple[str, ...], after: ReviewState, words: str = "") -> None:
        if self.state.hidden:
            raise InputError("The findings are hidden until you have given your first opinion.", "Give it first.")
        if after == self.state:
            return
        before, self.state = self.state, after
        self._undo.append((before, self._log(action, ids, words)))
        del self._undo[:-UNDO_LIMIT]
        self._redo.clear()

    def _log(self, action: str, ids: tuple[str, ...], words: str) -> Event:
        event = Event(self._time(), self.reviewer, action, ids, words)
        self.history.append(event)
        return event

    def _signed(self, after: ReviewState, before: ReviewedLymphNode) -> ReviewState:
        """With reviewer and time, where something changed."""
        row = after.get(before.id)
        if row == before:
            return after
        return after.with_rows(replace(row, reviewer=self.reviewer, reviewed_at=self._time()))

    def _signed_opinion(self, opinion: Opinion | None) -> Opinion | None:
        return None if opinion is None else replace(opinion, reviewer=self.reviewer, time=self._time())

    def _time(self) -> str:
        return self._now().isoformat(timespec="milliseconds")

    def _measure(self) -> actions.Measure:
        if self.measure is None:
            raise InputError(
                "The outline cannot be changed without the scan: its measures need the HU values.",
                "Load the scan that was analyzed and choose it as input volume.",
            )
        return self.measure


def new_review(result: Result, instances: Volume, measure: actions.Measure | None = None, **arguments: Any) -> Review:
    """A review that begins with what the AI found.

    Parameters
    ----------
    instances
        (K, J, I) integers on the CT grid, the labels of ``result.lymph_nodes``.
    measure, arguments
        As for :class:`Review`.

    Raises
    ------
    InputError
        A lymph node of the result has no voxel.
    """
    return Review(initial_state(result, outlines_of(instances), instances.shape), measure, **arguments)


def initial_state(result: Result, outlines: dict[int, Outline], grid_kji: tuple[int, int, int]) -> ReviewState:
    """What the AI found, as the reader finds it.

    Parameters
    ----------
    outlines
        By label.
    """
    missing = [row.id for row in result.lymph_nodes if row.label not in outlines]
    if missing:
        raise InputError(
            f"The segmentation holds no voxel of {', '.join(missing)}.",
            "Files of different results were mixed: run the analysis again.",
        )
    rows = (
        ReviewedLymphNode(row, outlines[row.label], visible=row.status != "rejected")
        for row in sorted(result.lymph_nodes, key=lambda row: row.label)
    )
    return ReviewState(tuple(rows), grid_kji, 1 + max((row.label for row in result.lymph_nodes), default=0))


def _said(opinion: Opinion | None) -> Opinion | None:
    """What was said, without who and when."""
    return None if opinion is None else replace(opinion, reviewer="", time="")


def _words(entries: list[tuple[ReviewState, Event]]) -> str:
    if not entries:
        return ""
    event = entries[-1][1]
    return " ".join([event.action, *event.lymph_nodes])
