"""The figures of the model cards and of docs/results.md: unseen simulated patients, analyzed and evaluated.

    python scripts/evaluate_models.py WORK [--cases 20] [--difficulty medium] [--models DIR]

WORK keeps cohort and results, so that a broken run goes on where it stopped. Nothing is typed by hand: the cards in
Resources/Models and the page are written from the metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import date
from pathlib import Path

from ece_core.evaluation import evaluate_classification, evaluate_segmentation
from ece_core.evaluation.table import metrics_table
from ece_core.pipeline import AnalyzeOptions, analyze
from ece_core.pipeline.simulated_cohort import simulate_cohort

ROOT = Path(__file__).resolve().parents[1]
SEED = 9001  # the training configs use 101 and 202
TASKS = {"segmentation": "lymph_node_segmentation", "classification": "lymph_node_classification"}


def main() -> int:
    asked = _arguments()
    cohort, results = asked.work / "cohort", asked.work / "results"
    if not (cohort / "manifest.json").exists():
        simulate_cohort(cohort, asked.cases, SEED, asked.difficulty, "nifti", os.cpu_count() or 1)
    analyze_all(cohort, results, asked.models)
    metrics = {
        "segmentation": evaluate_segmentation(results, cohort, asked.work / "segmentation"),
        "classification": evaluate_classification(results, cohort, asked.work / "classification"),
    }
    words = f"{asked.cases} simulated patients, {asked.difficulty}, seed {SEED}, not used in training"
    for task, figures in metrics.items():
        write_card(TASKS[task], words, figures)
    write_page(words, metrics, ROOT / "docs" / "results.md")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--difficulty", default="medium")
    parser.add_argument("--models", type=Path, help="bundles to evaluate (default: those shipped)")
    return parser.parse_args()


def analyze_all(cohort: Path, results: Path, models: Path | None) -> None:
    """Analyze every case that has no result yet, in one warm process on the CPU."""
    results.mkdir(parents=True, exist_ok=True)
    options = AnalyzeOptions(device="cpu", explain=(), models=models or ROOT / "Resources" / "Models")
    for case in sorted(cohort.glob("case_*")):
        if not (results / case.name / "result.json").exists():
            print(case.name, file=sys.stderr, flush=True)
            analyze(case / "ct.nii.gz", results / case.name, options, lambda stage, fraction: None)


def write_card(task: str, words: str, figures: dict) -> None:
    """Put the figures into the shipped card of that task."""
    for card in (ROOT / "Resources" / "Models").glob("*/model.json"):
        spec = json.loads(card.read_text())
        if spec["task"] == task:
            spec["metrics"] = {
                "cohort": words,
                "made_by": "scripts/evaluate_models.py",
                "date": date.today().isoformat(),
                "machine": f"{platform.system()} {platform.machine()}, CPU",
                "values": figures,
            }
            card.write_text(json.dumps(spec, indent=2) + "\n")


def write_page(words: str, metrics: dict[str, dict], path: Path) -> None:
    """Both tables, as docs/results.md."""
    lines = [
        "# Results on simulated patients",
        "",
        "Written by `python scripts/evaluate_models.py WORK`; do not edit.",
        "",
        f"{words[0].upper()}{words[1:]}. {date.today().isoformat()}, {platform.system()} {platform.machine()}, CPU. "
        "Intervals: 95 %, bootstrap by patient. **Simulated patients are not patients: these figures say nothing about "
        "performance in a clinic.**",
    ]
    for task, figures in metrics.items():
        lines += ["", f"## {task.capitalize()}", "", "```", metrics_table(figures), "```"]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
