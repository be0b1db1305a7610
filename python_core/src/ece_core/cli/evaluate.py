"""`ece evaluate TASK PREDICTIONS REFERENCE --out DIR`: how good the results are."""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.cli.arguments import add_json_argument
from ece_core.cli.console import Console
from ece_core.errors import InputError

TASKS = ("segmentation", "classification")


def add_parser(commands) -> None:
    parser = commands.add_parser("evaluate", help="compare results with what is true")
    parser.add_argument("task", choices=TASKS, metavar="TASK", help=" or ".join(TASKS))
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="folder of results named like the cases")
    parser.add_argument("reference", type=Path, metavar="REFERENCE", help="cohort of `ece simulate`, or a data set")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where page, metrics, tables, plots go")
    parser.add_argument("--layout", metavar="NAME", help="of a data set: nnunet, dicom, hecktor or nrrd")
    parser.add_argument(
        "--card", type=Path, metavar="BUNDLE",
        help="classification: model whose class sets are judged where the results hold none",
    )  # fmt: skip
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace, console: Console) -> None:
    from ece_core.evaluation import evaluate_classification, evaluate_segmentation
    from ece_core.evaluation.table import metrics_table

    if asked.task == "segmentation":
        metrics = evaluate_segmentation(asked.predictions, asked.reference, asked.out, asked.layout)
    else:
        metrics = evaluate_classification(asked.predictions, asked.reference, asked.out, _conformal(asked.card))
    console.event({"event": "result", "id": None, "folder": str(asked.out)})
    console.say(metrics_table(metrics))
    console.say(f"Page: {asked.out / 'index.html'}")


def _conformal(card: Path | None) -> dict | None:
    """Thresholds of a model card.

    Raises
    ------
    InputError
        The model has none.
    """
    if card is None:
        return None
    from ece_core.models import read_bundle

    conformal = read_bundle(card).get("conformal")
    if conformal is None:
        raise InputError("The model of --card has no class sets.", "Fit them: scripts/calibrate_classifier.py.")
    return conformal
