"""The review as text: what `review.json` holds, and what a saved scene keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from ece_core import RESEARCH_USE_ONLY
from ece_core.classes import CLASS_TITLES
from ece_core.errors import InputError
from ece_core.export.result import Result, fingerprint
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.review.actions import SOURCES, STATUSES, Measure
from ece_core.review.opinion import Opinion
from ece_core.review.outline import Outline
from ece_core.review.session import Event, Review, initial_state
from ece_core.review.state import ReviewedLymphNode, ReviewState

SCHEMA_NAME = "ece-review"
SCHEMA_VERSION = 1
SCHEMA = f"{SCHEMA_NAME}/{SCHEMA_VERSION}"
_ROW_TEXTS = ("comment", "reviewer", "reviewed_at")


def key_of(result: Result) -> str:
    """What a review is about: the lymph nodes and the scan. A heatmap that is added later changes neither."""
    return fingerprint(replace(result, heatmaps=(), warnings=(), seconds={}))


def to_text(review: Review, result: Result, outlines: dict[int, Outline]) -> str:
    """JSON, keys always in the same order. The undo list is not kept: its log is.

    Parameters
    ----------
    outlines
        The AI's, by label: an outline that is still the AI's is not written again.
    """
    state = review.state
    content = {
        "schema": SCHEMA,
        "research_use_only": RESEARCH_USE_ONLY,
        "result_sha256": key_of(result),
        "next_label": state.next_label,
        "read_first": state.read_first,
        "first_opinion": state.first_opinion.to_json() if state.first_opinion else None,
        "final_call": state.final_call.to_json() if state.final_call else None,
        "lymph_nodes": [_row(row, outlines) for row in state.lymph_nodes],
        "history": [event.to_json() for event in review.history],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_text(
    text: str,
    result: Result,
    outlines: dict[int, Outline],
    grid_kji: tuple[int, int, int],
    measure: Measure | None = None,
    **arguments: Any,
) -> Review:
    """The inverse of :func:`to_text`. Unknown keys are ignored.

    Parameters
    ----------
    result
        That the review is about.
    outlines
        The AI's, by label.
    grid_kji
        Shape of the CT grid.
    measure, arguments
        As for :class:`ece_core.review.session.Review`.

    Raises
    ------
    InputError
        The text is damaged, of a newer schema, or about another result.
    """
    content = _content(text)
    if content.get("result_sha256") != key_of(result):
        raise InputError(
            "The review is about another result than the one that is open.",
            "Open the result folder that the review was made in.",
        )
    try:
        state = _state(content, outlines, grid_kji)
        history = [
            Event(**{**_known(Event, row), "lymph_nodes": tuple(row["lymph_nodes"])}) for row in content["history"]
        ]
        _expect(all(isinstance(getattr(event, f.name), (str, tuple)) for event in history for f in fields(Event)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged() from error
    return Review(state, measure, history, **arguments)


def start_or_resume(
    text: str | None,
    result: Result,
    outlines: dict[int, Outline],
    grid_kji: tuple[int, int, int],
    measure: Measure | None = None,
    **arguments: Any,
) -> Review:
    """:func:`from_text` where there is one, else a new review."""
    if text is None:
        return Review(initial_state(result, outlines, grid_kji), measure, **arguments)
    return from_text(text, result, outlines, grid_kji, measure, **arguments)


def _row(row: ReviewedLymphNode, outlines: dict[int, Outline]) -> dict[str, Any]:
    written: dict[str, Any] = {"lymph_node": row.lymph_node.to_json()}
    if outlines.get(row.label) != row.outline:
        written["outline"] = row.outline.to_json()
    written |= {name: getattr(row, name) for name in ("visible", *_ROW_TEXTS, "out_of_date")}
    if row.former_ece_probability is not None:
        written["former_ece_probability"] = row.former_ece_probability
    return written


def _state(content: dict[str, Any], outlines: dict[int, Outline], grid_kji: tuple[int, int, int]) -> ReviewState:
    rows = tuple(_read_row(row, outlines, grid_kji) for row in content["lymph_nodes"])
    labels = [row.label for row in rows]
    _expect(labels == sorted(set(labels)) and len({row.id for row in rows}) == len(rows))
    next_label = content["next_label"]
    _expect(isinstance(next_label, int) and next_label > max(labels, default=0))
    _expect(isinstance(content["read_first"], bool))
    return ReviewState(
        rows,
        grid_kji,
        next_label,
        _opinion(content.get("final_call")),
        content["read_first"],
        _opinion(content.get("first_opinion")),
    )


def _read_row(row: dict[str, Any], outlines: dict[int, Outline], grid_kji: tuple[int, int, int]) -> ReviewedLymphNode:
    lymph_node = LymphNode.from_json(row["lymph_node"])
    _expect(isinstance(lymph_node.label, int) and lymph_node.label > 0 and isinstance(lymph_node.id, str))
    _expect(lymph_node.class_name in CLASS_TITLES and lymph_node.status in STATUSES and lymph_node.source in SOURCES)
    outline = Outline.from_json(row["outline"], grid_kji) if "outline" in row else outlines[lymph_node.label]
    texts = {name: row[name] for name in _ROW_TEXTS}
    _expect(all(isinstance(text, str) for text in texts.values()))
    former = row.get("former_ece_probability")
    _expect(all(value is None or 0 <= value <= 1 for value in (former, lymph_node.ece_probability)))
    return ReviewedLymphNode(
        lymph_node,
        outline,
        visible=bool(row["visible"]),
        out_of_date=bool(row["out_of_date"]),
        former_ece_probability=former,
        **texts,
    )


def _opinion(row: dict[str, Any] | None) -> Opinion | None:
    return None if row is None else Opinion(**_known(Opinion, row))


def _known(kind: type, row: dict[str, Any]) -> dict[str, Any]:
    names: Callable[[str], bool] = {f.name for f in fields(kind)}.__contains__
    return {key: value for key, value in row.items() if names(key)}


def _content(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _damaged() from error
    if not isinstance(content, dict):
        raise _damaged()
    name, _, version = str(content.get("schema")).partition("/")
    if name != SCHEMA_NAME or not version.isdecimal():
        raise _damaged()
    if int(version) > SCHEMA_VERSION:
        raise InputError(
            f"This review was written by a newer version (schema {name}/{int(version)}; this one reads {SCHEMA}).",
            "Update ECEDetector to open it; nothing was changed.",
        )
    return content


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _expect(holds: bool) -> None:
    if not holds:
        raise ValueError("not as the schema says")


def _damaged() -> InputError:
    return InputError(
        "The saved review is damaged: it does not hold what its schema asks for.",
        "Rename review.json in the result folder to keep it, then open the result again to start a new review.",
    )
