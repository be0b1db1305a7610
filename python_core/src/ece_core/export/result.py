"""`result.json`: everything a result says, in plain values, under one schema."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ece_core import RESEARCH_USE_ONLY
from ece_core.classes import CLASS_TITLES
from ece_core.errors import InputError
from ece_core.export.allow_list import only_listed, unlisted
from ece_core.lymph_nodes.lymph_node import LymphNode

SCHEMA_NAME = "ece-result"
SCHEMA_VERSION = 1
SCHEMA = f"{SCHEMA_NAME}/{SCHEMA_VERSION}"
RESULT_FILE = "result.json"
MAX_RESULT_BYTES = 64 * 2**20  # a result of a thousand lymph nodes is about 1 MB


@dataclass(frozen=True)
class Result:
    """One analysis, as `result.json` holds it (design.md section 4).

    Attributes
    ----------
    software
        {name, version}.
    models
        One {name, version, task, sha256} per network used.
    device
        ``"cpu"``, ``"cuda:0"`` ...
    search
        {mode (fast or full), mirrored, engine}: how lymph nodes were looked for; empty where they were given.
    seconds
        Seconds per stage, in the order in which the stages ran.
    warnings
        Plain sentences for the reader of the result.
    input
        {format, modality, series_uid_sha256, shape_kji, spacing_mm (k, j, i), affine_lps (4x4, (i, j, k) to LPS mm)};
        of a multi-frame CT also frames, [object, frame] per slice.
    patient
        {ece_probability, method, outputs}: the value, how it was made, and what each model said.
    lymph_nodes
        In the order of their labels.
    heatmaps
        One {method, title, file, scaling} each; ``file`` is relative to the result folder. Of a DICOM CT also
        ``dicom``, the heatmap's Parametric Map.
    """

    software: dict[str, str]
    models: tuple[dict[str, Any], ...]
    device: str
    seconds: dict[str, float]
    warnings: tuple[str, ...]
    input: dict[str, Any]
    patient: dict[str, Any]
    lymph_nodes: tuple[LymphNode, ...] = ()
    heatmaps: tuple[dict[str, Any], ...] = ()
    search: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA
    research_use_only: str = field(default=RESEARCH_USE_ONLY)

    def to_json(self) -> str:
        """The text of `result.json`: valid JSON, keys always in the same order.

        A value that is not finite was not computed, so it is left out, never written as NaN. What is not on the
        allow-list is refused (ValueError): it might name the patient.
        """
        order = ["schema", "research_use_only"]
        order += [f.name for f in fields(self) if f.name not in order]
        content = {name: getattr(self, name) for name in order}
        content["lymph_nodes"] = self.node_rows()
        content = _plain(content)
        if wrong := sorted(set(unlisted(content))):
            raise ValueError(f"not on the list of what a result may hold (export/allow_list.py): {', '.join(wrong)}")
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def node_rows(self) -> list[dict[str, Any]]:
        """The lymph nodes as `result.json` lists them: plain values, absent when not computed."""
        return [_plain(_node_row(lymph_node)) for lymph_node in self.lymph_nodes]

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The inverse of :meth:`to_json`. Unknown keys are ignored.

        Raises
        ------
        InputError
            The text is not JSON, not a result, of a newer schema, or incomplete.
        """
        content = _parsed(text)
        _check_schema(content.get("schema"))
        content = only_listed(content)
        try:
            values = {f.name: content[f.name] for f in fields(cls) if f.name in content}
            values["lymph_nodes"] = tuple(_node(row) for row in content["lymph_nodes"])
            for name in ("models", "warnings", "heatmaps"):
                values[name] = tuple(_list(content[name], dict if name != "warnings" else str))
            for name in ("software", "seconds", "input", "patient"):
                _expect(isinstance(content[name], dict))
            _expect(isinstance(content.get("search", {}), dict))
            for heatmap in values["heatmaps"]:
                _expect(_is_inside(heatmap["file"]) and isinstance(heatmap["method"], str))
                _expect(_is_inside(heatmap.get("dicom", heatmap["file"])))
            labels = [lymph_node.label for lymph_node in values["lymph_nodes"]]
            _expect(len(set(labels)) == len(labels))
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged() from error


def fingerprint(result: Result) -> str:
    """SHA-256 of its text: the same for the same result, wherever its folder lies."""
    return hashlib.sha256(result.to_json().encode()).hexdigest()


def read_result(folder: Path) -> Result:
    """The result that a result folder holds.

    Raises
    ------
    InputError
        There is no `result.json` (the folder is not a whole result), or it cannot be used.
    """
    file = Path(folder) / RESULT_FILE
    try:
        if file.stat().st_size > MAX_RESULT_BYTES:
            raise _damaged()
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"This folder is not a whole result: it has no {RESULT_FILE}.",
            "Choose a folder that `ece analyze` wrote, or run the analysis again.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{RESULT_FILE} cannot be read ({type(error).__name__}).", "Check the folder's permissions."
        ) from error
    return Result.from_json(text)


def _parsed(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _damaged() from error
    if not isinstance(content, dict):
        raise _damaged()
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_schema(schema: Any) -> None:
    name, _, version = str(schema).partition("/")
    if name != SCHEMA_NAME or not version.isdecimal():
        raise InputError(
            f"{RESULT_FILE} is not a result of this software (its schema is not {SCHEMA_NAME}).",
            "Choose a folder that `ece analyze` wrote.",
        )
    if int(version) > SCHEMA_VERSION:
        raise InputError(
            f"This result was written by a newer version (schema {name}/{int(version)}; this one reads {SCHEMA}).",
            "Update ECEDetector to open it.",
        )


def _node(row: Any) -> LymphNode:
    _expect(isinstance(row, dict))
    lymph_node = LymphNode.from_json(row)
    _expect(isinstance(lymph_node.label, int) and lymph_node.label > 0 and isinstance(lymph_node.id, str))
    _expect(lymph_node.class_name in CLASS_TITLES and isinstance(lymph_node.class_probabilities, dict))
    return lymph_node


def _node_row(lymph_node: LymphNode) -> dict[str, Any]:
    row = lymph_node.to_json()
    return {"id": row.pop("id"), "label": row.pop("label"), "class": row.pop("class"), **row}


def _list(values: Any, kind: type) -> list:
    _expect(isinstance(values, list) and all(isinstance(value, kind) for value in values))
    return values


def _expect(holds: bool) -> None:
    if not holds:
        raise ValueError("not as the schema says")


def _is_inside(file: Any) -> bool:
    """Whether a heatmap's file stays inside the result folder, on every operating system."""
    if not isinstance(file, str) or "\\" in file or ":" in file:
        return False
    path = PurePosixPath(file)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _damaged() -> InputError:
    return InputError(
        f"{RESULT_FILE} is damaged: it does not hold what the schema {SCHEMA} asks for.", "Run the analysis again."
    )


_ABSENT = object()


def _plain(value: Any) -> Any:
    """Only what JSON knows. Numbers that are not finite come back as _ABSENT and are dropped with their key."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return _ABSENT
    if isinstance(value, dict):
        items = {str(key): _plain(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _ABSENT}
    if isinstance(value, (list, tuple, np.ndarray)):
        values = [_plain(item) for item in value]
        return _ABSENT if any(item is _ABSENT for item in values) else values  # half a centroid is no centroid
    return value
