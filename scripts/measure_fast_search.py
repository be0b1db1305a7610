"""What fast search misses, and what it saves: exact and fast mode on the same simulated patients.

    ece simulate COHORT --cases 40 --seed 5001 --as nifti
    python scripts/measure_fast_search.py COHORT [--models DIR] [--cases 40] [--out FILE]

A true lymph node counts as found when a reported one touches it, as in `ece evaluate segmentation`. Seconds are CPU
seconds of finding (network grid, network, labels), of one thread unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ece_core.evaluation.overlap import Overlap
from ece_core.io import read_ct, read_labelmap
from ece_core.lymph_nodes.instances import split_instances
from ece_core.models import find_bundle, load_bundle
from ece_core.models.segmentation import segment
from ece_core.pipeline.detection import confident
from ece_core.pipeline.heatmaps import on_grid_of
from ece_core.preprocessing import neck_region

LEAST_MM = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--models", type=Path, help="folder of bundles (default: the shipped ones)")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--out", type=Path, help="rows per case, as JSON; those that are there already are kept")
    asked = parser.parse_args()
    bundle = load_bundle(find_bundle("lymph_node_segmentation", asked.models))
    rows = json.loads(asked.out.read_text()) if asked.out and asked.out.exists() else {}
    for case in sorted(asked.cohort.glob("case_*"))[: asked.cases]:
        if case.name not in rows and (case / "truth.json").exists():
            rows[case.name] = measured(case, bundle)
            print(case.name, rows[case.name], flush=True)
        if asked.out:
            asked.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(summary(list(rows.values())))


def measured(case: Path, bundle) -> dict[str, Any]:
    """Per mode: lymph nodes found, false positives, seconds; and how alike the outlines are."""
    ct, true = read_ct(case / "ct.nii.gz").volume, read_labelmap(case / "instances.nii.gz")
    start, stop = neck_region(ct)
    region = ct.crop(start, stop)
    rows = {row["label"]: row for row in json.loads((case / "truth.json").read_text())["lymph_nodes"]}
    answer: dict[str, Any] = {}
    maps = {}
    for mode in ("exact", "fast"):
        started = time.process_time()
        output = segment(bundle, region, "cpu", fast=mode == "fast")
        seconds = time.process_time() - started
        found = split_instances(output.class_map.with_array(output.class_map.array > 0))
        found = on_grid_of(ct, confident(found, output, bundle.spec.get("least_confidence", 0.0)))
        overlap = Overlap.of(true.array, found.array)
        large = np.array([rows[int(label)]["short_axis_mm"] >= LEAST_MM for label in overlap.true_labels], bool)
        touched = overlap.shared.any(axis=1)
        answer[mode] = {
            "lymph_nodes": int(large.sum()),
            "found": int(touched[large].sum()),
            "false_positives": int(overlap.is_false_positive().sum()),
            "cpu_seconds": round(seconds, 2),
            "engine": output.engine,
        }
        maps[mode] = SimpleNamespace(found=found.array > 0, touched=set(overlap.true_labels[touched & large].tolist()))
    both = (maps["exact"].found & maps["fast"].found).sum()
    answer["dice"] = float(2 * both / max(1, maps["exact"].found.sum() + maps["fast"].found.sum()))
    answer["lost"] = len(maps["exact"].touched - maps["fast"].touched)
    answer["gained"] = len(maps["fast"].touched - maps["exact"].touched)
    return answer


def summary(rows: list[dict[str, Any]]) -> str:
    total = {
        mode: {key: sum(row[mode][key] for row in rows) for key in ("lymph_nodes", "found", "false_positives",
                                                                    "cpu_seconds")}
        for mode in ("exact", "fast")
    }  # fmt: skip
    exact, fast = total["exact"], total["fast"]
    return (
        f"{len(rows)} cases, {exact['lymph_nodes']} lymph nodes of {LEAST_MM:g} mm and more\n"
        f"found: exact {exact['found']}, fast {fast['found']} "
        f"(lost {sum(row['lost'] for row in rows)}, gained {sum(row['gained'] for row in rows)}; "
        f"{100 * (exact['found'] - fast['found']) / max(1, exact['found']):.2f} % fewer)\n"
        f"false positives per scan: exact {exact['false_positives'] / len(rows):.2f}, "
        f"fast {fast['false_positives'] / len(rows):.2f}\n"
        f"Dice of fast to exact, all lymph nodes of a scan: mean {np.mean([row['dice'] for row in rows]):.4f}, "
        f"least {min(row['dice'] for row in rows):.4f}\n"
        f"CPU seconds per scan: exact {exact['cpu_seconds'] / len(rows):.2f}, fast "
        f"{fast['cpu_seconds'] / len(rows):.2f}; engine {rows[0]['fast']['engine']}"
    )


if __name__ == "__main__":
    main()
