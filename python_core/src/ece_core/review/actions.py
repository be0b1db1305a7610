"""What a reader can do to the lymph nodes: each action makes a new state out of an old one and changes nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ece_core.errors import InputError
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.review.outline import Outline
from ece_core.review.state import ReviewedLymphNode, ReviewState

Measure = Callable[[Outline], dict[str, Any]]
STATUSES = ("new", "accepted", "rejected", "flagged")
SOURCES = ("AUTOMATIC", "SEMIAUTOMATIC", "MANUAL")
NOT_JUDGED = "lymph_node"  # the class of what no classifier has seen yet


def with_status(state: ReviewState, lymph_node_id: str, status: str) -> ReviewState:
    """A rejected lymph node is hidden; one that is no longer rejected is shown again."""
    if status not in STATUSES:
        raise ValueError(f"status must be one of {STATUSES}, got {status!r}")
    row = state.get(lymph_node_id)
    if row.status == status:
        return state
    visible = status != "rejected" and (row.visible or row.status == "rejected")
    return state.with_rows(replace(row, lymph_node=replace(row.lymph_node, status=status), visible=visible))


def edited(state: ReviewState, lymph_node_id: str, outline: Outline, measure: Measure) -> ReviewState:
    """A lymph node with another outline: measured anew, and without an ECE probability until it is classified again.

    Voxels of other lymph nodes stay theirs. AUTOMATIC becomes SEMIAUTOMATIC.

    Raises
    ------
    EmptyMaskError
        Nothing is left of the outline.
    """
    row = state.get(lymph_node_id)
    outline = outline.without(state.others(lymph_node_id))
    if outline == row.outline:
        return state
    source = "SEMIAUTOMATIC" if row.lymph_node.source == "AUTOMATIC" else row.lymph_node.source
    return state.with_rows(redrawn(row, outline, measure, source))


def added(state: ReviewState, outline: Outline, measure: Measure, source: str) -> tuple[ReviewState, str]:
    """One more lymph node, not judged yet, and its id.

    Parameters
    ----------
    source
        ``"MANUAL"``: painted; ``"SEMIAUTOMATIC"``: grown from a click.

    Raises
    ------
    EmptyMaskError
        Nothing is left of the outline beside the other lymph nodes.
    """
    outline = outline.without(state.others())
    row = ReviewedLymphNode(_blank(state.next_label, source, measure(outline)), outline, out_of_date=True)
    return state.with_rows(row), row.id


def merged(state: ReviewState, ids: Sequence[str], measure: Measure) -> tuple[ReviewState, str]:
    """Several lymph nodes as one, under the lowest of their labels; the highest of their probabilities stays in view.

    Raises
    ------
    InputError
        Fewer than two different lymph nodes.
    """
    rows = sorted((state.get(name) for name in dict.fromkeys(ids)), key=lambda row: row.label)
    if len(rows) < 2:
        raise InputError("Merging needs two lymph nodes or more.", "Select them in the table with Ctrl or Shift.")
    outline = Outline.union([row.outline for row in rows])
    source = "MANUAL" if all(row.lymph_node.source == "MANUAL" for row in rows) else "SEMIAUTOMATIC"
    most = max(rows, key=lambda row: _last_probability(row) or 0.0)
    row = redrawn(most, outline, measure, source)
    name = replace(row.lymph_node, id=rows[0].id, label=rows[0].label, status="new", detection_probability=None)
    comment = "; ".join(row.comment for row in rows if row.comment)
    whole = replace(row, lymph_node=name, visible=True, comment=comment)
    return state.without(*(row.id for row in rows)).with_rows(whole), whole.id


def split(
    state: ReviewState, lymph_node_id: str, parts: Sequence[Outline], measure: Measure
) -> tuple[ReviewState, tuple[str, ...]]:
    """One lymph node as several; the largest part keeps its name. Ids in the order of the parts, largest first.

    Raises
    ------
    InputError
        Fewer than two parts, or together they are not the lymph node.
    """
    row = state.get(lymph_node_id)
    parts = sorted(parts, key=lambda part: -part.voxels)
    whole = bool(parts) and Outline.union(list(parts)) == row.outline
    if len(parts) < 2 or not whole or sum(part.voxels for part in parts) != row.outline.voxels:
        raise InputError(
            f"The parts do not make up the lymph node {lymph_node_id}.", "Split it again, as it is outlined now."
        )
    source = "MANUAL" if row.lymph_node.source == "MANUAL" else "SEMIAUTOMATIC"
    first = redrawn(row, parts[0], measure, source)
    fresh = replace(first.lymph_node, status="new", detection_probability=None)
    rows = [replace(first, lymph_node=fresh, visible=True)]
    for label, part in enumerate(parts[1:], start=state.next_label):
        blank = _blank(label, source, measure(part))
        former = rows[0].former_ece_probability
        rows.append(ReviewedLymphNode(blank, part, out_of_date=True, former_ece_probability=former))
    return state.with_rows(*rows), tuple(row.id for row in rows)


def reclassified(state: ReviewState, lymph_node_id: str, outline: Outline, answer: LymphNode) -> ReviewState:
    """What the classifier says of the lymph node as it is outlined now; its former probability stays in view.

    Parameters
    ----------
    outline
        The one that was classified.
    answer
        The classifier's row; name, status and source stay those of the review.

    Raises
    ------
    InputError
        The outline has changed since: the answer is about another one.
    """
    row = state.get(lymph_node_id)
    if outline != row.outline:
        raise InputError(
            f"Lymph node {lymph_node_id} was changed while it was classified, so the answer was not used.",
            "Re-classify it again.",
        )
    ours = row.lymph_node
    said = replace(answer, id=ours.id, label=ours.label, source=ours.source, status=ours.status)
    said = replace(said, side=said.side or ours.side, level=said.level or ours.level)
    return state.with_rows(
        replace(row, lymph_node=said, out_of_date=False, former_ece_probability=_last_probability(row))
    )


def redrawn(row: ReviewedLymphNode, outline: Outline, measure: Measure, source: str) -> ReviewedLymphNode:
    """The same lymph node with another outline: what was said of the old one is dropped or kept as former."""
    ours = row.lymph_node
    measured = measure(outline)
    place = {name: measured.pop(name, None) or getattr(ours, name) for name in ("side", "level")}  # unknown: as before
    lymph_node = replace(
        ours,
        **measured,
        **place,
        source=source,
        ece_probability=None,
        class_set=None,
        contour_quality=None,
        not_evaluable=(),
    )
    return replace(
        row,
        lymph_node=lymph_node,
        outline=outline,
        out_of_date=True,
        former_ece_probability=_last_probability(row),
    )


def _last_probability(row: ReviewedLymphNode) -> float | None:
    current = row.lymph_node.ece_probability
    return row.former_ece_probability if current is None else current


def _blank(label: int, source: str, measures: dict[str, Any]) -> LymphNode:
    if source not in SOURCES:
        raise ValueError(f"source must be one of {SOURCES}, got {source!r}")
    return LymphNode(f"LN{label}", label, NOT_JUDGED, {}, **measures, source=source)
