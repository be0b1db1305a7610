"""The figures of the model cards and of docs/results.md: unseen simulated patients, analyzed and evaluated.

    python scripts/evaluate_models.py WORK [--cases 100 20] [--models DIR] [--previous DIR]

WORK keeps cohorts and results, so that a broken run goes on where it stopped. With ``--previous``, the folder of the
models that came before, the figures of both stand side by side. Nothing is typed by hand: the cards in
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
from ece_core.evaluation.table import metrics_rows
from ece_core.models.bundle import find_bundle, read_bundle
from ece_core.pipeline import AnalyzeOptions, analyze
from ece_core.pipeline.simulated_cohort import simulate_cohort

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "Resources" / "Models"
SEED = 9001  # the training configs use 101 and 202
DIFFICULTIES = ("medium", "hard")
TASKS = {
    "segmentation": ("lymph_node_segmentation", evaluate_segmentation),
    "classification": ("lymph_node_classification", evaluate_classification),
}


def main() -> int:
    asked = _arguments()
    models = {"this": asked.models} | ({"previous": asked.previous} if asked.previous else {})
    figures = {
        difficulty: {which: measure(asked, difficulty, which, folder) for which, folder in models.items()}
        for difficulty in DIFFICULTIES
    }
    counts = " and ".join(f"{n} of {name}" for name, n in zip(DIFFICULTIES, asked.cases, strict=True))
    words = f"simulated patients, {counts} difficulty, seed {SEED}, not used in training"
    for task in TASKS:
        write_card(task, words, figures, models)
    write_page(words, figures, models, ROOT / "docs" / "results.md")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--cases", type=int, nargs=2, default=(100, 20), metavar=("MEDIUM", "HARD"))
    parser.add_argument("--models", type=Path, default=SHIPPED, help="bundles to evaluate (default: those shipped)")
    parser.add_argument("--previous", type=Path, metavar="DIR", help="bundles to set beside them")
    return parser.parse_args()


def measure(asked: argparse.Namespace, difficulty: str, which: str, models: Path) -> dict[str, dict]:
    """Metrics per task of one set of models on one cohort."""
    cohort, results = asked.work / difficulty / "cohort", asked.work / difficulty / which
    if not (cohort / "manifest.json").exists():
        cases = asked.cases[DIFFICULTIES.index(difficulty)]
        simulate_cohort(cohort, cases, SEED, difficulty, "nifti", os.cpu_count() or 1)
    analyze_all(cohort, results, models)
    pages = asked.work / difficulty / f"pages_{which}"
    return {task: evaluate(results, cohort, pages / task) for task, (_, evaluate) in TASKS.items()}


def analyze_all(cohort: Path, results: Path, models: Path) -> None:
    """Analyze every case that has no result yet, in one warm process on the CPU."""
    results.mkdir(parents=True, exist_ok=True)
    options = AnalyzeOptions(device="cpu", explain=(), models=models)
    for case in sorted(cohort.glob("case_*")):
        if not (results / case.name / "result.json").exists():
            print(results.name, case.name, file=sys.stderr, flush=True)
            analyze(case / "ct.nii.gz", results / case.name, options, lambda stage, fraction: None)


def versions(task: str, models: dict[str, Path]) -> dict[str, str]:
    """Version of the bundle for a task, per set of models."""
    return {which: read_bundle(find_bundle(TASKS[task][0], folder))["version"] for which, folder in models.items()}


def write_card(task: str, words: str, figures: dict, models: dict[str, Path]) -> None:
    """Put the figures into the evaluated card of that task."""
    path = find_bundle(TASKS[task][0], models["this"]) / "model.json"
    spec = json.loads(path.read_text())
    spec["metrics"] = {
        "cohort": words,
        "made_by": "scripts/evaluate_models.py",
        "date": date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, CPU",
        "versions": versions(task, models),
        "values": {
            difficulty: {which: metrics[task] for which, metrics in columns.items()}
            for difficulty, columns in figures.items()
        },
    }
    path.write_text(json.dumps(spec, indent=2) + "\n")


def write_page(words: str, figures: dict, models: dict[str, Path], path: Path) -> None:
    """A table per difficulty and task, a column per version, as docs/results.md."""
    lines = [
        "# Results on simulated patients",
        "",
        "Written by `python scripts/evaluate_models.py WORK --previous OLD`; do not edit.",
        "",
        f"{words[0].upper()}{words[1:]}. {date.today().isoformat()}, {platform.system()} {platform.machine()}, CPU. "
        "In brackets: 95 % intervals, bootstrap by patient. **Simulated patients are not patients: these figures say "
        "nothing about performance in a clinic.**",
    ]
    for difficulty, columns in figures.items():
        for task in TASKS:
            lines += ["", f"## {task.capitalize()}, {difficulty}", ""]
            lines += table({which: metrics[task] for which, metrics in columns.items()}, versions(task, models))
    path.write_text("\n".join(lines) + "\n")


def table(columns: dict[str, dict], named: dict[str, str]) -> list[str]:
    """Markdown: a row per figure, a column per version."""
    cells = {which: {title: _cell(*rest) for title, *rest in metrics_rows(m)} for which, m in columns.items()}
    titles = list(dict.fromkeys(title for column in cells.values() for title in column))
    lines = [f"| | {' | '.join(f'version {named[which]}' for which in columns)} |", "| --- " * (len(columns) + 1) + "|"]
    return lines + [f"| {t} | {' | '.join(cells[which].get(t, '-') for which in columns)} |" for t in titles]


def _cell(value: str, low: str, high: str) -> str:
    return f"{value} ({low} to {high})"


if __name__ == "__main__":
    sys.exit(main())
