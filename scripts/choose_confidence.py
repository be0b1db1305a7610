"""Detection against false positives as doubtful lymph nodes are left out: to choose ``least_confidence`` of a config.

    ece simulate COHORT --cases 40 --seed 5001 --as nifti        # patients of neither training nor test
    python scripts/choose_confidence.py BUNDLE COHORT [--false-positives 1.5] [--score mean]

In fast search, as `ece analyze` does on a CPU. ``--score mean`` shows what would be if lymph nodes were ranked by the
mean probability over their voxels; the product uses the median.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ece_core.evaluation.overlap import Overlap
from ece_core.io import read_ct, read_labelmap
from ece_core.lymph_nodes.instances import split_instances
from ece_core.models import load_bundle
from ece_core.models.segmentation import segment
from ece_core.pipeline.detection import lymph_node_voxels, probabilities_at
from ece_core.pipeline.heatmaps import on_grid_of
from ece_core.preprocessing import neck_region

LEAST_MM = 5.0
SCORES = {"median": np.median, "mean": np.mean}


@dataclass(frozen=True, eq=False)
class Found:
    """Of one scan: what overlaps what, short axes of the true lymph nodes (R,), confidence in the found ones (P,)."""

    overlap: Overlap
    short_axis_mm: np.ndarray
    confidence: np.ndarray

    def best_confidence(self) -> np.ndarray:
        """(R,): of the predictions that touch a true lymph node; -inf where none does."""
        return np.where(self.overlap.shared > 0, self.confidence, -np.inf).max(axis=1, initial=-np.inf)

    def false_confidence(self) -> np.ndarray:
        """Confidence in each false positive."""
        return self.confidence[self.overlap.is_false_positive()]


def found_in(case: Path, bundle, score=np.median) -> Found:
    """Everything that the network marks in a simulated patient, however doubtful."""
    ct = read_ct(case / "ct.nii.gz").volume
    start, stop = neck_region(ct)
    output = segment(bundle, ct.crop(start, stop), "cpu", fast=True)
    found = split_instances(output.class_map.with_array(output.class_map.array > 0))
    confidence = [score(probabilities_at(output, found, inside).sum(0)) for _, inside in lymph_node_voxels(found)]
    rows = {row["label"]: row for row in json.loads((case / "truth.json").read_text())["lymph_nodes"]}
    overlap = Overlap.of(read_labelmap(case / "instances.nii.gz").array, on_grid_of(ct, found).array)
    short_axis_mm = np.array([rows[int(label)]["short_axis_mm"] for label in overlap.true_labels], float)
    return Found(overlap, short_axis_mm, np.array(confidence, float))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--false-positives", type=float, default=1.5, help="per scan, at most (default 1.5)")
    parser.add_argument("--score", choices=SCORES, default="median")
    asked = parser.parse_args()
    bundle, score = load_bundle(asked.bundle), SCORES[asked.score]
    cases = [found_in(case, bundle, score) for case in sorted(asked.cohort.glob("case_*"))]
    best = np.concatenate([case.best_confidence()[case.short_axis_mm >= LEAST_MM] for case in cases])
    false = np.concatenate([case.false_confidence() for case in cases])
    chosen = None
    print(f"least  >= {LEAST_MM:g} mm found  false positives a scan")
    for least in np.arange(0.5, 1.0, 0.005):
        false_positives = (false >= least).sum() / len(cases)
        print(f"{least:.3f}  {(best >= least).mean():.3f}          {false_positives:.2f}")
        if chosen is None and false_positives <= asked.false_positives:
            chosen = least
    print("none is strict enough" if chosen is None else f"the least strict that will do: {chosen:.3f}")


if __name__ == "__main__":
    main()
