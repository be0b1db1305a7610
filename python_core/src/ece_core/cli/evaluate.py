"""`ece evaluate TASK PREDICTIONS REFERENCE --out DIR`: how good the results are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.cli.table import NOT_COMPUTED, columns

TASKS = ("segmentation", "classification")


def add_parser(commands) -> None:
    parser = commands.add_parser("evaluate", help="compare results with a simulated cohort's truth")
    parser.add_argument("task", choices=TASKS, metavar="TASK", help=" or ".join(TASKS))
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="folder of result folders case_NNNN")
    parser.add_argument("reference", type=Path, metavar="REFERENCE", help="cohort folder of `ece simulate`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where metrics.json and index.html go")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.evaluation import evaluate_classification, evaluate_segmentation

    evaluate = evaluate_segmentation if asked.task == "segmentation" else evaluate_classification
    metrics = evaluate(asked.predictions, asked.reference, asked.out)
    console.event({"event": "result", "id": None, "folder": str(asked.out)})
    console.say(metrics_table(metrics))
    console.say(f"Page: {asked.out / 'index.html'}")


def metrics_table(metrics: dict[str, Any]) -> str:
    """One line per figure, with its interval."""
    rows: list[tuple[str, ...]] = [("Figure", "Value", "Low", "High")]
    for name, figure in _flat(metrics):
        rows.append((name, *(_number(figure.get(key)) for key in ("value", "low", "high"))))
    return columns(rows)


def _flat(metrics: dict[str, Any], prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    figures = []
    for key, value in metrics.items():
        if isinstance(value, dict) and "value" in value:
            figures.append((prefix + key, value))
        elif isinstance(value, dict):
            figures += _flat(value, f"{prefix}{key} ")
    return figures


def _number(value: float | None) -> str:
    return NOT_COMPUTED if value is None else f"{value:.3f}"
