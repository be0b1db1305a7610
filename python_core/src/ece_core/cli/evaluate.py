"""`ece evaluate TASK PREDICTIONS REFERENCE --out DIR`: how good the results are."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console

TASKS = ("segmentation", "classification")


def add_parser(commands) -> None:
    parser = commands.add_parser("evaluate", help="compare results with a simulated cohort's truth")
    parser.add_argument("task", choices=TASKS, metavar="TASK", help=" or ".join(TASKS))
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="folder of result folders case_NNNN")
    parser.add_argument("reference", type=Path, metavar="REFERENCE", help="cohort folder of `ece simulate`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where page, metrics, tables, plots go")
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.evaluation import evaluate_classification, evaluate_segmentation
    from ece_core.evaluation.table import metrics_table

    evaluate = evaluate_segmentation if asked.task == "segmentation" else evaluate_classification
    metrics = evaluate(asked.predictions, asked.reference, asked.out)
    console.event({"event": "result", "id": None, "folder": str(asked.out)})
    console.say(metrics_table(metrics))
    console.say(f"Page: {asked.out / 'index.html'}")
