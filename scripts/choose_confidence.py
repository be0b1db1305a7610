"""Detection against false positives as doubtful lymph nodes are left out: to choose ``least_confidence`` of a config.

ece simulate COHORT --cases 10 --seed 7001 --as nifti        # patients of neither training nor test
python scripts/choose_confidence.py BUNDLE COHORT [--false-positives 3]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ece_core.evaluation.overlap import Overlap
from ece_core.io import read_ct, read_labelmap
from ece_core.lymph_nodes.instances import split_instances
from ece_core.models import load_bundle
from ece_core.models.segmentation import segment
from ece_core.pipeline.heatmaps import on_grid_of
from ece_core.pipeline.steps import mean_probabilities
from ece_core.preprocessing import neck_region

LARGE_MM = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--false-positives", type=float, default=3.0, help="per scan, at most (default 3)")
    asked = parser.parse_args()
    bundle = load_bundle(asked.bundle)
    cases = [found_in(case, bundle) for case in sorted(asked.cohort.glob("case_*"))]
    chosen = None
    print("least  >= 8 mm found  false positives a scan")
    for least in np.arange(0.5, 1.0, 0.02):
        rate, false_positives = np.mean([counts(*case, least) for case in cases], axis=0)
        print(f"{least:.2f}   {rate:.3f}          {false_positives:.1f}")
        if chosen is None and false_positives <= asked.false_positives:
            chosen = least
    print("none is strict enough" if chosen is None else f"the least strict that will do: {chosen:.2f}")


def found_in(case: Path, bundle) -> tuple[Overlap, np.ndarray, np.ndarray]:
    """Overlap of true and found lymph nodes, which of the true ones are large, and the confidence in each found one."""
    ct = read_ct(case / "ct.nii.gz").volume
    start, stop = neck_region(ct)
    output = segment(bundle, ct.crop(start, stop), "cpu")
    found = split_instances(output.class_map.with_array(output.class_map.array > 0))
    labels = range(1, int(found.array.max()) + 1)
    confidence = [mean_probabilities(output, found, np.argwhere(found.array == label)).sum() for label in labels]
    rows = {row["label"]: row for row in json.loads((case / "truth.json").read_text())["lymph_nodes"]}
    overlap = Overlap.of(read_labelmap(case / "instances.nii.gz").array, on_grid_of(ct, found).array)
    large = np.array([rows[int(label)]["short_axis_mm"] >= LARGE_MM for label in overlap.true_labels], bool)
    return overlap, large, np.array(confidence)


def counts(overlap: Overlap, large: np.ndarray, confidence: np.ndarray, least: float) -> tuple[float, float]:
    """Share of the large ones that are found, and false positives, with what is left at this confidence."""
    kept = confidence >= least
    found = overlap.shared[:, kept].any(axis=1)
    return float(found[large].mean()), float((overlap.is_false_positive() & kept).sum())


if __name__ == "__main__":
    main()
