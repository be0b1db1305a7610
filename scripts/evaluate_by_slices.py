"""Does the classifier beat size on thick slices? AUC of ENE against P by slice thickness.

    python scripts/evaluate_by_slices.py RESULTS COHORT

RESULTS and COHORT as `ece evaluate classification` takes them; the same lymph nodes are judged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ece_core.evaluation.classification import classification_metrics
from ece_core.evaluation.cohort import EvaluatedCase, read_cases

THICK_MM = 2.0
KEYS = ("auc", "size_only_auc", "auc_above_size_only")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("cohort", type=Path)
    asked = parser.parse_args()
    cases = list(read_cases(asked.results, asked.cohort))
    report(f"slices below {THICK_MM:g} mm", [case for case in cases if not is_thick(case)])
    report(f"slices of {THICK_MM:g} mm and more", [case for case in cases if is_thick(case)])


def is_thick(case: EvaluatedCase) -> bool:
    return max(case.result.input["spacing_mm"]) >= THICK_MM - 1e-3


def report(title: str, cases: list[EvaluatedCase]) -> None:
    metrics = classification_metrics(cases)
    words = ", ".join(f"{key} {_words(metrics[key])}" for key in KEYS if key in metrics)
    print(f"{title}, {len(cases)} patients: {words}")


def _words(figure: dict) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


if __name__ == "__main__":
    main()
