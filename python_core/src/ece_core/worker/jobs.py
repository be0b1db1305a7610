"""What each request makes the pipeline do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ece_core import pipeline
from ece_core.errors import InputError
from ece_core.pipeline import AnalyzeOptions
from ece_core.pipeline.stages import Report

OPTION_NAMES = tuple(field.name for field in fields(AnalyzeOptions))
SWITCHES = {"full_search", "mirror", "faithfulness", "rtstruct"}


def run_job(name: str, asked: dict[str, Any], report: Report) -> dict[str, Any]:
    """Does one run and returns the fields of its result event.

    Raises
    ------
    ECEError
        As the pipeline's functions.
    """
    return _JOBS[name](asked, read_options(asked.get("options") or {}), report)


def read_options(values: dict[str, Any]) -> AnalyzeOptions:
    """AnalyzeOptions from JSON values; null means the default.

    Raises
    ------
    InputError
        An option that does not exist, or a value of the wrong type.
    """
    unknown = sorted(set(values) - set(OPTION_NAMES))
    if unknown:
        raise InputError("An option does not exist.", f"Use only: {', '.join(OPTION_NAMES)}.")
    given = {name: value for name, value in values.items() if value is not None}
    explain = given.get("explain", [])
    if not isinstance(explain, list) or not all(isinstance(method, str) for method in explain):
        raise InputError("The option explain is not a list of methods.", 'Send a list such as ["gradcam"].')
    for name in set(given) & SWITCHES:
        if not isinstance(given[name], bool):
            raise InputError(f"The option {name} is neither true nor false.", "Send true or false, or leave it out.")
    for name in set(given) - {"explain"} - SWITCHES:
        if not isinstance(given[name], str):
            raise InputError(f"The option {name} is not text.", "Send it as text, or leave it out.")
    if "explain" in given:
        given["explain"] = tuple(explain)
    if "models" in given:
        given["models"] = Path(given["models"])
    return AnalyzeOptions(**given)


def _analyze(asked: dict[str, Any], options: AnalyzeOptions, report: Report) -> dict[str, Any]:
    pipeline.analyze(Path(asked["ct"]), Path(asked["out"]), options, report)
    return {"folder": asked["out"]}


def _segment(asked: dict[str, Any], options: AnalyzeOptions, report: Report) -> dict[str, Any]:
    pipeline.segment(Path(asked["ct"]), Path(asked["out"]), options, report)
    return {"folder": asked["out"]}


def _classify(asked: dict[str, Any], options: AnalyzeOptions, report: Report) -> dict[str, Any]:
    ct, mask = Path(asked["ct"]), Path(asked["mask"])
    if asked.get("out") is not None:
        pipeline.classify(ct, mask, Path(asked["out"]), options, report)
        return {"folder": asked["out"]}
    folder = asked.get("heatmap_folder")
    anew = pipeline.reclassify(ct, mask, asked["label"], options, report, None if folder is None else Path(folder))
    return {
        "folder": None,
        "lymph_node": anew.lymph_node.to_json(),
        "warnings": list(anew.warnings),
        "heatmaps": list(anew.heatmaps),
    }


def _explain(asked: dict[str, Any], options: AnalyzeOptions, report: Report) -> dict[str, Any]:
    file = pipeline.explain(
        Path(asked["ct"]), Path(asked["result"]), asked["method"], asked.get("lymph_node"), options, report
    )
    return {"folder": asked["result"], "file": str(file)}


def _send(asked: dict[str, Any], options: AnalyzeOptions, report: Report) -> dict[str, Any]:
    from ece_core.pacs import send_results

    warnings: list[str] = []
    credentials = asked.get("credentials")
    done = send_results(
        Path(asked["path"]), asked.get("server"), None if credentials is None else Path(credentials),
        lambda count, total: report("send", count / max(total, 1)), warnings.append,
    )  # fmt: skip
    counts = {"total": done.total, "sent": done.moved, "there_before": done.there_before}
    return {"folder": asked["path"], "transfer": counts, "warnings": warnings}


_JOBS: dict[str, Callable[[dict[str, Any], AnalyzeOptions, Report], dict[str, Any]]] = {
    "analyze": _analyze,
    "segment": _segment,
    "classify": _classify,
    "explain": _explain,
    "send": _send,
}
