"""Which of several trainings finds more lymph nodes: networks compared at equal data and time.

    ece train segmentation configs/segmentation.json --out runs/a
    ece train segmentation configs/segmentation_light.json --out runs/b
    ece simulate COHORT --cases 40 --seed 5001 --as nifti        # patients that neither has seen
    python scripts/compare_networks.py COHORT runs/a runs/b [--out networks.json]

The two configs have the same patients, loss, schedule and threads, and as many steps as their networks take in the
same time. Detection is the highest at no more than so many false positives per scan, so that no threshold is chosen
for either. Figures on simulated patients say nothing about real ones.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from choose_confidence import LEAST_MM, Found, found_in
from ece_core.evaluation.froc import Froc
from ece_core.models import load_bundle
from ece_core.models.registry import build

FALSE_POSITIVES = (1.0, 2.4, 4.0)  # a scan
EDGE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("trainings", type=Path, nargs="+", help="--out of ece train segmentation")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--out", type=Path, help="also as JSON")
    asked = parser.parse_args()
    cases = sorted(asked.cohort.glob("case_*"))[: asked.cases]
    about = {"cases": len(cases), "machine": platform.processor() or platform.machine(),
             "date": date.today().isoformat()}  # fmt: skip
    rows = [judged(work, cases) for work in asked.trainings]
    if asked.out:
        asked.out.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    print(table(rows))


def judged(work: Path, cases: list[Path]) -> dict[str, Any]:
    """What a training cost, and what its network finds."""
    config = json.loads((work / "config.json").read_text(encoding="utf-8"))
    bundle = load_bundle(work / config["name"])
    began = time.process_time()
    found = [found_in(case, bundle) for case in cases]
    seconds = (time.process_time() - began) / len(cases)
    with (work / "curve.csv").open(encoding="utf-8") as file:
        last = list(csv.reader(file))[-1]
    return {
        "network": f"{config['architecture']} at {config['spacing_mm']:g} mm",
        "minutes": float(last[2]) / 60,
        "steps": int(last[0]),
        "parameters": sum(parameter.numel() for parameter in bundle.network.parameters()),
        "gigaflop_per_ml": gigaflop_per_ml(bundle.spec),
        "cpu_seconds_per_scan": seconds,
        "detection": detection(found),
    }


def detection(found: list[Found]) -> dict[str, dict]:
    """Detection rate of lymph nodes of ``LEAST_MM`` and more, by false positives per scan."""
    best = [each.best_confidence()[each.short_axis_mm >= LEAST_MM] for each in found]
    froc = Froc(best, [each.false_confidence() for each in found])
    return {f"{rate:g}": froc.at(rate) or {} for rate in FALSE_POSITIVES}


def gigaflop_per_ml(spec: dict[str, Any]) -> float:
    """Work for a milliliter of neck, two per multiply-add."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.inference_mode():
        build(spec["architecture"], spec["arguments"]).eval()(torch.zeros(1, 1, EDGE, EDGE, EDGE))
    volume_ml = EDGE**3 * np.prod(np.broadcast_to(spec["input"]["spacing_mm"], 3)) / 1000
    return counter.get_total_flops() / 1e9 / float(volume_ml)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    rates = [f"≥ {LEAST_MM:g} mm found at {rate:g}" for rate in FALSE_POSITIVES]
    heads = ["network", "minutes", "steps", "parameters", "GF/ml", "CPU s/scan", *rates]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in rows:
        figures = [figure(rate) for rate in row["detection"].values()]
        cells = [row["network"], f"{row['minutes']:.0f}", str(row["steps"]), f"{row['parameters']:,d}",
                 f"{row['gigaflop_per_ml']:.3f}", f"{row['cpu_seconds_per_scan']:.1f}", *figures]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figure(rate: dict[str, Any]) -> str:
    """With its interval, where there are patients enough for one."""
    if rate.get("low") is None:
        return f"{rate['value']:.3f}" if rate else "-"
    return f"{rate['value']:.3f} ({rate['low']:.3f} to {rate['high']:.3f})"


if __name__ == "__main__":
    main()
