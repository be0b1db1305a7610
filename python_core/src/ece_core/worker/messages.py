"""The words of the worker: requests checked as they come in, events as they go out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ece_core.errors import Cancelled, ECEError, InputError, PartialError
from ece_core.pipeline.stages import remaining_seconds, stage_title

NEEDED = {
    "analyze": ("ct", "out"),
    "segment": ("ct", "out"),
    "classify": ("ct", "mask"),
    "explain": ("ct", "result", "method"),
    "send": ("path",),
    "warmup": (),
    "cancel": (),
    "quit": (),
}
_TEXTS = ("ct", "out", "mask", "result", "method", "lymph_node", "heatmap_folder", "path", "server", "credentials")


@dataclass(frozen=True)
class Request:
    """One request: its id, its name and all fields as they came."""

    id: str | int
    name: str
    fields: dict[str, Any]


class RequestError(InputError):
    """A line that is no request. ``id`` is the line's, as far as it has one."""

    def __init__(self, problem: str, fix: str, id: str | int | None = None) -> None:
        super().__init__(problem, fix)
        self.id = id

    def __reduce__(self):
        return (RequestError, (self.problem, self.fix, self.id))


def read_request(line: str) -> Request:
    """The request on one line.

    Raises
    ------
    RequestError
        The line is not JSON, has no usable id, names no request, or lacks a field.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise RequestError("A line is not JSON.", "Send one JSON object per line.") from None
    if not isinstance(fields, dict):
        raise RequestError("A line is not a JSON object.", "Send one JSON object per line.")
    id, name = fields.get("id"), fields.get("request")
    if isinstance(id, bool) or not isinstance(id, (str, int)):
        raise RequestError("A request has no id.", "Give each request an id: text or an integer.")
    if not isinstance(name, str) or name not in NEEDED:
        raise RequestError("There is no request with this name.", f"Use one of: {', '.join(NEEDED)}.", id)
    for field in NEEDED[name]:
        if field not in fields:
            raise RequestError(f"The request {name} lacks the field {field}.", "Add it.", id)
    for field in _TEXTS:
        if fields.get(field) is not None and not isinstance(fields[field], str):
            raise RequestError(f"The field {field} of the request {name} is not text.", "Send it as text.", id)
    _check_shape(name, fields, id)
    return Request(id, name, fields)


def _check_shape(name: str, fields: dict[str, Any], id: str | int) -> None:
    if not isinstance(fields.get("options") or {}, dict):
        raise RequestError("The options are not a JSON object.", "Send the options as an object.", id)
    if name == "classify":
        label = fields.get("label")
        if (fields.get("out") is None) == (label is None):
            raise RequestError(
                "The request classify needs either out or label.",
                "Send out to classify the whole mask, or label for one lymph node.",
                id,
            )
        if label is not None and (isinstance(label, bool) or not isinstance(label, int) or label < 1):
            raise RequestError("The label is not a positive integer.", "Send the lymph node's label value.", id)


def to_line(message: dict[str, Any]) -> str:
    """One line of ASCII JSON, so that no code page can spoil it."""
    return json.dumps(message, allow_nan=False) + "\n"


def error_event(id: str | int | None, error: ECEError) -> dict[str, Any]:
    return {
        "event": "error",
        "id": id,
        "kind": error_kind(error),
        "problem": error.problem,
        "fix": error.fix,
        **({"failures": list(error.failures)} if isinstance(error, PartialError) else {}),
    }


def progress_event(id: str | int | None, stage: str, fraction: float, elapsed_s: float) -> dict[str, Any]:
    """How far a run is; ``remaining_s`` is null while nothing can be said."""
    remaining_s = remaining_seconds(elapsed_s, fraction)
    return {
        "event": "progress",
        "id": id,
        "stage": stage,
        "title": stage_title(stage),
        "fraction": round(fraction, 4),
        "elapsed_s": round(elapsed_s, 1),
        "remaining_s": None if remaining_s is None else round(remaining_s, 1),
    }


def error_kind(error: ECEError) -> str:
    """``"cancelled"``, ``"input"`` (exit code 2 on the command line) or ``"failed"`` (3)."""
    if isinstance(error, Cancelled):
        return "cancelled"
    return "input" if isinstance(error, InputError) else "failed"
