"""All of ``ece analyze`` on a simulated diagnostic CT, cold and in a warm worker, on the CPU alone."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from process_tree import run
from random_models import shipped_or_random
from registry import Row, case
from worker_client import Worker

SEED, NUMBER, THREADS = 20261121, 0, 2
METHODS = "gradcam,guided-backprop"
GIB = 2**30


@case("analyze_cpu", threads=THREADS, goal="aim 60 s and 4 GiB, at most 120 s and 6 GiB")
def analyze_cpu(tiny: bool) -> list[Row]:
    """Wall seconds from starting the program to its end, pages of the disk cache warm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = shipped_or_random(folder / "models", tiny)
        ct, about = _simulated_series(folder / "ct", tiny)
        program = [sys.executable, "-m", "ece_core.cli", "analyze", str(ct), str(folder / "cold"), "--device", "cpu"]
        program += ["--explain", METHODS, *(["--models", str(models)] if models else [])]
        cold = run(program, THREADS)
        result = _result(folder / "cold")
        warm, worker_bytes = _analyze_in_a_worker(ct, folder, models)
        _check_same(result, _result(folder / "warm_2"))
    stages = result["seconds"]
    start_s = cold.seconds - sum(stages.values())
    saved_s = cold.seconds - warm[1]
    _print_stages(start_s, stages)
    settings = {
        **about,
        "explain": METHODS,
        "lymph_nodes_found": len(result["lymph_nodes"]),
        "models": [f"{model['name']} {model['version']}" for model in result["models"]],
        "result_warnings": result["warnings"],
        "stage_seconds": stages,
        "start_seconds": round(start_s, 2),
        "peak_memory_gib": round(cold.peak_bytes / GIB, 2),
        "worker_first_s": round(warm[0], 2),
        "worker_second_s": round(warm[1], 2),
        "worker_second_saves_s": round(saved_s, 2),
        "start_and_load_s": round(start_s + stages["load_models"], 2),
        "worker_peak_memory_gib": round(worker_bytes / GIB, 2),
    }
    return [Row(cold.seconds, settings=settings)]


def _simulated_series(folder: Path, tiny: bool) -> tuple[Path, dict[str, Any]]:
    from ece_core.io import write_ct_series
    from ece_core.simulate import simulate_case

    shape, spacing_mm = ((40, 64, 64), (5.0, 4.0, 4.0)) if tiny else ((160, 512, 512), (1.25, 0.49, 0.49))
    simulated = simulate_case(SEED, NUMBER, "medium", shape, spacing_mm)
    write_ct_series(simulated.simulation.ct, folder, seed=SEED)
    about = {"seed": SEED, "case": NUMBER, "shape_kji": shape, "spacing_mm": spacing_mm, "input": "dicom"}
    return folder, {**about, "lymph_nodes_true": len(simulated.truth)}


def _analyze_in_a_worker(ct: Path, folder: Path, models: Path | None) -> tuple[list[float], int]:
    options = {"device": "cpu", "explain": METHODS.split(","), "models": str(models) if models else None}
    with Worker(THREADS) as worker:
        seconds = [
            worker.ask(f"run {n}", "analyze", ct=str(ct), out=str(folder / f"warm_{n}"), options=options)
            for n in (1, 2)
        ]
        return seconds, worker.peak_bytes


def _result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def _check_same(cold: dict[str, Any], warm: dict[str, Any]) -> None:
    """A fast answer that differs is no answer."""
    found = [[(node["id"], node["volume_mm3"]) for node in result["lymph_nodes"]] for result in (cold, warm)]
    if found[0] != found[1]:
        raise RuntimeError("the warm worker found other lymph nodes than the cold run")


def _print_stages(start_s: float, stages: dict[str, float]) -> None:
    print("seconds per stage:", file=sys.stderr)
    for stage, seconds in {"start and end of the program": start_s, **stages}.items():
        print(f"  {stage:30} {seconds:7.2f}", file=sys.stderr)
